import Testing

@testable import Cluster

struct HistogramTests {
  @Test func whatWasSeenIsInTheBucketThatHoldsIt() {
    var histogram = Histogram()
    for microseconds in [0, 1_000, 1_001, 8_192_000, 8_192_001, 60_000_000] {
      histogram.observe(.microseconds(microseconds))
    }
    #expect(Histogram.bounds.count == 14 && Histogram.bounds.last == 8.192)
    #expect(histogram.counts.count == 15)
    #expect(histogram.counts[0] == 2 && histogram.counts[1] == 1)
    #expect(histogram.counts[13] == 1 && histogram.counts[14] == 2)
    #expect(abs(histogram.seconds - 76.386_002) < 1e-6)
  }
}
