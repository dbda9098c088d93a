import Cluster
import EtcdProtos
import GRPCServer
import SwiftProtobuf

/// Whether this member serves
/// ([health checking](https://github.com/grpc/grpc/blob/master/doc/health-checking.md)): one that is fenced does
/// not; whether the cluster has a leader is not asked, as with etcd.
struct HealthService: Sendable {
  private typealias Response = Grpc_Health_V1_HealthCheckResponse

  let member: ClusterMember

  /// To be called when all services are there that may be asked about.
  func register(in services: inout GRPCServices) {
    // The empty name asks about the whole server.
    let known = Set(services.serviceNames + ["grpc.health.v1.Health", ""])
    services.add(
      "/grpc.health.v1.Health/Check",
      .unary { _, bytes in
        do {
          let request: Grpc_Health_V1_HealthCheckRequest = try ServiceBase.decode(bytes)
          guard known.contains(request.service) else {
            throw GRPCStatus(.notFound, "unknown service")
          }
          return .success(try response(status).serializedBytes())
        } catch {
          return .failure(GRPCStatus(error))
        }
      })
    services.add(
      "/grpc.health.v1.Health/Watch",
      .streaming { _, requests, writer in
        do {
          try await watch(requests, writer, known)
          return .ok
        } catch {
          return GRPCStatus(error)
        }
      })
  }

  /// Tells the status at once, and whenever it has changed; looks for that every election timeout. It ends
  /// with the call.
  private func watch(
    _ requests: AsyncStream<[UInt8]>, _ writer: GRPCResponseWriter, _ known: Set<String>
  ) async throws {
    var requests = requests.makeAsyncIterator()
    guard let bytes = await requests.next() else {
      throw GRPCStatus(.internalError, "a call without a request")
    }
    let request: Grpc_Health_V1_HealthCheckRequest = try ServiceBase.decode(bytes)
    // A name that is unknown may become known: the call goes on.
    let isKnown = known.contains(request.service)
    var told: Response.ServingStatus?
    while true {
      let now = isKnown ? status : .serviceUnknown
      if now != told { try await writer.send(try response(now).serializedBytes()) }
      told = now
      try await Task.sleep(for: member.configuration.electionTimeout)
    }
  }

  private var status: Response.ServingStatus { member.status.isFenced ? .notServing : .serving }

  private func response(_ status: Response.ServingStatus) -> Response {
    var response = Response()
    response.status = status
    return response
  }
}
