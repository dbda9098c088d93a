import ConfigModel

/// Reads what an evaluation gave.
enum JsonnetOutput {
  /// The value; every place in it is the file, since Jsonnet does not tell where a value comes from.
  static func read(_ json: [UInt8], file: String) -> JsonnetValue {
    let place = SourceSpan(file: file)
    // As std.char(55296) gives it.
    guard String(validating: json, as: UTF8.self) != nil else {
      let finding = Diagnostic(
        .textSurrogate, at: place, "it gives half of a surrogate pair, which is no character")
      return JsonnetValue(diagnostics: [finding])
    }
    var diagnostics: [Diagnostic] = []
    let value = JSONParser.parse(SourceText(file: file, bytes: json), &diagnostics)
    return JsonnetValue(
      value: value.map { placed($0, at: place) },
      diagnostics: diagnostics.map { finding in
        var finding = finding
        finding.span = place
        finding.related = []
        return finding
      })
  }

  private static func placed(_ value: ConfigValue, at place: SourceSpan) -> ConfigValue {
    switch value.content {
    case .number(let text): return ConfigValue(.number(number(text)), at: place)
    case .sequence(let items):
      return ConfigValue(.sequence(items.map { placed($0, at: place) }), at: place)
    case .map(let members):
      return ConfigValue(
        .map(
          members.map { member in
            .init(key: member.key, keySpan: place, value: placed(member.value, at: place))
          }), at: place)
    case .null, .boolean, .string: return ConfigValue(value.content, at: place)
    }
  }

  /// The shortest digits that read back to the same double; plain up to 21 digits, as in ECMA-262 §6.1.6.1.20.
  static func number(_ text: String) -> String {
    guard let double = Double(text), double.isFinite else { return text }
    if double == 0 { return "0" }
    // "-1.5e-07", "10.0": digits, and where the point belongs.
    let description = "\(double.magnitude)"
    let parts = description.split(separator: "e")
    let mantissa = parts[0].split(separator: ".", omittingEmptySubsequences: false)
    var point = mantissa[0].count + (parts.count > 1 ? Int(parts[1]) ?? 0 : 0)
    var digits = mantissa.joined()[...]
    while digits.first == "0" {
      digits = digits.dropFirst()
      point -= 1
    }
    while digits.last == "0" { digits = digits.dropLast() }
    return (double < 0 ? "-" : "") + written(String(digits), point)
  }

  private static func written(_ digits: String, _ point: Int) -> String {
    let zeros: (Int) -> String = { String(repeating: "0", count: $0) }
    if digits.count <= point, point <= 21 { return digits + zeros(point - digits.count) }
    if 0 < point, point <= 21 {
      return digits.prefix(point) + "." + digits.dropFirst(point)
    }
    if -6 < point, point <= 0 { return "0." + zeros(-point) + digits }
    let fraction = digits.count > 1 ? "." + digits.dropFirst() : ""
    return digits.prefix(1) + fraction + "e\(point - 1)"
  }
}
