import AsyncHTTPClient
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

  private static let deadline = TimeAmount.seconds(15)
  private static let connecting = TimeAmount.seconds(5)
  private static let answerBytes = 64 << 10
  /// Characters of an answer that a message shows.
  private static let shownCharacters = 200
  /// What a service may ask for.
  private static let longestPause = Duration.seconds(3600)

  private let configuration: HTTPClient.Configuration
  /// Made for the first request.
  private let client = Mutex<HTTPClient?>(nil)

  /// - Parameter authorities: a PEM file of who may certify the service, instead of the system's.
  /// - Throws: `GitError.failed` if that can't be read.
  public init(authorities: String? = nil) throws(GitError) {
    var configuration = HTTPClient.Configuration()
    configuration.redirectConfiguration = .disallow
    configuration.timeout = .init(
      connect: RequestSender.connecting, read: RequestSender.deadline)
    configuration.httpVersion = .http1Only
    if let authorities {
      var tls = TLSConfiguration.makeClientConfiguration()
      do {
        tls.trustRoots = .certificates(try NIOSSLCertificate.fromPEMFile(authorities))
      } catch {
        throw .failed(operation: "read '\(authorities)'", reason: "it holds no certificate in PEM")
      }
      configuration.tlsConfiguration = tls
    }
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
    var outgoing = HTTPClientRequest(url: request.url)
    outgoing.method = .POST
    outgoing.headers.add(name: "Content-Type", value: "application/json")
    outgoing.headers.add(name: "User-Agent", value: "configsync")
    for header in request.headers { outgoing.headers.add(name: header.name, value: header.value) }
    outgoing.body = .bytes(ByteBuffer(bytes: request.body))
    do {
      let response = try await connected.execute(outgoing, timeout: RequestSender.deadline)
      let status = Int(response.status.code)
      if (200..<300).contains(status) { return .delivered }
      let body = try? await response.body.collect(upTo: RequestSender.answerBytes)
      let answer = body.map { String(decoding: $0.readableBytesView, as: UTF8.self) } ?? ""
      if address?.isRepetition(status: status, answer) == true { return .delivered }
      let message = "\(status) \(shown(answer, for: request))"
      let pause = response.headers.first(name: "Retry-After").flatMap(Int.init)
      // 403 with a pause is how GitHub says that there were too many.
      let mayHelp =
        status >= 500 || status == 429 || status == 408 || (status == 403 && pause != nil)
      guard mayHelp else { return .refused(message) }
      return .failed(
        message,
        retryAfter: pause.map { min(.seconds(max(0, $0)), RequestSender.longestPause) })
    } catch {
      if Task.isCancelled { throw CancellationError() }
      return .failed("\(error)", retryAfter: nil)
    }
  }

  /// The beginning of an answer, unless it holds what was to stay secret.
  private func shown(_ answer: String, for request: OutgoingRequest) -> String {
    let secrets = request.headers.flatMap { $0.value.split(separator: " ") }
      .filter { $0.count >= 8 }
    guard !secrets.contains(where: { answer.contains($0) }) else { return "" }
    let line = answer.prefix(RequestSender.shownCharacters).unicodeScalars.map {
      $0.value < 0x20 || $0.value == 0x7f ? " " : Character($0)
    }
    return String(line)
  }
}
