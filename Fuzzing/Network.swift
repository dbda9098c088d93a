import CNGHTTP2
import EtcdProtos
import Foundation
import NIOCore
import NIOEmbedded
import SwiftProtobuf

@testable import EtcdAPI
@testable import GRPCServer
@testable import Gateway
@testable import PeerTransport
@testable import Store

/// What a connection does with a session, without calls.
private final class Connection: HTTP2SessionDelegate {
  var session: HTTP2Session?
  private var readers: [Int32: GRPCMessageReader] = [:]

  func began(stream: Int32) { readers[stream] = GRPCMessageReader() }
  func received(
    name: UnsafeBufferPointer<UInt8>, value: UnsafeBufferPointer<UInt8>, stream: Int32
  ) {
    if name.elementsEqual("grpc-timeout".utf8) {
      _ = parseTimeout(String(decoding: value, as: UTF8.self))
    }
  }
  func receivedHeaders(stream: Int32) {}
  func received(data: UnsafeBufferPointer<UInt8>, stream: Int32) {
    readers[stream]?.append(data)
    readers[stream]?.encoding = "gzip"
    do {
      while try readers[stream]?.take(limit: 1 << 20) != nil {}
    } catch {
      session?.reset(stream: stream, error: NGHTTP2_CANCEL)
    }
  }
  func ended(stream: Int32) {
    session?.respond(stream: stream, headers: HTTP2Fields([(":status", "200")]), withData: false)
  }
  func sentEnd(stream: Int32) {}
  func pinged() {}
  func closed(stream: Int32) { readers[stream] = nil }
  func provide(
    stream: Int32, into target: UnsafeMutablePointer<UInt8>, capacity: Int
  ) -> HTTP2Provided { .wait }
}

func fuzzHTTP2(_ bytes: [UInt8]) {
  let connection = Connection()
  guard let session = try? HTTP2Session(limits: GRPCLimits(), delegate: connection) else { return }
  connection.session = session
  let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8) + [0, 0, 0, 4, 0, 0, 0, 0, 0]
  for part in [preface, bytes] {
    do {
      try part.withUnsafeBytes { try session.receive($0) }
      while try session.nextOutput() != nil {}
    } catch {
      return
    }
  }
}

func fuzzMessages(_ bytes: [UInt8]) {
  var reader = GRPCMessageReader()
  reader.encoding = "gzip"
  bytes.withUnsafeBufferPointer { reader.append($0) }
  while let taken = try? reader.take(limit: 1 << 20) {
    precondition(taken.message.count <= 1 << 20)
  }
}

/// The first byte chooses the message; what is read is taken as far as the store.
func fuzzRequests(_ bytes: [UInt8]) {
  guard let kind = bytes.first else { return }
  let rest = Array(bytes.dropFirst())
  switch kind % 8 {
  case 0: _ = (try? Etcdserverpb_RangeRequest(serializedBytes: rest)).map { try? RangeQuery($0) }
  case 1:
    guard let request = try? Etcdserverpb_PutRequest(serializedBytes: rest),
      let put = try? PutRequest(request)
    else { return }
    checkCommand(.put(put))
  case 2:
    guard let request = try? Etcdserverpb_DeleteRangeRequest(serializedBytes: rest),
      let delete = try? DeleteRequest(request)
    else { return }
    checkCommand(.delete(delete))
  case 3, 4:
    guard let request = try? Etcdserverpb_TxnRequest(serializedBytes: rest),
      let transaction = try? Transaction(request), (try? transaction.validate()) != nil
    else { return }
    checkCommand(.transaction(transaction))
  case 5: _ = try? Etcdserverpb_WatchRequest(serializedBytes: rest)
  case 6: _ = try? Etcdserverpb_AuthRoleGrantPermissionRequest(serializedBytes: rest)
  default: _ = try? V3electionpb_ProclaimRequest(serializedBytes: rest)
  }
}

/// What is written to the log is read back as it was.
private func checkCommand(_ action: Command.Action) {
  let command = Command(
    request: RequestID(member: 1, number: 2), caller: .user("u", provenAt: 3), action: action)
  guard let again = try? Command(decoding: command.encoded()) else {
    fatalError("a command can't be read back")
  }
  precondition(again == command, "a command is read back as another")
}

func fuzzJSON(_ bytes: [UInt8]) {
  guard let kind = bytes.first else { return }
  let paths = ["/kv/range", "/kv/put", "/kv/txn", "/auth/role/grant"]
  let route = GatewayRoutes.unary[paths[Int(kind) % paths.count]]
  for object in JSONText.objects(in: Array(bytes.dropFirst())) { _ = try? route?.request(object) }
}

func fuzzPeerFrames(_ bytes: [UInt8]) {
  if let frame = try? PeerFrame(decoding: bytes) { _ = frame }
  let channel = EmbeddedChannel(handler: ByteToMessageHandler(PeerFrameDecoder()))
  _ = try? channel.writeInbound(ByteBuffer(bytes: bytes))
  _ = try? channel.finish(acceptAlreadyClosed: true)
}

func fuzzCommands(_ bytes: [UInt8]) {
  _ = Command.request(of: bytes)
  guard let command = try? Command(decoding: bytes) else { return }
  guard let again = try? Command(decoding: command.encoded()) else {
    fatalError("a command can't be read back")
  }
  precondition(again == command, "a command is read back as another")
}
