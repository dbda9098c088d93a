import Foundation

/// What Linux tells of this process, under the names that Prometheus' clients give it
/// ([process metrics](https://prometheus.io/docs/instrumenting/writing_clientlibs/#process-metrics)).
struct ProcessFigures {
  var cpuSeconds: Double
  var residentBytes: Int
  var virtualBytes: Int
  var openDescriptors: Int
  var mostDescriptors: UInt64
  var startSeconds: Double

  /// Nil where there is no `/proc` of this form.
  static func read() -> ProcessFigures? {
    guard let stat = try? String(contentsOfFile: "/proc/self/stat", encoding: .utf8),
      // The name of the program stands in parentheses and may hold anything.
      let end = stat.lastIndex(of: ")"),
      let boot = bootSeconds()
    else { return nil }
    // From the third field of proc(5) on.
    let fields = stat[stat.index(after: end)...].split(separator: " ").map { Double($0) ?? 0 }
    guard fields.count > 21 else { return nil }
    let ticks = Double(sysconf(Int32(_SC_CLK_TCK)))
    let page = Int(sysconf(Int32(_SC_PAGESIZE)))
    var limit = rlimit()
    getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    let open = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd"))?.count
    return ProcessFigures(
      cpuSeconds: (fields[11] + fields[12]) / ticks, residentBytes: Int(fields[21]) * page,
      virtualBytes: Int(fields[20]), openDescriptors: open ?? 0,
      mostDescriptors: UInt64(limit.rlim_cur), startSeconds: boot + fields[19] / ticks)
  }

  private static func bootSeconds() -> Double? {
    guard let stat = try? String(contentsOfFile: "/proc/stat", encoding: .utf8) else { return nil }
    let line = stat.split(separator: "\n").first { $0.hasPrefix("btime ") }
    return line.flatMap { Double($0.dropFirst("btime ".count)) }
  }

  var families: [MetricFamily] {
    [
      MetricFamily(
        "process_cpu_seconds_total", .counter, "Total user and system CPU time spent in seconds.",
        [.init(value: "\(cpuSeconds)")]),
      MetricFamily(
        "process_resident_memory_bytes", .gauge, "Resident memory size in bytes.", residentBytes),
      MetricFamily(
        "process_virtual_memory_bytes", .gauge, "Virtual memory size in bytes.", virtualBytes),
      MetricFamily("process_open_fds", .gauge, "Number of open file descriptors.", openDescriptors),
      MetricFamily(
        "process_max_fds", .gauge, "Maximum number of open file descriptors.", mostDescriptors),
      MetricFamily(
        "process_start_time_seconds", .gauge,
        "Start time of the process since unix epoch in seconds.", [.init(value: "\(startSeconds)")]),
    ]
  }
}
