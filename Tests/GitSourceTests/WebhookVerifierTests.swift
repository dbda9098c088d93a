import Crypto
import Foundation
import Testing

@testable import GitSource

struct WebhookVerifierTests {
  private static let secret = "It's a Secret to Everybody"
  private let body = Array("Hello, World!".utf8)

  private func code(_ text: [UInt8], _ secret: String = Self.secret) -> String {
    HMAC<SHA256>.authenticationCode(for: text, using: SymmetricKey(data: Data(secret.utf8)))
      .map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
  }

  private func accepts(
    _ kind: ForgeKind, _ headers: [String: String], _ body: [UInt8]? = nil, now: Int64 = 1000
  ) throws -> Bool {
    let verifier = try #require(WebhookVerifier(kind, secret: Array(Self.secret.utf8)))
    return verifier.accepts(body ?? self.body, now: now) { headers[$0] }
  }

  /// The example of GitHub's documentation.
  @Test func theDocumentedSignatureIsTaken() throws {
    let signature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    #expect(try accepts(.github, ["x-hub-signature-256": signature]))
    #expect(try accepts(.bitbucket, ["x-hub-signature": signature]))
    #expect(try !accepts(.github, ["x-hub-signature-256": signature], Array("Hello, World".utf8)))
  }

  @Test func eachForgeHasItsOwnWay() throws {
    let good = code(body)
    #expect(try accepts(.gitea, ["x-gitea-signature": good]))
    #expect(try accepts(.gitea, ["x-forgejo-signature": good.uppercased()]))
    #expect(try accepts(.gitlab, ["x-gitlab-token": Self.secret]))
    let stamped = code(Array("1000.".utf8) + body)
    let headers = ["x-configsync-signature": "sha256=" + stamped, "x-configsync-timestamp": "1000"]
    #expect(try accepts(.generic, headers) && accepts(.generic, headers, now: 1300))
    #expect(try !accepts(.generic, headers, now: 1301) && !accepts(.generic, headers, now: 699))
  }

  @Test(
    arguments: [
      (ForgeKind.github, [:]), (.github, ["x-hub-signature": "sha1=0"]),
      (.github, ["x-hub-signature-256": ""]), (.github, ["x-hub-signature-256": "sha256="]),
      (.github, ["x-hub-signature-256": "sha256=" + String(repeating: "0", count: 64)]),
      (.github, ["x-hub-signature-256": "sha256=" + String(repeating: "g", count: 64)]),
      (.github, ["x-hub-signature-256": "sha1=" + String(repeating: "0", count: 40)]),
      (.gitlab, ["x-gitlab-token": ""]), (.gitlab, ["x-gitlab-token": "It's a Secret to Everybod"]),
      (.gitlab, ["x-gitlab-token": "It's a Secret to Everybody "]),
      (.gitea, ["x-gitea-signature": "00"]),
      (.generic, ["x-configsync-timestamp": "1000"]),
      (.generic, ["x-configsync-timestamp": "9223372036854775807"]),
      (.generic, ["x-configsync-timestamp": "-9223372036854775808"]),
    ] as [(ForgeKind, [String: String])])
  func othersAreNot(kind: ForgeKind, headers: [String: String]) throws {
    #expect(try !accepts(kind, headers))
  }

  @Test func aSignatureOfAnotherSecretOrWithoutItsTimeIsNone() throws {
    let other = code(body, "another secret")
    #expect(try !accepts(.github, ["x-hub-signature-256": "sha256=" + other]))
    let headers = [
      "x-configsync-signature": "sha256=" + code(body), "x-configsync-timestamp": "1000",
    ]
    #expect(try !accepts(.generic, headers))
    #expect(WebhookVerifier(.github, secret: Array("short".utf8)) == nil)
  }
}
