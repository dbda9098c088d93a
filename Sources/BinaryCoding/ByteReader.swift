/// The bytes end before the value does, or hold something that no writer makes.
public struct DecodingFailure: Error, Hashable, Sendable, CustomStringConvertible {
  public var reason: String
  public init(_ reason: String) { self.reason = reason }
  public var description: String { reason }
}

/// Reads what `ByteWriter` wrote, from bytes that nobody has checked yet.
///
/// A length in the bytes is compared with what is left before anything is allocated.
public struct ByteReader: Sendable {
  @usableFromInline let bytes: ArraySlice<UInt8>
  @usableFromInline var position: Int

  public init(_ bytes: [UInt8]) { self.init(bytes[...]) }

  public init(_ bytes: ArraySlice<UInt8>) {
    self.bytes = bytes
    self.position = bytes.startIndex
  }

  @inlinable public var remaining: Int { bytes.endIndex - position }

  @inlinable public mutating func read<Value: FixedWidthInteger>(
    _ type: Value.Type = Value.self
  ) throws(DecodingFailure) -> Value {
    let size = MemoryLayout<Value>.size
    guard remaining >= size else { throw DecodingFailure("the bytes end inside an integer") }
    var value: Value = 0
    for offset in (0..<size).reversed() {
      value = value << 8 | Value(truncatingIfNeeded: bytes[position + offset])
    }
    position += size
    return value
  }

  public mutating func readByte() throws(DecodingFailure) -> UInt8 {
    guard position < bytes.endIndex else { throw DecodingFailure("the bytes end too early") }
    defer { position += 1 }
    return bytes[position]
  }

  public mutating func readBool() throws(DecodingFailure) -> Bool {
    switch try readByte() {
    case 0: return false
    case 1: return true
    default: throw DecodingFailure("a truth value is neither 0 nor 1")
    }
  }

  public mutating func readRaw(_ count: Int) throws(DecodingFailure) -> [UInt8] {
    guard count >= 0, count <= remaining else {
      throw DecodingFailure("\(count) bytes are announced, \(remaining) are left")
    }
    defer { position += count }
    return Array(bytes[position..<position + count])
  }

  public mutating func readBytes() throws(DecodingFailure) -> [UInt8] {
    try readRaw(Int(read(UInt32.self)))
  }

  public mutating func readString() throws(DecodingFailure) -> String {
    guard let text = String(validating: try readBytes(), as: UTF8.self) else {
      throw DecodingFailure("a text is not UTF-8")
    }
    return text
  }

  /// A 32-bit count of things that take `minimumSize` bytes each at least.
  public mutating func readCount(minimumSize: Int) throws(DecodingFailure) -> Int {
    let count = Int(try read(UInt32.self))
    guard count <= remaining / max(1, minimumSize) else {
      throw DecodingFailure("\(count) items are announced, \(remaining) bytes are left")
    }
    return count
  }

  public func expectEnd() throws(DecodingFailure) {
    guard remaining == 0 else { throw DecodingFailure("\(remaining) bytes too many") }
  }
}
