import Testing

@testable import GRPCServer

struct GRPCMessageTests {
  @Test func messagesAreCutWhereverTheDataBreaks() throws {
    let messages: [[UInt8]] = [[], [1], Array(repeating: 7, count: 300), [2, 3]]
    let bytes = messages.flatMap(GRPCMessageReader.frame)
    for step in [1, 2, 5, 64, bytes.count] {
      var reader = GRPCMessageReader()
      var taken: [[UInt8]] = []
      for start in stride(from: 0, to: bytes.count, by: step) {
        Array(bytes[start..<min(start + step, bytes.count)]).withUnsafeBufferPointer {
          reader.append($0)
        }
        while let (message, _) = try reader.take(limit: 1000) { taken.append(message) }
      }
      #expect(taken == messages)
      #expect(reader.isEmpty)
    }
  }

  @Test func aMessageTooLargeIsKnownByItsLength() {
    var reader = GRPCMessageReader()
    [0, 0, 0, 4, 0].withUnsafeBufferPointer { reader.append($0) }
    #expect(
      throws: GRPCStatus(
        .resourceExhausted, "grpc: received message larger than max (1024 vs. 1000)")
    ) { try reader.take(limit: 1000) }
  }

  @Test func timeoutsHaveTheirUnits() {
    #expect(parseTimeout("5S") == .seconds(5))
    #expect(parseTimeout("500m") == .milliseconds(500))
    #expect(parseTimeout("2H") == .seconds(7200))
    for bad in ["", "S", "5", "-1S", "5x", "123456789S"] { #expect(parseTimeout(bad) == nil) }
  }

  @Test func statusMessagesArePercentEncoded() {
    #expect(GRPCStatus(.unknown, "a%b\ncé").encodedMessage == "a%25b%0Ac%C3%A9")
  }

  @Test func unknownMethodsAreNamedAsGoNamesThem() {
    var services = GRPCServices()
    services.add("/etcdserverpb.KV/Range", .unary { _, _ in .success([]) })
    func status(_ path: String) -> GRPCStatus? {
      if case .failure(let status) = services.method(at: path) { status } else { nil }
    }
    #expect(status("/etcdserverpb.KV/Range") == nil)
    #expect(
      status("/etcdserverpb.KV/Nope")?.message == "unknown method Nope for service etcdserverpb.KV")
    #expect(status("/nope.Nope/X")?.message == "unknown service nope.Nope")
  }
}
