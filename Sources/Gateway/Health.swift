import EtcdAPI
import Foundation
import GRPCServer
import NIOHTTP1

extension HTTPGateway {
  private static let plain: HTTPHeaders = ["content-type": "text/plain; charset=utf-8"]

  func answerPlain(_ request: HTTPRequest, _ writer: HTTPResponseWriter) async throws {
    guard request.method == .GET || request.method == .HEAD else {
      return try await writer.respond(
        .methodNotAllowed, HTTPGateway.plain, Array("Method Not Allowed\n".utf8))
    }
    let parts = request.path.split(separator: "/")
    switch parts.first {
    case "version":
      let text = "{\"etcdserver\":\"\(servedEtcdVersion)\",\"etcdcluster\":\"3.5.0\"}"
      try await writer.respond(.ok, ["content-type": "application/json"], Array(text.utf8))
    case "health": try await answerHealth(request, writer)
    case "livez":
      try await answerChecks(HTTPGateway.liveness, parts.dropFirst().first, request, writer)
    case "readyz":
      try await answerChecks(HTTPGateway.readiness, parts.dropFirst().first, request, writer)
    case "metrics":
      let text = Metrics.text(try probe.figures(), calls: services.counts) + moreMetrics()
      try await writer.respond(
        .ok, ["content-type": "text/plain; version=0.0.4; charset=utf-8"], Array(text.utf8))
    default:
      try await writer.respond(.notFound, HTTPGateway.plain, Array("404 page not found\n".utf8))
    }
  }

  // MARK: - /health

  private func answerHealth(_ request: HTTPRequest, _ writer: HTTPResponseWriter) async throws {
    let isSerializable = request.query.split(separator: "&").contains("serializable=true")
    let reason = await unhealthy(isSerializable: isSerializable)
    let text = "{\"health\":\"\(reason == nil)\",\"reason\":\(JSONText.quoted(reason ?? ""))}"
    try await writer.respond(
      reason == nil ? .ok : .serviceUnavailable, HTTPGateway.plain, Array(text.utf8))
  }

  private func unhealthy(isSerializable: Bool) async -> String? {
    if !isSerializable, !probe.hasLeader { return "RAFT NO LEADER" }
    do {
      if let alarm = probe.alarm { return "ALARM \(alarm)" }
      try probe.readLocally()
      if !isSerializable { try await probe.readThroughMajority() }
      return nil
    } catch {
      return "RANGE ERROR:\(GRPCStatus(error).message)"
    }
  }

  // MARK: - /livez and /readyz

  struct Check: Sendable {
    var name: String
    var run: @Sendable (MemberProbe) async throws -> Void
  }

  private static let localRead = Check(name: "serializable_read") { try $0.readLocally() }

  static let liveness = [localRead]
  static let readiness = [
    Check(name: "data_corruption") { probe in
      if probe.alarm == "CORRUPT" {
        throw GRPCStatus(.dataLoss, "alarm activated: CORRUPT")
      }
    },
    localRead,
    Check(name: "linearizable_read") { try await $0.readThroughMajority() },
    Check(name: "non_learner") { probe in
      if probe.isLearner { throw GRPCStatus(.unavailable, "the member is a learner") }
    },
  ]

  private func answerChecks(
    _ checks: [Check], _ only: Substring?, _ request: HTTPRequest, _ writer: HTTPResponseWriter
  ) async throws {
    let chosen = checks.filter { only == nil || $0.name == only.map(String.init) }
    guard !chosen.isEmpty else {
      return try await writer.respond(
        .notFound, HTTPGateway.plain, Array("404 page not found\n".utf8))
    }
    var lines = ""
    var isWell = true
    for check in chosen {
      do {
        try await check.run(probe)
        lines += "[+]\(check.name) ok\n"
      } catch {
        isWell = false
        lines += "[-]\(check.name) failed: \(GRPCStatus(error).message)\n"
      }
    }
    let wantsAll = request.query.split(separator: "&").contains { $0.hasPrefix("verbose") }
    let text = isWell ? (wantsAll ? lines : "") + "ok\n" : lines
    try await writer.respond(
      isWell ? .ok : .serviceUnavailable, HTTPGateway.plain, Array(text.utf8))
  }
}
