import Compiler
import ConfigModel

extension Explanation {
  /// The key with its value, then a line for each file, aligned: place, what it says, what becomes of that.
  var text: String {
    let name = printableLine(key.text)
    var lines = [value.map { "\(name) = \(printable($0))" } ?? "\(name) is not published"]
    let rows = steps.map { step in
      (
        "\(step.span.file):\(step.span.start.line):\(step.span.start.column)",
        printableLine(step.text), step.verdict.rawValue
      )
    }
    let width = rows.map(\.0.count).max() ?? 0
    let middle = min(rows.map(\.1.count).max() ?? 0, 40)
    for (place, said, verdict) in rows {
      lines.append(
        "  \(padded(printableLine(place), width))  \(padded(said, middle))  \(verdict)")
    }
    for link in links {
      let place = "\(link.span.file):\(link.span.start.line):\(link.span.start.column)"
      lines.append("  \(printableLine(place)) refers to \(printableLine(link.target.text))")
    }
    return lines.joined(separator: "\n")
  }

  private func padded(_ text: String, _ width: Int) -> String {
    text + String(repeating: " ", count: max(0, width - text.count))
  }
}
