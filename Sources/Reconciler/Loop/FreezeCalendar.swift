import Compiler
import ConfigModel

/// A time in which nothing is applied, that has begun.
public struct Freeze: Hashable, Sendable {
  /// The window, as configsync.yaml has it.
  public var window: String
  /// When it ends, in seconds since 1970.
  public var end: Int64

  /// As RFC 3339 writes it.
  public var endText: String { timestamp(secondsSince1970: end) }
}

/// The time, and what clocks show in a zone then: given, since nothing here looks at a clock.
public struct FreezeCalendar: Sendable {
  /// Seconds since 1970.
  public let now: @Sendable () -> Int64
  /// Seconds that clocks of a zone are ahead of UTC at a time; nil where the zone is not known.
  let offset: @Sendable (_ zone: String, _ secondsSince1970: Int64) -> Int64?
  /// What tells how long something takes; nothing is decided by it.
  public let uptime: @Sendable () -> Duration

  public init(
    now: @escaping @Sendable () -> Int64,
    offset: @escaping @Sendable (_ zone: String, _ secondsSince1970: Int64) -> Int64?,
    uptime: @escaping @Sendable () -> Duration = { .zero }
  ) {
    self.now = now
    self.offset = offset
    self.uptime = uptime
  }

  /// The window that lasts longest of those that have begun; nil if there is none.
  ///
  /// A window that begins at a time which clocks skip begins as long after they have as that time lies after the hour
  /// that is skipped began; one that begins at a time that they show twice, at the first.
  ///
  /// - Throws: `ReconcileError.uncompiled` if a zone is not known here: it can't be told whether changes are frozen.
  /// - Complexity: O(days) of a window's length, which is at most a year.
  func freeze(by windows: [FreezeWindow]) throws(ReconcileError) -> Freeze? {
    let now = now()
    var longest: Freeze?
    for window in windows {
      guard let start = try start(of: window, before: now) else { continue }
      let end = start + Int64(window.minutes) * 60
      if now < end, end > longest?.end ?? Int64.min {
        longest = Freeze(window: window.text, end: end)
      }
    }
    return longest
  }

  /// The last time that it has begun within its own length.
  private func start(of window: FreezeWindow, before now: Int64) throws(ReconcileError) -> Int64? {
    let zone = window.timeZone
    guard let current = offset(zone, now) else {
      throw .uncompiled("the time zone '\(zone)' of a freeze is not known on this machine")
    }
    let local = now + current
    let today = Int(local >= 0 ? local / 86_400 : (local - 86_399) / 86_400)
    let minutes = window.schedule.minutesOfDay
    for day in stride(from: today + 1, through: today - window.minutes / 1440 - 2, by: -1) {
      let date = CivilDate(daysSince1970: day)
      let weekday = CivilDate.weekday(daysSince1970: day)
      guard window.schedule.includes(month: date.month, day: date.day, weekday: weekday) else {
        continue
      }
      for minute in minutes.reversed() {
        let shown = Int64(day) * 86_400 + Int64(minute) * 60
        let start = shown - offsetOfClocks(showing: shown, in: zone, near: current)
        if start <= now { return start }
      }
    }
    return nil
  }

  /// What clocks are ahead of UTC when they show a time.
  private func offsetOfClocks(showing shown: Int64, in zone: String, near current: Int64) -> Int64 {
    // Half a day before, clocks have changed at most once.
    let before = offset(zone, shown - current - 43_200) ?? current
    if offset(zone, shown - before) == before { return before }
    let after = offset(zone, shown - current + 43_200) ?? current
    return offset(zone, shown - after) == after ? after : before
  }
}
