import ConfigModel

extension ConfigValue {
  /// Bytes that equal values share, and no others (2020-12 core §4.2.2): numbers by their value, maps
  /// without an order.
  var canonicalBytes: [UInt8] {
    var bytes: [UInt8] = []
    appendCanonical(to: &bytes)
    return bytes
  }

  private func appendCanonical(to bytes: inout [UInt8]) {
    func append(_ text: String, as kind: Unicode.Scalar) {
      bytes.append(UInt8(ascii: kind))
      bytes += "\(text.utf8.count):".utf8
      bytes += text.utf8
    }
    switch content {
    case .null: bytes += "z".utf8
    case .boolean(let flag): bytes += (flag ? "t" : "f").utf8
    case .number(let text): append(ExactNumber(json: text)?.canonical ?? text, as: "n")
    case .string(let text): append(text, as: "s")
    case .sequence(let items):
      bytes += "[".utf8
      for item in items { item.appendCanonical(to: &bytes) }
      bytes += "]".utf8
    case .map(let members):
      bytes += "{".utf8
      for member in members.sorted(by: { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }) {
        append(member.key, as: "k")
        member.value.appendCanonical(to: &bytes)
      }
      bytes += "}".utf8
    }
  }

  /// How much there is in it: a byte, or a value.
  var weight: Int {
    switch content {
    case .null, .boolean: 1
    case .number(let text), .string(let text): 1 + text.utf8.count
    case .sequence(let items): items.reduce(1) { $0 + $1.weight }
    case .map(let members): members.reduce(1) { $0 + $1.key.utf8.count + $1.value.weight }
    }
  }

  var types: TypeSet {
    switch content {
    case .null: .null
    case .boolean: .boolean
    case .number(let text):
      ExactNumber(json: text)?.isInteger == true ? [.number, .integer] : .number
    case .string: .string
    case .sequence: .array
    case .map: .object
    }
  }

  /// What it is, for a message.
  var kindName: String {
    switch content {
    case .null: "null"
    case .boolean: "a boolean"
    case .number: types.contains(.integer) ? "an integer" : "a number"
    case .string: "a string"
    case .sequence: "an array"
    case .map: "an object"
    }
  }

  /// The value for a message: what is long is cut.
  func shown(longest: Int = 60) -> String {
    let text: String
    switch content {
    case .string(let string):
      // Cut by bytes before anything is counted.
      let start = String(decoding: string.utf8.prefix(4 * longest), as: UTF8.self)
      text = string.utf8.count > start.utf8.count ? "'\(start)…" : "'\(string)'"
    case .map(let members) where members.count > 3: return "an object of \(members.count) keys"
    case .sequence(let items) where items.count > 10: return "an array of \(items.count) items"
    case .map, .sequence, .null, .boolean, .number:
      text = String(decoding: canonicalJSON(nulls: .kept).prefix(4 * longest), as: UTF8.self)
    }
    return text.count <= longest ? text : text.prefix(longest - 1) + "…"
  }
}
