import ConfigModel
import Foundation

/// A signature as `ssh-keygen -Y sign -n git` makes it.
struct SSHSignature {
  /// Principals of one key that are tried.
  private static let maximumPrincipals = 16

  let signed: SignedBytes
  /// The file of allowed signers.
  let allowed: String

  init(_ signed: SignedBytes, allowed: String) {
    self.signed = signed
    self.allowed = allowed
  }

  func verdict() async throws -> SignatureVerdict {
    guard FileManager.default.isReadableFile(atPath: allowed) else {
      throw GitError.failed(operation: "read the trusted keys", reason: "no file '\(allowed)'")
    }
    let folder = try ScratchFolder()
    let file = try folder.write(signed.signature, as: "signature")
    let content = try folder.write(signed.content, as: "commit")
    let found = try await SignatureVerifier.run(
      "ssh-keygen", ["-Y", "find-principals", "-f", allowed, "-s", file], home: folder.path)
    let principals = String(decoding: found.output, as: UTF8.self).split(separator: "\n")
    guard found.code == 0, !principals.isEmpty else {
      return try await rejected(folder, file, content)
    }
    var key = ""
    var addresses: [String] = []
    for principal in principals.prefix(SSHSignature.maximumPrincipals) {
      let answer = try await SignatureVerifier.run(
        "ssh-keygen",
        ["-Y", "verify", "-f", allowed, "-I", String(principal), "-n", "git", "-s", file],
        input: content, home: folder.path)
      let line = String(decoding: answer.output, as: UTF8.self)
      guard answer.code == 0, line.hasPrefix("Good \"git\" signature for "),
        let name = line.split(whereSeparator: \.isWhitespace).last
      else { continue }
      key = "ssh:\(name)"
      // A pattern names nobody.
      addresses += principal.split(separator: ",").map(String.init).filter {
        !$0.contains { "*?!".contains($0) }
      }
    }
    guard key.isEmpty else { return .trusted(Signer(key: key, addresses: addresses)) }
    return try await rejected(folder, file, content)
  }

  /// Tells a signature that does not fit from one by a key that is not trusted.
  private func rejected(
    _ folder: ScratchFolder, _ file: String, _ content: String
  ) async throws -> SignatureVerdict {
    let checked = try await SignatureVerifier.run(
      "ssh-keygen", ["-Y", "check-novalidate", "-n", "git", "-s", file], input: content,
      home: folder.path)
    guard checked.code == 0 else { return .bad("ssh-keygen can't verify it") }
    let words = String(decoding: checked.output, as: UTF8.self).split(
      whereSeparator: \.isWhitespace)
    return .untrusted("the key \(words.last ?? "") is not among those that are allowed to sign now")
  }
}
