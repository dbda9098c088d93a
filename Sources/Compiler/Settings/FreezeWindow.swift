public import ConfigModel

/// A time in which nothing is applied.
public struct FreezeWindow: Hashable, Sendable {
  /// When it begins, by the clocks of `timeZone`.
  public var schedule: CronSchedule
  /// How long it lasts, in minutes.
  public var minutes: Int
  /// A name of the IANA database.
  public var timeZone: String
  /// As it is written, for people.
  public var text: String
  public var span: SourceSpan
}

extension SettingsReader {
  /// The longest freeze, in minutes: a leap year.
  private static let longestFreeze = 366 * 24 * 60

  mutating func readFreeze(_ value: ConfigValue) {
    guard case .sequence(let items) = value.content else {
      return invalid(
        value.span, "freeze is a list of windows",
        hint: "for instance '[{cron: \"0 18 * * FRI\", duration: 60h, timezone: Europe/Berlin}]'")
    }
    guard items.count <= CompilerLimits.freezes else {
      return invalid(value.span, "freeze has more than \(CompilerLimits.freezes) windows")
    }
    for item in items {
      if let window = freezeWindow(item) { settings.freezes.append(window) }
    }
  }

  private mutating func freezeWindow(_ value: ConfigValue) -> FreezeWindow? {
    guard case .map(let members) = value.content else {
      invalid(value.span, "a window is a map with 'cron' and 'duration'")
      return nil
    }
    var (schedule, minutes, zone) = (CronSchedule?.none, Int?.none, "UTC")
    var cron = ""
    for name in ["cron", "duration"] where value[name] == nil {
      invalid(value.span, "the window has no '\(name)'")
    }
    for member in members {
      let span = member.value.span
      switch (member.key, member.value.content) {
      case ("cron", .string(let text)):
        cron = text
        do {
          schedule = try CronSchedule(text)
        } catch {
          invalid(span, "the cron expression is malformed: \(error.description)")
        }
      case ("cron", _): invalid(span, "cron is a text of five fields, as '0 18 * * FRI'")
      case ("duration", .string(let text)):
        minutes = SettingsReader.minutes(text)
        if minutes == nil { invalidDuration(span) }
      case ("duration", _): invalidDuration(span)
      case ("timezone", .string(let text)):
        zone = text
        if !TimeZoneNames.all.contains(text[...]) { unknownZone(text, span) }
      case ("timezone", _): invalid(span, "timezone is a name, as Europe/Berlin")
      default: unknown(member, among: ["cron", "duration", "timezone"])
      }
    }
    guard let schedule, let minutes else { return nil }
    if let pause = schedule.shortestPause, minutes >= pause {
      invalid(
        value.span, "the window begins again before it is over: nothing could ever be applied",
        hint: "it begins every \(SettingsReader.text(ofMinutes: pause)) at times, and lasts "
          + SettingsReader.text(ofMinutes: minutes))
      return nil
    }
    return FreezeWindow(
      schedule: schedule, minutes: minutes, timeZone: zone,
      text: "\(cron) for \(SettingsReader.text(ofMinutes: minutes)), \(zone)", span: value.span)
  }

  private mutating func invalidDuration(_ span: SourceSpan) {
    invalid(span, "duration is a time up to 366d, as 30m, 60h or 1d12h")
  }

  private mutating func unknownZone(_ name: String, _ span: SourceSpan) {
    let near = TimeZoneNames.all.sorted().first { Spelling.isNear(String($0), name) }
    invalid(
      span, "there is no time zone '\(printableName(name))'",
      hint: near.map { "did you mean '\($0)'?" } ?? "a name of the IANA database, as Europe/Berlin")
  }

  private func printableName(_ name: String) -> String { String(name.prefix(64)) }

  /// Days, hours and minutes in this order, at least one of them; nil if it is none.
  static func minutes(_ text: String) -> Int? {
    var rest = text.utf8[...]
    var total = 0
    for (unit, length) in [("d", 1440), ("h", 60), ("m", 1)] {
      let digits = rest.prefix { (48...57).contains($0) }
      guard rest.dropFirst(digits.count).first == unit.utf8.first else { continue }
      guard (1...6).contains(digits.count), let count = Int(Substring(digits)) else { return nil }
      total += count * length
      rest = rest.dropFirst(digits.count + 1)
    }
    return rest.isEmpty && total > 0 && total <= longestFreeze ? total : nil
  }

  private static func text(ofMinutes minutes: Int) -> String {
    let parts = [(minutes / 1440, "d"), (minutes / 60 % 24, "h"), (minutes % 60, "m")]
    return parts.filter { $0.0 > 0 }.map { "\($0.0)\($0.1)" }.joined()
  }
}
