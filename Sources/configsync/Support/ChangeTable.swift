import Compiler

/// Keys that differ, for people.
struct ChangeTable {
  struct Row {
    var key: String
    /// nil where the key is new.
    var old: [UInt8]?
    /// nil where it is gone.
    var new: [UInt8]?
    /// Where the value comes from.
    var place: String?
  }

  /// Characters of a value that are shown.
  private static let shownCharacters = 100

  var rows: [Row]

  private func shown(_ value: [UInt8]) -> String {
    let text = printableLine(value)
    let limit = ChangeTable.shownCharacters
    return text.count > limit ? text.prefix(limit - 1) + "…" : text
  }

  func printText(_ style: HumanRenderer.Style) {
    func line(_ sign: String, _ tint: Int, _ text: String) {
      print(style == .colored ? "\u{1b}[\(tint)m\(sign) \(text)\u{1b}[0m" : "\(sign) \(text)")
    }
    for row in rows {
      let key = printableLine(row.key)
      let place = row.place.map { "  (\(row.new == nil ? "was " : "")\(printableLine($0)))" } ?? ""
      switch (row.old, row.new) {
      case (let old?, let new?): line("~", 33, "\(key): \(shown(old)) → \(shown(new))\(place)")
      case (nil, let new?): line("+", 32, "\(key) = \(shown(new))\(place)")
      case (let old?, nil): line("-", 31, "\(key) = \(shown(old))\(place)")
      case (nil, nil): break
      }
    }
    print(summary)
  }

  var summary: String {
    guard !rows.isEmpty else { return "no key differs" }
    let added = rows.count { $0.old == nil }
    let removed = rows.count { $0.new == nil }
    return "\(added) added, \(rows.count - added - removed) changed, \(removed) removed"
  }

  func printMarkdown() {
    print("**\(summary)**")
    guard !rows.isEmpty else { return }
    print("\n| | key | old | new | source |\n| --- | --- | --- | --- | --- |")
    for row in rows {
      let cells = [
        row.old == nil ? "+" : row.new == nil ? "−" : "~", ChangeTable.code(printableLine(row.key)),
        row.old.map { ChangeTable.code(shown($0)) } ?? "",
        row.new.map { ChangeTable.code(shown($0)) } ?? "",
        row.place.map { ChangeTable.code(printableLine($0)) } ?? "",
      ]
      print("| " + cells.joined(separator: " | ") + " |")
    }
  }

  /// A text in a cell of a table, as it is: fenced by more backticks than are in it.
  static func code(_ text: String) -> String {
    guard !text.isEmpty else { return "(empty)" }
    var longest = 0
    var run = 0
    // By scalars: to Swift's characters a sign before a combining mark is another one.
    for scalar in text.unicodeScalars {
      run = scalar == "`" ? run + 1 : 0
      longest = max(longest, run)
    }
    let fence = String(repeating: "`", count: longest + 1)
    let space = longest > 0 ? " " : ""
    let cell = text.unicodeScalars.map { $0 == "|" ? "\\|" : String($0) }.joined()
    return fence + space + cell + space + fence
  }
}
