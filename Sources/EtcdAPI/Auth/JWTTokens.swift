import Foundation
import GRPCServer
import JWTKit
import Store

/// How tokens are made and known (`--auth-token`), in etcd's own words.
package enum TokenSetting: Sendable {
  case simple
  case jwt(JWTSetting)

  /// Reads `simple`, or `jwt,sign-method=ES256,pub-key=FILE,priv-key=FILE,ttl=5m`.
  ///
  /// - Throws: `TokenSettingError`.
  package init(parsing text: String) throws {
    let parts = text.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
    switch parts[0] {
    case "", "simple":
      guard parts.count == 1 else { throw TokenSettingError("'simple' has no options") }
      self = .simple
    case "jwt": self = .jwt(try JWTSetting(options: parts.dropFirst()))
    default: throw TokenSettingError("'\(parts[0])' is neither 'simple' nor 'jwt'")
    }
  }
}

package struct TokenSettingError: Error, CustomStringConvertible {
  private var reason: String
  init(_ reason: String) { self.reason = reason }
  package var description: String { "--auth-token: \(reason)" }
}

/// Tokens that say by themselves who holds them (RFC 7519).
package struct JWTSetting: Sendable {
  var method: String
  var publicKey: String?
  var privateKey: String?
  /// Seconds from the login.
  var lifetime: TimeInterval = 300

  fileprivate init(options: some Sequence<String>) throws {
    var given: [String: String] = [:]
    for option in options {
      guard let equals = option.firstIndex(of: "=") else {
        throw TokenSettingError("'\(option)' is not of the form NAME=VALUE")
      }
      let name = String(option[..<equals])
      guard ["sign-method", "pub-key", "priv-key", "ttl"].contains(name), given[name] == nil else {
        throw TokenSettingError("'\(name)' is unknown or given twice")
      }
      given[name] = String(option[option.index(after: equals)...])
    }
    guard let method = given["sign-method"] else {
      throw TokenSettingError("'jwt' needs sign-method=METHOD")
    }
    self.method = method
    publicKey = try given["pub-key"].map(JWTSetting.content)
    privateKey = try given["priv-key"].map(JWTSetting.content)
    guard publicKey != nil || privateKey != nil else {
      throw TokenSettingError("'jwt' needs priv-key=FILE, or pub-key=FILE to check others' tokens")
    }
    if let text = given["ttl"] {
      guard let time = Duration(goText: text), time > .zero else {
        throw TokenSettingError("ttl=\(text) is no time like 5m or 1h30m")
      }
      lifetime = time / .seconds(1)
    }
  }

  private static func content(of path: String) throws -> String {
    do {
      return try String(contentsOfFile: path, encoding: .utf8)
    } catch {
      throw TokenSettingError("\(path) can't be read")
    }
  }

}

struct JWTTokens: TokenScheme {
  private struct Claims: JWTPayload {
    var username: String
    /// Of the permissions, when the user has proven who they are.
    var revision: UInt64
    var exp: ExpirationClaim?

    func verify(using algorithm: some JWTAlgorithm) throws {
      try exp?.verifyNotExpired()
    }
  }

  private let keys: JWTKeyCollection
  private let lifetime: TimeInterval
  private let maySign: Bool
  /// Tokens that others issue need none.
  var needsPassword: Bool { maySign }

  /// - Throws: `TokenSettingError` for a key that is none of the method.
  init(_ setting: JWTSetting) async throws {
    keys = JWTKeyCollection()
    lifetime = setting.lifetime
    maySign = setting.privateKey != nil
    do {
      try await JWTTokens.add(setting, to: keys)
    } catch let error as TokenSettingError {
      throw error
    } catch {
      throw TokenSettingError("the key is none for \(setting.method): \(error)")
    }
  }

  private static func add(_ setting: JWTSetting, to keys: JWTKeyCollection) async throws {
    let digests: [String: DigestAlgorithm] = ["256": .sha256, "384": .sha384, "512": .sha512]
    let family = String(setting.method.prefix(2))
    let digest = digests[String(setting.method.dropFirst(2))]
    // A private key says the public one as well.
    let (own, pem) = (setting.privateKey, setting.privateKey ?? setting.publicKey ?? "")
    switch (family, digest) {
    case ("HS", let digest?):
      guard let own else { throw TokenSettingError("\(setting.method) needs priv-key=FILE") }
      await keys.add(hmac: HMACKey(from: own), digestAlgorithm: digest)
    case ("RS", let digest?):
      if own != nil {
        await keys.add(rsa: try Insecure.RSA.PrivateKey(pem: pem), digestAlgorithm: digest)
      } else {
        await keys.add(rsa: try Insecure.RSA.PublicKey(pem: pem), digestAlgorithm: digest)
      }
    case ("PS", let digest?):
      if own != nil {
        await keys.add(pss: try Insecure.RSA.PrivateKey(pem: pem), digestAlgorithm: digest)
      } else {
        await keys.add(pss: try Insecure.RSA.PublicKey(pem: pem), digestAlgorithm: digest)
      }
    case ("ES", _): try await addCurve(setting.method, pem, isPrivate: own != nil, to: keys)
    case ("Ed", _) where setting.method == "EdDSA":
      if own != nil {
        await keys.add(eddsa: try EdDSA.PrivateKey(pem: pem))
      } else {
        await keys.add(eddsa: try EdDSA.PublicKey(pem: pem))
      }
    default:
      throw TokenSettingError(
        "sign-method=\(setting.method) is none of RS256, RS384, RS512, PS256, PS384, PS512, ES256, "
          + "ES384, ES512, EdDSA, HS256, HS384, HS512")
    }
  }

  private static func addCurve(
    _ method: String, _ pem: String, isPrivate: Bool, to keys: JWTKeyCollection
  ) async throws {
    switch (method, isPrivate) {
    case ("ES256", true): await keys.add(ecdsa: try ES256PrivateKey(pem: pem))
    case ("ES256", false): await keys.add(ecdsa: try ES256PublicKey(pem: pem))
    case ("ES384", true): await keys.add(ecdsa: try ES384PrivateKey(pem: pem))
    case ("ES384", false): await keys.add(ecdsa: try ES384PublicKey(pem: pem))
    case ("ES512", true): await keys.add(ecdsa: try ES512PrivateKey(pem: pem))
    case ("ES512", false): await keys.add(ecdsa: try ES512PublicKey(pem: pem))
    default: throw TokenSettingError("sign-method=\(method) is unknown")
    }
  }

  func issue(to user: AuthName, provenAt revision: UInt64) async throws -> String {
    guard maySign else {
      throw GRPCStatus(
        .failedPrecondition,
        "etcdserver: this cluster takes tokens that others issue, and issues none")
    }
    let end = Date().addingTimeInterval(lifetime)
    return try await keys.sign(
      Claims(
        username: user.description, revision: revision, exp: ExpirationClaim(value: end)))
  }

  func caller(with token: String) async -> Caller? {
    // A signature takes up to a millisecond.
    let verified = await offEventLoop { try? await keys.verify(token, as: Claims.self) }
    guard let claims = verified else { return nil }
    return .user(AuthName(claims.username), provenAt: claims.revision)
  }
}
