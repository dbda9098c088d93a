import Testing

@testable import Gateway

struct MetricFamilyTests {
  @Test func aFamilyIsWrittenAsPrometheusReadsIt() {
    #expect(
      MetricFamily("a_total", .counter, "How many.", 3).text
        == "# HELP a_total How many.\n# TYPE a_total counter\na_total 3\n")
    let sample = MetricFamily.Sample(
      suffix: "_bucket", labels: [("le", "+Inf"), ("x", "a\"b\\c\nd")], value: "1.5")
    let lines = MetricFamily("b", .histogram, "h", [sample]).text.split(separator: "\n")
    #expect(lines.last == #"b_bucket{le="+Inf",x="a\"b\\c\nd"} 1.5"#)
  }

  @Test func theProcessTellsOfItself() throws {
    let figures = try #require(ProcessFigures.read())
    #expect(figures.residentBytes > 1 << 20 && figures.virtualBytes >= figures.residentBytes)
    #expect(figures.openDescriptors > 2)
    #expect(figures.mostDescriptors >= UInt64(figures.openDescriptors))
    #expect(figures.startSeconds > 1_700_000_000)
  }
}
