import Foundation
public import Reconciler

extension FreezeCalendar {
  /// By the clock of the machine, and its time zones.
  public static let system = FreezeCalendar(
    now: { Int64(Date().timeIntervalSince1970) },
    offset: { zone, seconds in
      TimeZone(identifier: zone).map {
        Int64($0.secondsFromGMT(for: Date(timeIntervalSince1970: TimeInterval(seconds))))
      }
    },
    uptime: { start.duration(to: .now) })

  private static let start = ContinuousClock.now
}
