public import ConfigModel

/// Findings as commands of a GitHub workflow, which shows them beside the lines.
public enum GitHubReport {
  /// Annotations of one kind that GitHub keeps of a step.
  private static let limit = 10

  /// The most relevant first; what is beyond GitHub's limit is counted.
  public static func render(_ diagnostics: [Diagnostic]) -> String {
    var text = ""
    for severity in Diagnostic.Severity.allCases {
      let found = diagnostics.filter { $0.severity == severity }.sortedByPlace()
      text += found.prefix(limit).map(command).joined()
      if found.count > limit {
        let more = found.count - limit
        text +=
          "… and \(more) more \(severity.rawValue)\(more == 1 ? "" : "s"), which GitHub would not keep:\n"
        text += found.dropFirst(limit).map(line).joined()
      }
    }
    return text
  }

  private static func command(_ diagnostic: Diagnostic) -> String {
    let span = diagnostic.span
    let kind = diagnostic.severity == .note ? "notice" : diagnostic.severity.rawValue
    var properties = [
      "file=" + property(span.file), "line=\(span.start.line)", "col=\(span.start.column)",
    ]
    if span.end > span.start {
      properties.append("endLine=\(span.end.line)")
      if span.end.line == span.start.line { properties.append("endColumn=\(span.end.column)") }
    }
    properties.append("title=" + property(diagnostic.code.rawValue))
    let hint = diagnostic.hint.map { "\n" + $0 } ?? ""
    return "::\(kind) \(properties.joined(separator: ","))::\(escaped(diagnostic.message + hint))\n"
  }

  /// A line that is no command, whatever is in it.
  private static func line(_ diagnostic: Diagnostic) -> String {
    let span = diagnostic.span
    let text =
      "\(span.file):\(span.start.line):\(span.start.column): \(diagnostic.message) "
      + "[\(diagnostic.code.rawValue)]"
    return "  " + inert(escaped(text)) + "\n"
  }

  /// The runner takes a line for a command that begins with `::` after white space, or has `##[` anywhere in it.
  private static func inert(_ text: String) -> String {
    // By scalars: a character may be joined with what stands before it.
    var inert = String.UnicodeScalarView()
    for scalar in text.unicodeScalars {
      let isSecondColon = scalar == ":" && inert.last == ":"
      if isSecondColon || scalar == "[" && inert.suffix(2).elementsEqual("##".unicodeScalars) {
        inert.append(" ")
      }
      inert.append(scalar)
    }
    return String(inert)
  }

  private static func escaped(_ text: String) -> String {
    text.unicodeScalars.map { scalar in
      switch scalar {
      case "%": "%25"
      case "\r": "%0D"
      case "\n": "%0A"
      default: HumanRenderer.visible(String(scalar))
      }
    }.joined()
  }

  private static func property(_ text: String) -> String {
    escaped(text).unicodeScalars.map { scalar in
      switch scalar {
      case ":": "%3A"
      case ",": "%2C"
      default: String(scalar)
      }
    }.joined()
  }
}
