import EtcdProtos
import SwiftProtobuf
import Testing

@testable import EtcdAPI

struct DescriptorIndexTests {
  @Test func namesAreFoundWhereTheyAreDeclared() throws {
    let index = try DescriptorIndex()
    for (symbol, file) in [
      ("etcdserverpb.KV", "rpc.proto"), ("etcdserverpb.KV.Range", "rpc.proto"),
      ("etcdserverpb.RangeRequest.SortOrder", "rpc.proto"),
      ("etcdserverpb.RangeRequest.range_end", "rpc.proto"),
      ("etcdserverpb.RangeRequest.ASCEND", "rpc.proto"), ("mvccpb.KeyValue", "kv.proto"),
      ("v3lockpb.Lock.Unlock", "v3lock.proto"), ("grpc.health.v1.Health", "health.proto"),
    ] { #expect(index.file(containing: symbol) == file) }
    #expect(index.file(containing: "etcdserverpb.KV.Nothing") == nil)
    #expect(index.contains(message: "mvccpb.Event") && !index.contains(message: "etcdserverpb.KV"))
  }

  @Test func aFileComesWithWhatItImportsAndEachOnce() throws {
    let index = try DescriptorIndex()
    var sent: Set<String> = []
    func names(_ file: String) throws -> [String]? {
      try index.descriptors(of: file, sent: &sent)?.map {
        try Google_Protobuf_FileDescriptorProto(serializedBytes: $0).name
      }
    }
    let first = try #require(try names("v3lock.proto"))
    #expect(first.first == "v3lock.proto" && first.contains("kv.proto"))
    #expect(Set(first).count == first.count)
    #expect(try names("v3lock.proto") == ["v3lock.proto"])
    #expect(try names("nothing.proto") == nil)
  }

  @Test func brokenDescriptorsAreAnError() {
    #expect(throws: (any Error).self) { try DescriptorIndex(base64: "%") }
    #expect(throws: (any Error).self) { try DescriptorIndex(base64: "AAAA") }
  }
}
