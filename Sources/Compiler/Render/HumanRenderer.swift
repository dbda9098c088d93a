public import ConfigModel

/// Findings as a person reads them: the place, the line, and a caret under it.
public struct HumanRenderer {
  public enum Style: Sendable { case plain, colored }

  /// Characters of a long line that are shown around the finding.
  private static let window = 100
  /// Findings that are shown; the rest is counted.
  public static let limit = 50

  private let style: Style
  private let lines: (String) -> [Substring]?

  /// - Parameter content: the bytes of a file, for the lines to show.
  public init(_ style: Style, content: @escaping (String) -> [UInt8]?) {
    self.style = style
    var known: [String: [Substring]] = [:]
    lines = { file in
      if let lines = known[file] { return lines }
      guard let bytes = content(file) else { return nil }
      let text = String(decoding: bytes, as: UTF8.self)
      let lines = text.split(omittingEmptySubsequences: false) { $0 == "\n" || $0 == "\r\n" }
      known[file] = lines
      return lines
    }
  }

  public func render(_ diagnostics: [Diagnostic]) -> String {
    // What decides is shown, whatever stands before it.
    let shown = diagnostics.mostRelevant(HumanRenderer.limit).sortedByPlace()
    var text = shown.map(render).joined()
    if diagnostics.count > shown.count {
      text += "… and \(diagnostics.count - shown.count) more findings\n"
    }
    return text
  }

  public func render(_ diagnostic: Diagnostic) -> String {
    let span = diagnostic.span
    let severity = diagnostic.severity.rawValue
    var text = bold("\(HumanRenderer.visible(span.file)):\(span.start.line):\(span.start.column): ")
    text += color(severity + ":", diagnostic.severity) + " "
    text += "\(HumanRenderer.visible(diagnostic.message)) [\(diagnostic.code.rawValue)]\n"
    text += excerpt(span, note: diagnostic.hint, diagnostic.severity)
    for related in diagnostic.related {
      let place = related.span
      text += "  \(HumanRenderer.visible(place.file)):\(place.start.line):\(place.start.column): "
      text += "\(HumanRenderer.visible(related.message))\n"
      text += excerpt(place, note: nil, .note)
    }
    return text
  }

  /// The line of the place with a caret under it, and what helps beside the caret.
  private func excerpt(
    _ span: SourceSpan, note: String?, _ severity: Diagnostic.Severity
  ) -> String {
    guard let lines = lines(span.file), span.start.line <= lines.count,
      !lines[span.start.line - 1].isEmpty
    else { return note.map { "  \(HumanRenderer.visible($0))\n" } ?? "" }
    let scalars = Array(lines[span.start.line - 1].unicodeScalars)
    let column = min(span.start.column, scalars.count + 1)
    let first = max(0, column - 1 - HumanRenderer.window / 2)
    let last = min(scalars.count, first + HumanRenderer.window)
    let lead = first > 0 ? "…" : ""
    let shown = scalars[first..<last].map { HumanRenderer.visible(String($0)) }.joined()
    let number = String(span.start.line)
    let gutter = String(repeating: " ", count: max(0, 5 - number.count)) + number + " | "
    let margin = String(repeating: " ", count: gutter.count - 2) + "| "
    let end = span.end.line == span.start.line ? span.end.column : scalars.count + 1
    let width = max(1, min(end, last + 1) - column)
    let caret = "^" + String(repeating: "~", count: width - 1)
    let indent = String(repeating: " ", count: column - 1 - first + lead.count)
    let help = note.map { " " + HumanRenderer.visible($0) } ?? ""
    let tail = last < scalars.count ? "…" : ""
    return gutter + lead + shown + tail + "\n" + margin + indent + color(caret, severity) + help
      + "\n"
  }

  /// Control characters would let a file's text command the terminal.
  static func visible(_ text: String) -> String {
    guard text.unicodeScalars.contains(where: isControl) else { return text }
    return text.unicodeScalars.map { scalar in
      scalar == "\t" ? " " : isControl(scalar) ? "\u{fffd}" : String(scalar)
    }.joined()
  }

  private static func isControl(_ scalar: UnicodeScalar) -> Bool {
    scalar.value < 0x20 || (0x7f...0x9f).contains(scalar.value)
      || (0x202a...0x202e).contains(scalar.value) || (0x2066...0x2069).contains(scalar.value)
  }

  private func bold(_ text: String) -> String {
    style == .colored ? "\u{1b}[1m\(text)\u{1b}[0m" : text
  }

  private func color(_ text: String, _ severity: Diagnostic.Severity) -> String {
    guard style == .colored else { return text }
    let code =
      switch severity {
      case .error: 31
      case .warning: 33
      case .note: 36
      }
    return "\u{1b}[1;\(code)m\(text)\u{1b}[0m"
  }
}
