import Foundation

/// How many files and connections this process may have open.
enum DescriptorLimit {
  /// What the log, the database and the other members need, and some more.
  static let reserved = 256

  /// Raises the limit as far as the system lets a process do that, and returns it.
  static func raise() -> Int {
    var limit = rlimit()
    guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return 1024 }
    let soft = limit.rlim_cur
    limit.rlim_cur = limit.rlim_max
    // Where that is refused the former one stays.
    guard setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else {
      return Int(clamping: soft)
    }
    return Int(clamping: limit.rlim_cur)
  }
}
