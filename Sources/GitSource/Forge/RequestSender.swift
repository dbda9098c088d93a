import AsyncHTTPClient
import ConfigModel
import Foundation
import NIOCore
import NIOHTTP1
import NIOSSL
import Synchronization

/// Sends requests to one service: with a deadline, no redirections, and an answer that is cut.
public final class RequestSender: Sendable {
  /// What became of a request.
  public enum Outcome: Hashable, Sendable {
    case delivered
    /// It may help to try again, after what the service asks for.
    case failed(String, retryAfter: Duration?)
    /// It does not.
    case refused(String)
  }

  /// How long a request and its whole answer may take, and a connection.
  public static let usualDeadline = Duration.seconds(15)
  private static let connectingShare = 3
  private static let answerBytes = 64 << 10
  /// Bytes of an answer that a message shows.
  private static let shownBytes = 200
  /// What a service may ask for.
  private static let longestPause = Duration.seconds(3600)

  private let configuration: HTTPClient.Configuration
  private let deadline: Duration
  /// Made for the first request.
  private let client = Mutex<HTTPClient?>(nil)

  /// - Parameter authorities: a PEM file of who may certify the service, instead of the system's.
  /// - Throws: `GitError.failed` if that can't be read.
  public init(
    authorities: String? = nil, deadline: Duration = usualDeadline
  ) throws(GitError) {
    self.deadline = deadline
    var configuration = HTTPClient.Configuration()
    configuration.redirectConfiguration = .disallow
    configuration.timeout = .init(
      connect: TimeAmount(deadline / RequestSender.connectingShare), read: TimeAmount(deadline))
    configuration.httpVersion = .http1Only
    var tls = TLSConfiguration.makeClientConfiguration()
    tls.minimumTLSVersion = .tlsv12
    if let authorities {
      do {
        tls.trustRoots = .certificates(try NIOSSLCertificate.fromPEMFile(authorities))
      } catch {
        throw .failed(operation: "read '\(authorities)'", reason: "it holds no certificate in PEM")
      }
    }
    configuration.tlsConfiguration = tls
    self.configuration = configuration
  }

  /// To be called once nothing more is sent.
  public func shutDown() async {
    let client = client.withLock { client in
      defer { client = nil }
      return client
    }
    try? await client?.shutdown()
  }

  private var connected: HTTPClient {
    client.withLock { client in
      if let client { return client }
      let made = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
      client = made
      return made
    }
  }

  /// - Parameter address: the forge that is told, where it is one.
  public func send(
    _ request: OutgoingRequest, to address: StatusAddress?
  ) async throws(CancellationError) -> Outcome {
    let outgoing = RequestSender.wire(request)
    let (client, deadline) = (connected, deadline)
    let outcome: Outcome?
    do {
      // The client's own deadline ends with the answer's head.
      outcome = try await withThrowingTaskGroup(of: Outcome?.self) { group in
        group.addTask {
          let response = try await client.execute(outgoing, timeout: TimeAmount(deadline))
          return try await RequestSender.outcome(response, of: request, to: address)
        }
        group.addTask {
          try await Task.sleep(for: deadline)
          return nil
        }
        defer { group.cancelAll() }
        return try await group.next() ?? nil
      }
    } catch {
      if Task.isCancelled { throw CancellationError() }
      // Not the error's own text: it may hold a header.
      let reason = (error as? HTTPClientError)?.shortDescription ?? "the connection failed"
      return .failed(reason, retryAfter: nil)
    }
    if Task.isCancelled { throw CancellationError() }
    return outcome ?? .failed("no whole answer in time", retryAfter: nil)
  }

  private static func wire(_ request: OutgoingRequest) -> HTTPClientRequest {
    var outgoing = HTTPClientRequest(url: request.url)
    outgoing.method = .POST
    outgoing.headers.add(name: "Content-Type", value: "application/json")
    outgoing.headers.add(name: "User-Agent", value: "configsync")
    for header in request.headers { outgoing.headers.add(name: header.name, value: header.value) }
    outgoing.body = .bytes(ByteBuffer(bytes: request.body))
    return outgoing
  }

  private static func outcome(
    _ response: HTTPClientResponse, of request: OutgoingRequest, to address: StatusAddress?
  ) async throws -> Outcome {
    let status = Int(response.status.code)
    if (200..<300).contains(status) { return .delivered }
    let answer: String
    do {
      let body = try await response.body.collect(upTo: answerBytes)
      answer = String(decoding: body.readableBytesView, as: UTF8.self)
    } catch is NIOTooManyBytesError {
      answer = ""
    }
    if address?.isRepetition(status: status, answer) == true { return .delivered }
    let message = "\(status) \(shown(answer, for: request))"
    func number(_ name: String) -> Int? { response.headers.first(name: name).flatMap(Int.init) }
    var pause = number("Retry-After")
    // How GitHub says that there were too many: by the time of the reset, and at least a minute.
    let isExhausted = number("x-ratelimit-remaining") == 0
    if pause == nil, isExhausted, let reset = number("x-ratelimit-reset") {
      pause = max(
        60, reset.subtractingReportingOverflow(Int(Date().timeIntervalSince1970)).partialValue)
    }
    switch status {
    // A token may be on its way, and GitLab says 409 while somebody else sets a status.
    case 500..., 401, 408, 409, 425, 429: break
    case 403 where pause != nil || isExhausted: break
    default: return .refused(message)
    }
    return .failed(
      message, retryAfter: pause.map { min(.seconds(max(0, $0)), RequestSender.longestPause) })
  }

  /// The beginning of an answer, unless it holds what was to stay secret.
  private static func shown(_ answer: String, for request: OutgoingRequest) -> String {
    let secrets = request.headers.filter { ["Authorization", "PRIVATE-TOKEN"].contains($0.name) }
      .flatMap { [$0.value, $0.value.split(separator: " ").dropFirst().joined(separator: " ")] }
    let holdsOne = secrets.contains { !$0.isEmpty && answer.contains($0) }
    return holdsOne ? "" : oneLine(answer, bytes: shownBytes)
  }
}
