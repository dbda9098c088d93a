import Crypto
import Foundation

/// A webhook that tells others of an event, signed as the `generic` ones are that are taken.
///
/// `X-Configsync-Signature: sha256=HEX` is the HMAC-SHA256 over `X-Configsync-Timestamp`, a point and the body. The same
/// `X-Configsync-Delivery` is the same event, sent again.
public struct SignedWebhook: Hashable, Sendable {
  private static let minimumSecretBytes = 8

  public let url: String

  /// - Throws: `OutgoingError` for one that would take the body unprotected.
  public init(url: String) throws(OutgoingError) {
    try checkOutgoing(url)
    self.url = url
  }

  /// - Parameters:
  ///   - now: seconds since 1970.
  ///   - delivery: what tells this event from others.
  /// - Returns: nil if the secret has less than eight bytes.
  public func request(
    _ body: [UInt8], event: String, delivery: String, secret: String, now: Int64
  ) -> OutgoingRequest? {
    guard secret.utf8.count >= SignedWebhook.minimumSecretBytes else { return nil }
    let code = HMAC<SHA256>.authenticationCode(
      for: Data("\(now).".utf8) + Data(body), using: SymmetricKey(data: Data(secret.utf8)))
    let digits = Array("0123456789abcdef")
    let signature = String(code.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] })
    return OutgoingRequest(
      url,
      [
        "X-Configsync-Event": event, "X-Configsync-Delivery": delivery,
        "X-Configsync-Timestamp": "\(now)", "X-Configsync-Signature": "sha256=\(signature)",
      ], body)
  }
}
