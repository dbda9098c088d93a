import ConfigModel

/// JSON of this program's own, without places.
struct JSONLiteral: Decodable {
  var value: ConfigValue

  private struct Key: CodingKey {
    var stringValue: String
    var intValue: Int? { nil }
    init(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
  }

  init(from decoder: any Decoder) throws {
    let place = SourceSpan(file: "json-schema.org")
    if let map = try? decoder.container(keyedBy: Key.self) {
      // In an order of its own: the decoder has none.
      let members = try map.allKeys.sorted { $0.stringValue < $1.stringValue }.map { key in
        ConfigValue.Member(
          key: key.stringValue, keySpan: place,
          value: try map.decode(JSONLiteral.self, forKey: key).value)
      }
      value = ConfigValue(.map(members), at: place)
    } else if let items = try? [JSONLiteral](from: decoder) {
      value = ConfigValue(.sequence(items.map(\.value)), at: place)
    } else {
      value = ConfigValue(try JSONLiteral.scalar(decoder), at: place)
    }
  }

  private static func scalar(_ decoder: any Decoder) throws -> ConfigValue.Content {
    let single = try decoder.singleValueContainer()
    if single.decodeNil() { return .null }
    if let flag = try? single.decode(Bool.self) { return .boolean(flag) }
    if let number = try? single.decode(Int.self) { return .number(String(number)) }
    return .string(try single.decode(String.self))
  }
}
