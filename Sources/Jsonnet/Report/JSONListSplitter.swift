/// Cuts a list that libjsonnet has written into its items.
enum JSONListSplitter {
  /// - Parameter json: a list as JSON.
  /// - Returns: the JSON of each item; nil if it is no list.
  /// - Complexity: O(*n*).
  static func split(_ json: [UInt8]) -> [[UInt8]]? {
    var items: [[UInt8]] = []
    var depth = 0
    var isText = false
    var start = 0
    var place = 0
    while place < json.count {
      let byte = json[place]
      if isText {
        if byte == UInt8(ascii: "\\") {
          place += 1
        } else if byte == UInt8(ascii: "\"") {
          isText = false
        }
      } else {
        switch byte {
        case UInt8(ascii: "\""): isText = true
        case UInt8(ascii: "["), UInt8(ascii: "{"):
          depth += 1
          if depth == 1 { start = place + 1 }
        case UInt8(ascii: "]"), UInt8(ascii: "}"):
          depth -= 1
          if depth == 0 { append(json[start..<place], to: &items) }
        case UInt8(ascii: ",") where depth == 1:
          append(json[start..<place], to: &items)
          start = place + 1
        default: break
        }
      }
      place += 1
    }
    return json.first == UInt8(ascii: "[") && depth == 0 && !isText ? items : nil
  }

  private static func append(_ bytes: ArraySlice<UInt8>, to items: inout [[UInt8]]) {
    let text = bytes.drop { $0 <= 0x20 }
    if !text.isEmpty { items.append(Array(text)) }
  }
}
