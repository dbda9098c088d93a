/// Addresses of the Internet Protocol.
enum AddressFormats {
  /// RFC 2673 §3.2: four decimal numbers, without leading zeros.
  static func isIPv4(_ text: String) -> Bool { isIPv4(Array(text.utf8)[...]) }

  /// RFC 4291 §2.2, without a zone.
  static func isIPv6(_ text: String) -> Bool { isIPv6(Array(text.utf8)[...]) }

  static func isIPv4(_ bytes: ArraySlice<UInt8>) -> Bool {
    let parts = bytes.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
    return parts.count == 4
      && parts.allSatisfy { part in
        guard (1...3).contains(part.count), part.allSatisfy(\.isASCIIDigit),
          part.count == 1 || part.first != UInt8(ascii: "0")
        else { return false }
        return part.reduce(0) { $0 * 10 + Int($1 - UInt8(ascii: "0")) } < 256
      }
  }

  static func isIPv6(_ bytes: ArraySlice<UInt8>) -> Bool {
    let colon = UInt8(ascii: ":")
    guard let gap = bytes.firstRange(of: [colon, colon]) else { return groups(bytes) == 8 }
    let (before, after) = (bytes[..<gap.lowerBound], bytes[gap.upperBound...])
    // The last group of the part before a gap can't be an IPv4 address.
    guard !before.contains(UInt8(ascii: ".")),
      let left = before.isEmpty ? 0 : groups(before), let right = after.isEmpty ? 0 : groups(after)
    else { return false }
    return left + right < 8
  }

  /// How many groups of 16 bits these are; nil if they are malformed.
  private static func groups(_ bytes: ArraySlice<UInt8>) -> Int? {
    let parts = bytes.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
    var count = 0
    for (index, part) in parts.enumerated() {
      if index == parts.count - 1, part.contains(UInt8(ascii: ".")) {
        guard isIPv4(part) else { return nil }
        count += 2
      } else {
        guard (1...4).contains(part.count), part.allSatisfy(\.isASCIIHexDigit) else { return nil }
        count += 1
      }
    }
    return count
  }
}

/// Addresses of mail: RFC 5321 §4.1.2, and RFC 6531 for international ones.
enum MailFormats {
  static func isAddress(_ text: String, _ repertoire: Format.Repertoire) -> Bool {
    let scalars = Array(text.unicodeScalars)
    guard let at = scalars.lastIndex(of: "@"), at > 0 else { return false }
    return isLocalPart(scalars[..<at], repertoire) && isDomain(scalars[(at + 1)...], repertoire)
  }

  private static func isLocalPart(
    _ scalars: ArraySlice<Unicode.Scalar>, _ repertoire: Format.Repertoire
  ) -> Bool {
    func isAllowed(_ scalar: Unicode.Scalar) -> Bool {
      repertoire == .international && !scalar.isASCII
    }
    if scalars.first == "\"" {
      guard scalars.count >= 2, scalars.last == "\"" else { return false }
      var rest = scalars.dropFirst().dropLast()
      while let scalar = rest.popFirst() {
        switch scalar {
        case "\\":
          guard let next = rest.popFirst(), (" "..."~").contains(next) else { return false }
        case "\"": return false
        default: guard (" "..."~").contains(scalar) || isAllowed(scalar) else { return false }
        }
      }
      return true
    }
    let atoms = scalars.split(separator: ".", omittingEmptySubsequences: false)
    return atoms.allSatisfy { atom in
      !atom.isEmpty
        && atom.allSatisfy { scalar in
          if scalar.isASCII {
            let byte = UInt8(ascii: scalar)
            return byte.isASCIILetter || byte.isASCIIDigit
              || "!#$%&'*+-/=?^_`{|}~".unicodeScalars.contains(scalar)
          }
          return isAllowed(scalar)
        }
    }
  }

  private static func isDomain(
    _ scalars: ArraySlice<Unicode.Scalar>, _ repertoire: Format.Repertoire
  ) -> Bool {
    var text = String.UnicodeScalarView()
    text.append(contentsOf: scalars)
    guard scalars.first == "[", scalars.last == "]" else {
      return HostFormats.isHostname(String(text), repertoire)
    }
    let inner = Array(String(text).utf8.dropFirst().dropLast())
    let mark = "IPv6:"
    return inner.starts(with: mark.utf8)
      ? AddressFormats.isIPv6(inner.dropFirst(mark.utf8.count)) : AddressFormats.isIPv4(inner[...])
  }
}
