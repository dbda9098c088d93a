/// Appends little-endian integers and length-prefixed bytes to a buffer.
///
/// The formats that use it (log records, commands, peer frames) state their fields in order; what
/// `ByteReader` reads back in the same order is equal.
public struct ByteWriter: Sendable {
  public internal(set) var bytes: [UInt8]

  public init(reservingCapacity capacity: Int = 64) {
    bytes = []
    bytes.reserveCapacity(capacity)
  }

  public var count: Int { bytes.count }

  public mutating func write(_ value: UInt8) { bytes.append(value) }

  @inlinable
  public mutating func write(_ value: some FixedWidthInteger) {
    withUnsafeBytes(of: value.littleEndian) { append($0) }
  }

  @usableFromInline
  mutating func append(_ raw: UnsafeRawBufferPointer) { bytes.append(contentsOf: raw) }

  public mutating func write(_ value: Bool) { bytes.append(value ? 1 : 0) }

  /// Bytes without a length.
  public mutating func write(raw: some Sequence<UInt8>) { bytes.append(contentsOf: raw) }
  public mutating func write(raw: [UInt8]) { bytes.append(contentsOf: raw) }

  /// A 32-bit count, then the bytes.
  public mutating func write(_ value: [UInt8]) {
    write(UInt32(value.count))
    bytes.append(contentsOf: value)
  }

  public mutating func write(_ value: String) { write(Array(value.utf8)) }

  public mutating func pad(to alignment: Int) {
    while bytes.count % alignment != 0 { bytes.append(0) }
  }

  /// Overwrites four bytes written before: for a checksum or a length known only later.
  public mutating func patch(_ value: UInt32, at offset: Int) {
    for byte in 0..<4 { bytes[offset + byte] = UInt8(truncatingIfNeeded: value >> (8 * byte)) }
  }
}
