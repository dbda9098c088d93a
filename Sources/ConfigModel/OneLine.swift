/// A text as one line of a log, a status or a terminal: nothing that commands one, and no more than so many bytes.
///
/// Control and format characters, and the separators of lines, become spaces (Unicode's categories Cc, Cf, Zl and Zp).
/// - Complexity: O(bytes).
public func oneLine(_ text: String, bytes limit: Int = 1024) -> String {
  var line = String.UnicodeScalarView()
  var count = 0
  for scalar in text.unicodeScalars {
    count += UTF8.width(scalar)
    guard count <= limit else { return String(line) + "…" }
    switch scalar.properties.generalCategory {
    case .control, .format, .lineSeparator, .paragraphSeparator: line.append(" ")
    default: line.append(scalar)
    }
  }
  return String(line)
}
