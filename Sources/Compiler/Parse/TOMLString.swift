/// Where a string of TOML ends: for those who look for what is not in strings.
struct TOMLString {
  /// Without its quotes; escapes are left as they are.
  let content: Range<Int>
  /// The place after it; the end of its line, or of the file, where nothing ends it.
  let end: Int
  let isClosed: Bool

  /// - Parameter start: where its first quote is.
  init(at start: Int, in bytes: [UInt8]) {
    let quote = bytes[start]
    let mark = [quote, quote, quote]
    let isLong = bytes[start...].starts(with: mark)
    let first = start + (isLong ? 3 : 1)
    var offset = first
    while offset < bytes.count {
      let byte = bytes[offset]
      if byte == quote, !isLong || bytes[offset...].starts(with: mark) {
        // Up to two more quotes before the three that end a long string are its own.
        let own = isLong ? bytes[(offset + 3)...].prefix(2).prefix { $0 == quote }.count : 0
        content = first..<offset + own
        end = offset + own + (isLong ? 3 : 1)
        isClosed = true
        return
      }
      if byte == UInt8(ascii: "\n"), !isLong { break }
      offset += byte == UInt8(ascii: "\\") && quote == UInt8(ascii: "\"") ? 2 : 1
    }
    end = min(offset, bytes.count)
    content = min(first, end)..<end
    isClosed = false
  }
}
