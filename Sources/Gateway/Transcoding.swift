import Foundation
import GRPCServer
import NIOHTTP1
import SwiftProtobuf

/// From JSON to the bytes of a request, and from the bytes of a response to JSON (etcd's gateway:
/// proto names, 64-bit integers as strings, bytes in base64, nothing for zero).
struct Transcoding: Sendable {
  /// The method that it stands for.
  let method: String
  let request: @Sendable (_ json: [UInt8]) throws(GRPCStatus) -> [UInt8]
  let response: @Sendable (_ bytes: [UInt8]) throws(GRPCStatus) -> [UInt8]

  init<Request: Message, Response: Message>(
    _ method: String, _: Request.Type, _: Response.Type
  ) {
    self.method = method
    request = { (json) throws(GRPCStatus) in
      do {
        let text = json.isEmpty ? Array("{}".utf8) : json
        let message = try Request(jsonUTF8Bytes: text, options: Transcoding.decoding)
        let bytes: [UInt8] = try message.serializedBytes()
        return bytes
      } catch {
        throw GRPCStatus(.invalidArgument, "the body is no JSON of this request: \(error)")
      }
    }
    response = { (bytes) throws(GRPCStatus) in
      do {
        let message = try Response(serializedBytes: bytes)
        return try message.jsonUTF8Bytes(options: Transcoding.encoding)
      } catch {
        throw GRPCStatus(.internalError, "the response can't be written as JSON")
      }
    }
  }

  private static var decoding: JSONDecodingOptions {
    var options = JSONDecodingOptions()
    options.ignoreUnknownFields = true
    return options
  }

  private static var encoding: JSONEncodingOptions {
    var options = JSONEncodingOptions()
    options.preserveProtoFieldNames = true
    return options
  }
}

extension GRPCStatus {
  /// The status line by the code, as grpc-gateway has it.
  var httpStatus: HTTPResponseStatus {
    switch code {
    case .ok: .ok
    case .invalidArgument, .failedPrecondition, .outOfRange: .badRequest
    case .notFound: .notFound
    case .alreadyExists, .aborted: .conflict
    case .permissionDenied: .forbidden
    case .unauthenticated: .unauthorized
    case .resourceExhausted: .tooManyRequests
    case .unimplemented: .notImplemented
    case .unavailable: .serviceUnavailable
    case .deadlineExceeded: .gatewayTimeout
    case .cancelled: .requestTimeout
    case .unknown, .internalError, .dataLoss: .internalServerError
    }
  }

  /// The error as a JSON object.
  var json: [UInt8] {
    let text = JSONText.quoted(message)
    return Array("{\"error\":\(text),\"code\":\(code.rawValue),\"message\":\(text)}".utf8)
  }
}

enum JSONText {
  /// A JSON string with its quotes (RFC 8259, section 7).
  static func quoted(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": result += "\\\""
      case "\\": result += "\\\\"
      case "\n": result += "\\n"
      case "\r": result += "\\r"
      case "\t": result += "\\t"
      case _ where scalar.value < 0x20:
        let digits = String(scalar.value, radix: 16)
        result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result + "\""
  }

  /// The objects of a body that holds one or more, one after the other.
  static func objects(in body: [UInt8]) -> [[UInt8]] {
    var objects: [[UInt8]] = []
    var start = 0
    var depth = 0
    var isQuoted = false
    var isEscaped = false
    for (index, byte) in body.enumerated() {
      if isEscaped {
        isEscaped = false
      } else if isQuoted {
        if byte == UInt8(ascii: "\\") { isEscaped = true }
        if byte == UInt8(ascii: "\"") { isQuoted = false }
      } else if byte == UInt8(ascii: "\"") {
        isQuoted = true
      } else if byte == UInt8(ascii: "{") {
        if depth == 0 { start = index }
        depth += 1
      } else if byte == UInt8(ascii: "}"), depth > 0 {
        depth -= 1
        if depth == 0 {
          objects.append(Array(body[start...index]))
          start = index + 1
        }
      }
    }
    // What is left over is no object: the decoder says so.
    let rest = body[start...].drop { $0 == 0x20 || (0x09...0x0d).contains($0) }
    return rest.isEmpty ? objects : objects + [Array(rest)]
  }
}
