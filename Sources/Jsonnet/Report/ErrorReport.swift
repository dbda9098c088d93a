/// Reads what libjsonnet says of an error: a kind, a message, and places.
///
/// `STATIC ERROR: FILE:LINE:COLUMN: MESSAGE`, or `RUNTIME ERROR: MESSAGE` with a line for each call, which begins
/// with a tab. A place is `FILE:1:2`, `FILE:1:2-5` or `FILE:(1:2)-(3:4)`; ends are exclusive, and a single
/// character has none.
enum ErrorReport {
  private static let staticMark = "STATIC ERROR: "
  private static let runtimeMark = "RUNTIME ERROR: "

  static func read(_ bytes: [UInt8]) -> JsonnetFailure {
    let text = String(decoding: bytes, as: UTF8.self)
    if text.hasPrefix(staticMark) { return readStatic(text.dropFirst(staticMark.count)) }
    var lines = text.split(separator: "\n", omittingEmptySubsequences: false)[...]
    var message: [Substring] = []
    while let line = lines.first, message.isEmpty || line.utf8.first != UInt8(ascii: "\t") {
      message.append(line)
      lines = lines.dropFirst()
    }
    var whole = message.joined(separator: "\n")
    if whole.hasPrefix(runtimeMark) { whole = String(whole.dropFirst(runtimeMark.count)) }
    let places = lines.compactMap { line in
      line.split(separator: "\t").first.flatMap(place)
    }
    let isImport = whole.hasPrefix("couldn't open import ")
    return JsonnetFailure(
      kind: isImport ? .importing : .runtime, message: shortened(whole), places: places)
  }

  private static func readStatic(_ text: Substring) -> JsonnetFailure {
    // A path may hold the sign itself: the first place that is one counts.
    var start = text.startIndex
    while let colon = text[start...].firstRange(of: ": ") {
      if let place = place(text[..<colon.lowerBound]) {
        return JsonnetFailure(
          kind: .syntax, message: shortened(String(text[colon.upperBound...])), places: [place])
      }
      start = colon.upperBound
    }
    return JsonnetFailure(kind: .syntax, message: shortened(String(text)), places: [])
  }

  private static func shortened(_ message: String) -> String {
    var text = message
    while text.utf8.last == UInt8(ascii: "\n") { text.removeLast() }
    guard text.utf8.count > JsonnetLimits.messageBytes else { return text }
    return String(decoding: text.utf8.prefix(JsonnetLimits.messageBytes), as: UTF8.self) + "…"
  }

  private static func place(_ text: Substring) -> JsonnetPlace? {
    if let match = text.wholeMatch(of: /(.+):\((\d+):(\d+)\)-\((\d+):(\d+)\)/) {
      guard let line = Int(match.2), let column = Int(match.3), let endLine = Int(match.4),
        let endColumn = Int(match.5)
      else { return nil }
      return JsonnetPlace(
        file: String(match.1), start: (line, column), end: (endLine, endColumn))
    }
    guard let match = text.wholeMatch(of: /(.+):(\d+):(\d+)(?:-(\d+))?/),
      let line = Int(match.2), let column = Int(match.3)
    else { return nil }
    let end = match.4.flatMap { Int($0) } ?? column + 1
    return JsonnetPlace(file: String(match.1), start: (line, column), end: (line, end))
  }
}
