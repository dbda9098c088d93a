import Foundation
import NIOCore
import NIOPosix

/// Where a member listens for others: `http://HOST:PORT`, as etcd writes it.
package struct PeerAddress: Hashable, Sendable, CustomStringConvertible {
  package var host: String
  package var port: Int

  package init(host: String, port: Int) {
    self.host = host
    self.port = port
  }

  /// - Returns: nil if `url` is not of that form.
  package init?(url: String) {
    guard url.hasPrefix("http://") else { return nil }
    let rest = url.dropFirst("http://".count).split(separator: "/", maxSplits: 1)[...]
    guard let authority = rest.first, let colon = authority.lastIndex(of: ":"),
      let port = Int(authority[authority.index(after: colon)...]), (0...65535).contains(port)
    else { return nil }
    var host = String(authority[..<colon])
    if host.hasPrefix("["), host.hasSuffix("]") { host = String(host.dropFirst().dropLast()) }
    guard !host.isEmpty else { return nil }
    self.init(host: host, port: port)
  }

  static let userTimeout = NIOBSDSocket.Option(rawValue: TCP_USER_TIMEOUT)

  package var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }

  /// - Parameter silentSeconds: how long the other side may acknowledge, or take, nothing of what was sent; then the
  ///   connection ends with an error (TCP_USER_TIMEOUT, RFC 5482).
  func connect(
    group: any EventLoopGroup, silentSeconds: Int? = nil,
    initializer: @escaping @Sendable (any Channel) -> EventLoopFuture<Void>
  ) -> EventLoopFuture<any Channel> {
    var bootstrap = ClientBootstrap(group: group)
      .connectTimeout(.seconds(2))
      .channelOption(.socketOption(.tcp_nodelay), value: 1)
      .channelInitializer(initializer)
    if let silentSeconds {
      bootstrap = bootstrap.channelOption(
        .tcpOption(PeerAddress.userTimeout), value: 1_000 * silentSeconds)
    }
    return bootstrap.connect(host: host, port: port)
  }
}
