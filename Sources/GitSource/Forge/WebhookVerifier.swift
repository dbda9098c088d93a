import Crypto
import Foundation

/// Who sends a webhook, and how that is proven.
public enum ForgeKind: String, Hashable, Sendable, CaseIterable {
  /// `X-Hub-Signature-256: sha256=…`.
  case github
  /// `X-Gitlab-Token`: the secret itself.
  case gitlab
  /// `X-Gitea-Signature: …`, of Forgejo too.
  case gitea
  /// `X-Hub-Signature: sha256=…`.
  case bitbucket
  /// `X-Configsync-Signature: sha256=…` over `X-Configsync-Timestamp`, a point and the body.
  case generic
}

/// Tells whether a webhook comes from who knows the secret: before anything else of it is looked at.
///
/// Signatures are HMAC-SHA256 over the bytes as they came, in hexadecimal; weaker ones do not count, whatever they are
/// called. Comparing takes the same time wherever two differ.
public struct WebhookVerifier: Sendable {
  /// How far a timestamp may be from now, in seconds.
  private static let tolerance: Int64 = 300
  private static let minimumSecretBytes = 8

  public let kind: ForgeKind
  private let secret: SymmetricKey

  /// - Returns: nil if the secret has less than eight bytes.
  public init?(_ kind: ForgeKind, secret: [UInt8]) {
    guard secret.count >= WebhookVerifier.minimumSecretBytes else { return nil }
    self.kind = kind
    self.secret = SymmetricKey(data: secret)
  }

  /// - Parameters:
  ///   - header: the value of a field by its name, whatever its case; nil where it is not there, or more than once.
  ///   - now: seconds since 1970.
  public func accepts(
    _ body: [UInt8], now: Int64, header: (_ name: String) -> String?
  ) -> Bool {
    switch kind {
    case .github: return isSigned(body, prefixed(header("x-hub-signature-256")))
    case .bitbucket: return isSigned(body, prefixed(header("x-hub-signature")))
    case .gitea:
      return isSigned(body, header("x-gitea-signature") ?? header("x-forgejo-signature"))
    case .gitlab:
      guard let token = header("x-gitlab-token") else { return false }
      return isSecret(token)
    case .generic:
      guard let text = header("x-configsync-timestamp"), text.utf8.count <= 16,
        let time = Int64(text),
        abs(time.subtractingReportingOverflow(now).partialValue) <= WebhookVerifier.tolerance
      else { return false }
      return isSigned(
        Array(text.utf8) + [UInt8(ascii: ".")] + body, prefixed(header("x-configsync-signature")))
    }
  }

  private func prefixed(_ value: String?) -> String? {
    guard let value, value.utf8.starts(with: "sha256=".utf8) else { return nil }
    return String(value.dropFirst("sha256=".count))
  }

  private func isSigned(_ bytes: [UInt8], _ signature: String?) -> Bool {
    guard let signature, let code = WebhookVerifier.bytes(ofHexadecimal: signature) else {
      return false
    }
    return HMAC<SHA256>.isValidAuthenticationCode(code, authenticating: bytes, using: secret)
  }

  /// Compares by codes of both, so that the time says nothing of where they differ, nor of their length.
  private func isSecret(_ token: String) -> Bool {
    let random = SymmetricKey(size: .bits256)
    let own = secret.withUnsafeBytes {
      HMAC<SHA256>.authenticationCode(for: Data($0), using: random)
    }
    return HMAC<SHA256>.isValidAuthenticationCode(
      own, authenticating: Data(token.utf8), using: random)
  }

  private static func bytes(ofHexadecimal text: String) -> [UInt8]? {
    guard text.utf8.count == 2 * SHA256.byteCount else { return nil }
    let digits = text.utf8.map { digit -> UInt8? in
      switch digit {
      case 48...57: digit - 48
      case 65...70: digit - 55
      case 97...102: digit - 87
      default: nil
      }
    }
    var bytes: [UInt8] = []
    for place in stride(from: 0, to: digits.count, by: 2) {
      guard let high = digits[place], let low = digits[place + 1] else { return nil }
      bytes.append(high << 4 | low)
    }
    return bytes
  }

  /// What a delivery is remembered by, so that it does not count twice.
  public static func digest(of body: [UInt8]) -> [UInt8] { Array(SHA256.hash(data: body)) }
}
