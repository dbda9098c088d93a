/// How often something took how long: buckets that double, as Prometheus reads them.
package struct Histogram: Sendable {
  /// Upper bounds in seconds, from 1 ms to 8.192 s: etcd's for what waits for a disk.
  package static let bounds = (0..<14).map { 0.001 * Double(1 << $0) }

  /// Observations in each bucket, and last those above the last bound.
  package private(set) var counts = [Int](repeating: 0, count: bounds.count + 1)
  /// Of all together.
  package private(set) var seconds = 0.0

  package init() {}

  package mutating func observe(_ duration: Duration) {
    let (whole, attoseconds) = duration.components
    let value = Double(whole) + Double(attoseconds) * 1e-18
    counts[Histogram.bounds.firstIndex { value <= $0 } ?? Histogram.bounds.count] += 1
    seconds += value
  }
}
