public import ConfigModel

/// Findings as a JUnit report, which CI servers show as tests: each error is one that fails.
public enum JUnitReport {
  public static func render(_ diagnostics: [Diagnostic]) -> String {
    let failures = diagnostics.count { $0.severity == .error }
    let tests = max(diagnostics.count, 1)
    var text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
    text += "<testsuites name=\"configsync\" tests=\"\(tests)\" failures=\"\(failures)\">\n"
    text +=
      "  <testsuite name=\"validate\" tests=\"\(tests)\" failures=\"\(failures)\" errors=\"0\">\n"
    if diagnostics.isEmpty {
      text += "    <testcase classname=\"configsync\" name=\"the configuration is valid\"/>\n"
    }
    for diagnostic in diagnostics { text += testcase(diagnostic) }
    return text + "  </testsuite>\n</testsuites>\n"
  }

  private static func testcase(_ diagnostic: Diagnostic) -> String {
    let span = diagnostic.span
    let place = "\(span.file):\(span.start.line):\(span.start.column)"
    let name = escaped("\(place) \(diagnostic.code.rawValue)")
    let open =
      "    <testcase classname=\"\(escaped(span.file))\" name=\"\(name)\" "
      + "file=\"\(escaped(span.file))\" line=\"\(span.start.line)\">\n"
    var details = "\(place): \(diagnostic.message)"
    if let hint = diagnostic.hint { details += "\n\(hint)" }
    for related in diagnostic.related {
      let start = related.span.start
      details += "\n\(related.span.file):\(start.line):\(start.column): \(related.message)"
    }
    let inner =
      diagnostic.severity == .error
      ? "      <failure type=\"\(diagnostic.code.rawValue)\" message=\"\(escaped(diagnostic.message))\">"
        + "\(escaped(details))</failure>\n"
      : "      <system-out>\(escaped("\(diagnostic.severity.rawValue): \(details)"))</system-out>\n"
    return open + inner + "    </testcase>\n"
  }

  /// XML 1.0 §2.2 has no place for most control characters, however they are written.
  private static func escaped(_ text: String) -> String {
    text.unicodeScalars.map { scalar in
      switch scalar {
      case "&": "&amp;"
      case "<": "&lt;"
      case ">": "&gt;"
      case "\"": "&quot;"
      case "\n": "&#10;"
      case "\t": "&#9;"
      case _ where scalar.value < 0x20 || scalar.value & 0xfffe == 0xfffe: "\u{fffd}"
      default: String(scalar)
      }
    }.joined()
  }
}
