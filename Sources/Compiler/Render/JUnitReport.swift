public import ConfigModel

/// Findings as a JUnit report, which CI servers show as tests: each error is one that fails.
public enum JUnitReport {
  /// Tests of policies, each by its name.
  public static func render(_ results: [PolicyTestResult]) -> String {
    let failures = results.count { $0.failure != nil }
    var text = head("test", tests: results.count, failures: failures)
    for result in results {
      let name = escaped(result.name.isEmpty ? result.file : result.name)
      text += "    <testcase classname=\"\(escaped(result.file))\" name=\"\(name)\""
      if let failure = result.failure {
        let start = failure.span.start
        let details = "\(failure.span.file):\(start.line):\(start.column): \(failure.message)"
        text +=
          ">\n      <failure message=\"\(escaped(failure.message))\">\(escaped(details))</failure>\n"
        text += "    </testcase>\n"
      } else {
        text += "/>\n"
      }
    }
    return text + "  </testsuite>\n</testsuites>\n"
  }

  private static func head(_ suite: String, tests: Int, failures: Int) -> String {
    """
    <?xml version="1.0" encoding="UTF-8"?>
    <testsuites name="configsync" tests="\(tests)" failures="\(failures)">
      <testsuite name="\(suite)" tests="\(tests)" failures="\(failures)" errors="0">

    """
  }

  public static func render(_ diagnostics: [Diagnostic]) -> String {
    let failures = diagnostics.count { $0.severity == .error }
    let tests = max(diagnostics.count, 1)
    var text = head("validate", tests: tests, failures: failures)
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
