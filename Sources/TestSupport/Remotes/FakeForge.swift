import Foundation

/// A forge that notes what is posted to it; what a path says is done with it, see forge.py.
public final class FakeForge: Sendable {
  public struct Request: Decodable, Sendable {
    public var path: String
    /// By names in lower case.
    public var headers: [String: String]
    public var body: String
  }

  public let url: String
  /// Who certifies it; nil without TLS.
  public let authorities: String?
  private let server: ServerProcess
  private let log: String

  public init(secure: Bool = false, scratch: String) throws {
    let port = try freePorts(1)[0]
    log = scratch + "/forge-\(port).jsonl"
    try Data().write(to: URL(fileURLWithPath: log))
    let program = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .appendingPathComponent("forge.py").path
    var arguments = [program, "\(port)", log]
    if secure {
      let certificates = try GitServers.makeCertificates(scratch)
      authorities = certificates.authorities
      arguments += [certificates.server, certificates.serverKey]
    } else {
      authorities = nil
    }
    url = "\(secure ? "https" : "http")://127.0.0.1:\(port)"
    server = try ServerProcess(
      "python3", arguments, port: port, log: scratch + "/forge-\(port).log")
  }

  /// What was posted, in order.
  public func requests() throws -> [Request] {
    try String(contentsOfFile: log, encoding: .utf8).split(separator: "\n").map {
      try JSONDecoder().decode(Request.self, from: Data($0.utf8))
    }
  }

  /// Waits until so many requests came.
  public func requests(_ count: Int) async throws -> [Request] {
    while true {
      let found = try requests()
      if found.count >= count { return found }
      try await Task.sleep(for: .milliseconds(20))
    }
  }
}
