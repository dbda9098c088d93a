import BinaryCoding
import Testing

struct ByteReaderTests {
  @Test func readsBackWhatWasWritten() throws {
    var writer = ByteWriter()
    writer.write(UInt8(7))
    writer.write(UInt64.max - 1)
    writer.write(Int64(-5))
    writer.write(true)
    writer.write([1, 2, 3])
    writer.write("käse")
    var reader = ByteReader(writer.bytes)
    #expect(try reader.readByte() == 7)
    #expect(try reader.read(UInt64.self) == .max - 1)
    #expect(try reader.read(Int64.self) == -5)
    #expect(try reader.readBool())
    #expect(try reader.readBytes() == [1, 2, 3])
    #expect(try reader.readString() == "käse")
    try reader.expectEnd()
  }

  @Test func everyPrefixIsRefused() throws {
    var writer = ByteWriter()
    writer.write(UInt32(9))
    writer.write([UInt8](repeating: 1, count: 20))
    for length in 0..<writer.count {
      var reader = ByteReader(writer.bytes[..<length])
      #expect(throws: DecodingFailure.self) {
        _ = try reader.read(UInt32.self)
        _ = try reader.readBytes()
      }
    }
  }

  @Test func anAnnouncedLengthAllocatesNothing() {
    var reader = ByteReader([0xff, 0xff, 0xff, 0xff])
    #expect(throws: DecodingFailure.self) { try reader.readBytes() }
    var counted = ByteReader([0xff, 0xff, 0xff, 0xff, 1, 2])
    #expect(throws: DecodingFailure.self) { try counted.readCount(minimumSize: 1) }
  }

  @Test func crcMatchesThePublishedVector() {
    // RFC 3720 B.4: 32 bytes of zeros, and the ascending bytes 0 to 31.
    #expect(crc32c([UInt8](repeating: 0, count: 32)[...]) == 0x8a91_36aa)
    #expect(crc32c(Array(0..<32)[...]) == 0x46dd_794e)
    let halves = crc32c(Array(16..<32)[...], continuing: crc32c(Array(0..<16)[...]))
    #expect(halves == 0x46dd_794e)
  }

  @Test func theChainTellsOrderAndLengthApart() {
    let first = chainHash([1, 2, 3], after: 0)
    #expect(chainHash([4], after: first) != chainHash([3], after: chainHash([1, 2, 4], after: 0)))
    #expect(chainHash([0], after: 0) != chainHash([0, 0], after: 0))
    #expect(chainHash([], after: 0) != 0)
  }
}
