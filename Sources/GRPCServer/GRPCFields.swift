/// The header fields of answers, laid out once
/// ([gRPC over HTTP/2](https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md)).
enum GRPCFields {
  private static let common = [
    (":status", "200"), ("content-type", "application/grpc"),
    ("grpc-accept-encoding", "identity,gzip"),
  ]
  private static let okTrailers = HTTP2Fields(fields(of: .ok))

  /// Before the first message.
  static let head = HTTP2Fields(common)
  /// The whole answer to what is no gRPC call.
  static let unsupportedMedia = HTTP2Fields([(":status", "415")])

  /// The whole answer of a call without a message.
  static func head(endingWith status: GRPCStatus) -> HTTP2Fields {
    HTTP2Fields(common + fields(of: status))
  }

  /// After the last message.
  static func trailers(_ status: GRPCStatus) -> HTTP2Fields {
    status.code == .ok ? okTrailers : HTTP2Fields(fields(of: status))
  }

  private static func fields(of status: GRPCStatus) -> [(String, String)] {
    [("grpc-status", String(status.code.rawValue)), ("grpc-message", status.encodedMessage)]
  }
}
