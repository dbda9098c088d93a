import EtcdProtos
import GRPCServer
import SwiftProtobuf

/// Tells tools such as grpcurl what can be called and how
/// ([server reflection](https://github.com/grpc/grpc/blob/master/doc/server-reflection.md)).
struct ReflectionService: Sendable {
  private typealias Request = Grpc_Reflection_V1_ServerReflectionRequest
  private typealias Response = Grpc_Reflection_V1_ServerReflectionResponse

  private let index: DescriptorIndex

  init() throws { index = try DescriptorIndex() }

  /// To be called when all other services are there.
  func register(in services: inout GRPCServices) {
    // The two versions have the same messages.
    let paths = ["v1", "v1alpha"].map { version in
      "/grpc.reflection.\(version).ServerReflection/ServerReflectionInfo"
    }
    let names = services.serviceNames + ["grpc.reflection.v1.ServerReflection"]
    for path in paths { services.add(path, method(naming: names.sorted())) }
  }

  private func method(naming services: [String]) -> GRPCMethod {
    .streaming { _, requests, writer in
      var sent: Set<String> = []
      do {
        for await bytes in requests {
          let request: Request = try ServiceBase.decode(bytes)
          var response = try answer(request, services, sent: &sent)
          response.validHost = request.host
          response.originalRequest = request
          try await writer.send(try response.serializedBytes())
        }
        return .ok
      } catch {
        return GRPCStatus(error)
      }
    }
  }

  private func answer(
    _ request: Request, _ services: [String], sent: inout Set<String>
  ) throws -> Response {
    var response = Response()
    switch request.messageRequest {
    case .listServices:
      response.listServicesResponse.service = services.map { name in
        var service = Grpc_Reflection_V1_ServiceResponse()
        service.name = name
        return service
      }
    case .fileByFilename(let name):
      guard let found = try index.descriptors(of: name, sent: &sent) else {
        return missing("file \(name)")
      }
      response.fileDescriptorResponse.fileDescriptorProto = found
    case .fileContainingSymbol(let symbol):
      guard let file = index.file(containing: symbol),
        let found = try index.descriptors(of: file, sent: &sent)
      else { return missing("symbol \(symbol)") }
      response.fileDescriptorResponse.fileDescriptorProto = found
    case .allExtensionNumbersOfType(let type):
      guard index.contains(message: type) else { return missing("type \(type)") }
      // None of the protos has extensions.
      response.allExtensionNumbersResponse.baseTypeName = type
    case .fileContainingExtension(let wanted):
      return missing("extension \(wanted.extensionNumber) of \(wanted.containingType)")
    case nil: throw GRPCStatus(.invalidArgument, "a reflection request that asks for nothing")
    }
    return response
  }

  private func missing(_ what: String) -> Response {
    var response = Response()
    response.errorResponse.errorCode = Int32(GRPCStatus.Code.notFound.rawValue)
    response.errorResponse.errorMessage = "\(what) is not known"
    return response
  }
}
