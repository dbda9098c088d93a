import Foundation
import NIOCore
import NIOEmbedded
import NIOHTTP1
import Synchronization
import Testing

@testable import GRPCServer

/// A listener as a client meets it, frame by frame.
@Suite(.serialized)
struct GRPCListenerTests {
  /// `/s/Echo` answers what it was sent, `/s/Slow` once `gate` is open, `/s/Endless` never ends.
  private static func services(gate: AsyncStream<Void>) -> GRPCServices {
    var services = GRPCServices()
    services.add("/s/Echo", .unary { _, request in .success(request) })
    services.add(
      "/s/Slow",
      .unary { _, request in
        for await _ in gate {}
        return .success(request)
      })
    services.add(
      "/s/Endless",
      .streaming { _, requests, _ in
        for await _ in requests {}
        try? await Task.sleep(for: .seconds(3600))
        return .ok
      })
    return services
  }

  private static func listener(
    limits: GRPCLimits = GRPCLimits(), gate: AsyncStream<Void> = AsyncStream { $0.finish() }
  ) async throws -> GRPCListener {
    try await GRPCListener(
      services: services(gate: gate), addresses: [("127.0.0.1", 0)], threads: 1, limits: limits)
  }

  /// The message that a unary call was answered with.
  private static func answer(_ frames: [RawHTTP2.Frame], stream: UInt32) -> [UInt8] {
    frames.filter { $0.type == RawHTTP2.Kind.data && $0.stream == stream }
      .flatMap(\.payload).dropFirst(5).map { $0 }
  }

  @Test func callsUnderWayAreAnsweredBeforeTheServerStops() async throws {
    let (gate, open) = AsyncStream.makeStream(of: Void.self)
    let listener = try await GRPCListenerTests.listener(gate: gate)
    let client = try RawHTTP2(port: listener.ports[0])
    client.call("/s/Endless", stream: 1)
    client.call("/s/Slow", stream: 3)
    client.message([7, 7], stream: 3)
    client.send(RawHTTP2.Kind.ping, Array(repeating: 0, count: 8))
    _ = await client.frames { $0.type == RawHTTP2.Kind.ping }
    async let end: Void = listener.shutDown()
    let untilGoingAway = await client.frames { $0.type == RawHTTP2.Kind.goAway }
    #expect(untilGoingAway.last?.type == RawHTTP2.Kind.goAway)
    // A call that comes now is not begun: the client repeats it elsewhere.
    client.call("/s/Echo", stream: 5)
    client.message([1], stream: 5)
    open.finish()
    let rest = await client.frames { _ in false }
    try await end
    #expect(GRPCListenerTests.answer(rest, stream: 3) == [7, 7])
    #expect(rest.contains { $0.stream == 1 && $0.endsStream }, "what would never end is ended")
    #expect(!rest.contains { $0.stream == 5 })
  }

  /// Whether a call with so many bytes is answered; nil while it is under way.
  private static func call(
    _ method: String, bytes: Int, on client: RawHTTP2, stream: UInt32
  ) async -> Bool? {
    client.call("/s/" + method, stream: stream)
    client.message([UInt8](repeating: 1, count: bytes), stream: stream)
    client.send(RawHTTP2.Kind.ping, Array(repeating: 0, count: 8))
    // What is refused at once is so before the ping that came behind it is answered.
    let isSlow = method == "Slow"
    let frames = await client.frames {
      $0.stream == stream && $0.endsStream || isSlow && $0.type == RawHTTP2.Kind.ping
    }
    if frames.last?.type == RawHTTP2.Kind.ping { return nil }
    return answer(frames, stream: stream).count == bytes
  }

  @Test(.timeLimit(.minutes(5))) func requestsThatWaitAreBoundedByTheirBytes() async throws {
    let (gate, open) = AsyncStream.makeStream(of: Void.self)
    var limits = GRPCLimits()
    (limits.connectionRequestBytes, limits.requestBytes) = (1_000, 1_500)
    limits.lightRequestBytes = 250
    let listener = try await GRPCListenerTests.listener(limits: limits, gate: gate)
    var clients = try (0..<3).map { _ in try RawHTTP2(port: listener.ports[0]) }
    func call(_ method: String, _ bytes: Int, on client: Int, stream: UInt32) async -> Bool? {
      await GRPCListenerTests.call(method, bytes: bytes, on: clients[client], stream: stream)
    }
    #expect(await call("Slow", 600, on: 0, stream: 1) == nil)
    #expect(await call("Echo", 600, on: 0, stream: 3) == false, "too many on the connection")
    #expect(await call("Echo", 300, on: 0, stream: 5) == true)
    #expect(await call("Slow", 600, on: 1, stream: 1) == nil)
    #expect(await call("Echo", 600, on: 2, stream: 1) == false, "too many on all")
    #expect(await call("Echo", 200, on: 2, stream: 3) == true)
    // Who goes leaves room.
    clients[1] = clients[2]
    var stream: UInt32 = 5
    while await call("Echo", 600, on: 2, stream: stream) != true { stream += 2 }
    open.finish()
    _ = await clients[0].frames { $0.stream == 1 && $0.endsStream }
    #expect(await call("Echo", 1_000, on: 2, stream: stream + 2) == false, "with its prefix")
    #expect(await call("Echo", 995, on: 2, stream: stream + 4) == true)
    try await listener.shutDown()
  }

  /// What is never whole is not held for ever.
  @Test(.timeLimit(.minutes(5))) func aMessageThatHasBegunMustBecomeWhole() async throws {
    var limits = GRPCLimits()
    limits.unaryRequestSeconds = 0
    let listener = try await GRPCListenerTests.listener(limits: limits)
    let client = try RawHTTP2(port: listener.ports[0])
    client.call("/s/Endless", stream: 1)
    client.send(RawHTTP2.Kind.data, stream: 1, [0, 0, 0, 0, 9, 1])
    let frames = await client.frames { $0.stream == 1 && $0.endsStream }
    #expect(frames.last?.stream == 1)
    // Nor is it waited for when no more will come.
    client.call("/s/Endless", stream: 3)
    client.send(RawHTTP2.Kind.data, flags: 1, stream: 3, [0, 0, 0, 0, 9, 1])
    let more = await client.frames { $0.stream == 3 && $0.endsStream }
    #expect(more.last?.stream == 3)
    try await listener.shutDown()
  }

  /// A few large requests that are not whole keep small ones out no sooner than twice as many would.
  @Test func smallRequestsHaveRoomOfTheirOwn() {
    var limits = GRPCLimits()
    (limits.requestBytes, limits.lightRequestBytes) = (1_000, 10)
    let budget = RequestBudget(limit: limits.requestBytes)
    var share = RequestShare(of: budget, limits: limits)
    share.add(1_001)
    #expect(share.refusal(ofBytes: 11) != nil && share.refusal(ofBytes: 10) == nil)
    share.add(1_000)
    #expect(share.refusal(ofBytes: 10) != nil)
    share.giveBack()
    #expect(share.refusal(ofBytes: 11) == nil && budget.usedBytes == 0)
  }

  @Test func bodiesOverHTTP1CountToo() throws {
    let budget = RequestBudget(limit: 1_500)
    var limits = GRPCLimits()
    limits.lightRequestBytes = 100
    let chosen = limits
    func connection() throws -> EmbeddedChannel {
      let channel = EmbeddedChannel()
      try channel.pipeline.syncOperations.addHandler(
        HTTP1Connection(handler: { _, _ in }, limits: chosen, budget: budget))
      return channel
    }
    func send(_ bytes: Int, to channel: EmbeddedChannel) throws {
      let head = HTTPRequestHead(version: .http1_1, method: .POST, uri: "/")
      try channel.writeInbound(HTTPServerRequestPart.head(head))
      try channel.writeInbound(
        HTTPServerRequestPart.body(ByteBuffer(repeating: 1, count: bytes)))
    }
    let channels = try (0..<2).map { _ in try connection() }
    try send(1_000, to: channels[0])
    #expect(budget.usedBytes == 1_000)
    try send(1_000, to: channels[1])
    let refusal = try channels[1].readOutbound(as: HTTPServerResponsePart.self)
    guard case .head(let head) = refusal else { throw GRPCStatus(.unknown, "no answer") }
    #expect(head.status == .tooManyRequests && budget.usedBytes == 1_000)
    _ = try channels[0].finish()
    #expect(budget.usedBytes == 0)
  }

  @Test func aClientThatPingsTooOftenIsSentAway() async throws {
    let listener = try await GRPCListenerTests.listener()
    let client = try RawHTTP2(port: listener.ports[0])
    for _ in 0..<4 { client.send(RawHTTP2.Kind.ping, Array(repeating: 0, count: 8)) }
    let frames = await client.frames { _ in false }
    let last = try #require(frames.last { $0.type == RawHTTP2.Kind.goAway })
    #expect(String(decoding: last.payload.dropFirst(8), as: UTF8.self) == "too_many_pings")
    #expect(last.payload[4..<8] == [0, 0, 0, 11], "ENHANCE_YOUR_CALM")
    try await listener.shutDown()
  }

  @Test func pingsAreForgivenWhileAnswersFlow() {
    var limits = GRPCLimits()
    limits.pingSeconds = 5
    var policy = PingPolicy(limits: limits)
    let start = NIODeadline.now()
    for second in 0..<20 {
      policy.answered()
      let isTooMany = policy.isTooMany(at: start + .seconds(Int64(second)), hasCalls: true)
      #expect(!isTooMany)
    }
    var patient = PingPolicy(limits: limits)
    for second in 0..<20 {
      let isTooMany = patient.isTooMany(at: start + .seconds(Int64(second) * 6), hasCalls: true)
      #expect(!isTooMany)
    }
    let idle = (0..<4).map { second in
      patient.isTooMany(at: start + .seconds(200 + Int64(second) * 6), hasCalls: false)
    }
    #expect(idle == [false, false, true, true], "without a call there is nothing to keep alive")
  }

  @Test func compressedMessagesAreUnpackedWithinTheLimit() async throws {
    var limits = GRPCLimits()
    limits.messageBytes = 1000
    let listener = try await GRPCListenerTests.listener(limits: limits)
    let client = try RawHTTP2(port: listener.ports[0])
    func echo(
      _ packed: [UInt8], stream: UInt32, encoding: String = "gzip"
    ) async -> [UInt8] {
      client.call("/s/Echo", stream: stream, headers: ["grpc-encoding": encoding])
      client.message(packed, compressed: 1, stream: stream)
      return GRPCListenerTests.answer(
        await client.frames { $0.stream == stream && $0.endsStream }, stream: stream)
    }
    // "hello" by gzip(1).
    let hello: [UInt8] = [
      0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0xcb, 0x48, 0xcd, 0xc9, 0xc9, 7, 0, 0x86, 0xa6, 0x10,
      0x36,
      5, 0, 0, 0,
    ]
    let unpacked = await echo(hello, stream: 1)
    #expect(unpacked == Array("hello".utf8))
    let cut = await echo(Array(hello.dropLast(3)), stream: 3)
    #expect(cut.isEmpty)
    let unknown = await echo(hello, stream: 5, encoding: "snappy")
    #expect(unknown.isEmpty)
    #expect(throws: GRPCStatus.self) { try gunzip(hello[...], limit: 4) }
    #expect(throws: GRPCStatus.self) { try gunzip([1, 2, 3], limit: 100) }
    try await listener.shutDown()
  }
}
