import EtcdProtos
import Foundation
import SwiftProtobuf

/// Where in the protos of the API each name is declared.
struct DescriptorIndex: Sendable {
  private var files: [String: Google_Protobuf_FileDescriptorProto] = [:]
  /// Messages, enumerations, services and methods, by full name, and the file of each.
  private var places: [String: String] = [:]
  private var messages: Set<String> = []

  /// - Throws: what says that the generated descriptors can't be read.
  init(base64: String = Descriptors.base64) throws {
    guard let bytes = Data(base64Encoded: base64) else { throw DecodingError() }
    for file in try Google_Protobuf_FileDescriptorSet(serializedBytes: bytes).file { add(file) }
  }

  struct DecodingError: Error {}

  private mutating func add(_ file: Google_Protobuf_FileDescriptorProto) {
    files[file.name] = file
    for service in file.service {
      let name = "\(file.package).\(service.name)"
      places[name] = file.name
      for method in service.method { places["\(name).\(method.name)"] = file.name }
    }
    for enumeration in file.enumType { add(enumeration, in: file.package, of: file.name) }
    for message in file.messageType { add(message, in: file.package, of: file.name) }
  }

  private mutating func add(
    _ message: Google_Protobuf_DescriptorProto, in scope: String, of file: String
  ) {
    let name = "\(scope).\(message.name)"
    places[name] = file
    messages.insert(name)
    for field in message.field { places["\(name).\(field.name)"] = file }
    for choice in message.oneofDecl { places["\(name).\(choice.name)"] = file }
    for enumeration in message.enumType { add(enumeration, in: name, of: file) }
    for nested in message.nestedType { add(nested, in: name, of: file) }
  }

  /// The values of an enumeration stand beside it, not in it.
  private mutating func add(
    _ enumeration: Google_Protobuf_EnumDescriptorProto, in scope: String, of file: String
  ) {
    places["\(scope).\(enumeration.name)"] = file
    for value in enumeration.value { places["\(scope).\(value.name)"] = file }
  }

  func contains(message: String) -> Bool { messages.contains(message) }

  func file(containing symbol: String) -> String? { places[symbol] }

  /// The encoded descriptor of a file, then those of all that it imports, directly or not.
  ///
  /// - Parameter sent: files that the asker has; what is returned is added. The one asked for is always
  ///   returned.
  func descriptors(of name: String, sent: inout Set<String>) throws -> [Data]? {
    guard files[name] != nil else { return nil }
    var found: [Data] = []
    var open = [name]
    while let next = open.popLast() {
      guard let file = files[next], found.isEmpty || !sent.contains(next) else { continue }
      sent.insert(next)
      found.append(try file.serializedBytes())
      open += file.dependency
    }
    return found
  }
}
