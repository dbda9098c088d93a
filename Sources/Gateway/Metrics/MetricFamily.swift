/// A metric in Prometheus' text format, version 0.0.4
/// ([exposition formats](https://prometheus.io/docs/instrumenting/exposition_formats/)).
package struct MetricFamily {
  package enum Kind: String { case gauge, counter, histogram }

  package struct Sample {
    /// After the name: `_bucket`, `_sum` and `_count` of a histogram.
    var suffix = ""
    /// In the order in which they are written.
    var labels: [(name: String, value: String)] = []
    var value: String

    package init(
      suffix: String = "", labels: [(name: String, value: String)] = [], value: String
    ) {
      (self.suffix, self.labels, self.value) = (suffix, labels, value)
    }
  }

  var name: String
  var kind: Kind
  var help: String
  var samples: [Sample]

  package init(_ name: String, _ kind: Kind, _ help: String, _ samples: [Sample]) {
    (self.name, self.kind, self.help, self.samples) = (name, kind, help, samples)
  }

  init(_ name: String, _ kind: Kind, _ help: String, _ value: some BinaryInteger) {
    self.init(name, kind, help, [Sample(value: "\(value)")])
  }

  /// Figures of this process; empty where the system tells none.
  package static var process: [MetricFamily] { ProcessFigures.read()?.families ?? [] }

  package var text: String {
    let lines = samples.map { sample in
      let labels = sample.labels.map { "\($0.name)=\"\(MetricFamily.escaped($0.value))\"" }
      let list = labels.isEmpty ? "" : "{\(labels.joined(separator: ","))}"
      return "\(name)\(sample.suffix)\(list) \(sample.value)\n"
    }
    return "# HELP \(name) \(help)\n# TYPE \(name) \(kind.rawValue)\n" + lines.joined()
  }

  private static func escaped(_ value: String) -> String {
    value.reduce(into: "") { text, character in
      switch character {
      case "\\": text += "\\\\"
      case "\"": text += "\\\""
      case "\n": text += "\\n"
      default: text.append(character)
      }
    }
  }
}
