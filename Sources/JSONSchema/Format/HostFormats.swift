/// Names of hosts: RFC 1123 §2.1, and IDNA 2008 (RFC 5890–5893) for international ones.
enum HostFormats {
  private static let nameBytes = 253
  private static let labelBytes = 63

  static func isHostname(_ text: String, _ repertoire: Format.Repertoire) -> Bool {
    let scalars = Array(text.unicodeScalars)
    // The other dots of IDNA (RFC 3490 §3.1) are those of international names alone.
    let labels = scalars.split(omittingEmptySubsequences: false) { scalar in
      scalar == "."
        || (repertoire == .international && ["\u{3002}", "\u{ff0e}", "\u{ff61}"].contains(scalar))
    }
    var length = labels.count - 1
    var decoded: [[Unicode.Scalar]] = []
    for label in labels {
      guard let (bytes, unicode) = read(Array(label), repertoire),
        (1...labelBytes).contains(bytes)
      else { return false }
      length += bytes
      decoded.append(unicode)
    }
    return length <= nameBytes && LabelDirection.isClear(decoded)
  }

  /// How long the label is as the network sees it, and what it says; nil if it's none.
  private static func read(
    _ label: [Unicode.Scalar], _ repertoire: Format.Repertoire
  ) -> (bytes: Int, unicode: [Unicode.Scalar])? {
    guard let first = label.first, first != "-", label.last != "-" else { return nil }
    if label.allSatisfy(\.isASCII) {
      let bytes = label.map { UInt8(ascii: $0) }
      guard
        bytes.allSatisfy({ $0.isASCIILetter || $0.isASCIIDigit || $0 == UInt8(ascii: "-") })
      else { return nil }
      guard bytes.count >= 4, bytes[2] == UInt8(ascii: "-"), bytes[3] == UInt8(ascii: "-") else {
        return (bytes.count, label)
      }
      return unicode(of: bytes).map { (bytes.count, $0) }
    }
    guard repertoire == .international, InternationalLabel.isValid(label) else { return nil }
    return Punycode.encode(label).map { ($0.count + 4, label) }
  }

  /// RFC 5890 §2.3.2.1: what `xn--` and an encoding stand for; nil if no label is encoded so.
  private static func unicode(of bytes: [UInt8]) -> [Unicode.Scalar]? {
    let text = String(decoding: bytes, as: UTF8.self).lowercased()
    let encoded = Array(text.utf8.dropFirst(4))
    guard text.hasPrefix("xn--"), let label = Punycode.decode(encoded[...]),
      !label.allSatisfy(\.isASCII), InternationalLabel.isValid(label),
      Punycode.encode(label) == encoded
    else { return nil }
    return label
  }
}

/// RFC 3492.
enum Punycode {
  private static let (base, least, most, skew, damp) = (36, 1, 26, 38, 700)

  private static func adapt(_ delta: Int, _ count: Int, isFirst: Bool) -> Int {
    var delta = isFirst ? delta / damp : delta / 2
    delta += delta / count
    var bias = 0
    while delta > (base - least) * most / 2 {
      delta /= base - least
      bias += base
    }
    return bias + (base - least + 1) * delta / (delta + skew)
  }

  static func decode(_ bytes: ArraySlice<UInt8>) -> [Unicode.Scalar]? {
    var output: [Unicode.Scalar] = []
    var rest = bytes
    if let dash = bytes.lastIndex(of: UInt8(ascii: "-")) {
      output = bytes[..<dash].map { Unicode.Scalar($0) }
      rest = bytes[(dash + 1)...]
    }
    guard !rest.isEmpty else { return nil }
    var (code, index, bias) = (128, 0, 72)
    while !rest.isEmpty {
      let old = index
      var (weight, k) = (1, base)
      while true {
        guard let byte = rest.popFirst(), let digit = digit(byte) else { return nil }
        index += digit * weight
        guard index < 1 << 31 else { return nil }
        let threshold = k <= bias ? least : k >= bias + most ? most : k - bias
        if digit < threshold { break }
        weight *= base - threshold
        guard weight < 1 << 31 else { return nil }
        k += base
      }
      let count = output.count + 1
      bias = adapt(index - old, count, isFirst: old == 0)
      code += index / count
      index %= count
      guard code <= 0x10ffff, let scalar = Unicode.Scalar(UInt32(code)) else { return nil }
      output.insert(scalar, at: index)
      index += 1
    }
    return output
  }

  private static func digit(_ byte: UInt8) -> Int? {
    if byte.isASCIILetter { return Int(byte | 0x20) - 0x61 }
    return byte.isASCIIDigit ? Int(byte) - 0x30 + 26 : nil
  }

  /// In lower case; nil if the label is longer than any may be.
  static func encode(_ label: [Unicode.Scalar]) -> [UInt8]? {
    guard label.count <= 63 else { return nil }
    var (code, delta, bias) = (128, 0, 72)
    var output = label.filter(\.isASCII).map { UInt8(ascii: $0) }
    let basic = output.count
    var handled = basic
    if basic > 0 { output.append(UInt8(ascii: "-")) }
    while handled < label.count {
      guard let next = label.map({ Int($0.value) }).filter({ $0 >= code }).min() else { return nil }
      delta += (next - code) * (handled + 1)
      code = next
      for scalar in label {
        let value = Int(scalar.value)
        if value < code { delta += 1 }
        guard value == code else { continue }
        appendNumber(delta, bias, to: &output)
        bias = adapt(delta, handled + 1, isFirst: handled == basic)
        delta = 0
        handled += 1
      }
      delta += 1
      code += 1
    }
    return output
  }

  /// A number of digits of varying weight (§3.3).
  private static func appendNumber(_ number: Int, _ bias: Int, to output: inout [UInt8]) {
    var (rest, k) = (number, base)
    while true {
      let threshold = k <= bias ? least : k >= bias + most ? most : k - bias
      if rest < threshold { break }
      output.append(letter(threshold + (rest - threshold) % (base - threshold)))
      rest = (rest - threshold) / (base - threshold)
      k += base
    }
    output.append(letter(rest))
  }

  private static func letter(_ digit: Int) -> UInt8 {
    digit < 26 ? UInt8(digit) + UInt8(ascii: "a") : UInt8(digit - 26) + UInt8(ascii: "0")
  }
}
