import ConfigModel
import Foundation

/// A signature as `gpg --detach-sign --armor` makes it.
struct OpenPGPSignature {
  let signed: SignedBytes
  /// The file of trusted public keys.
  let keys: String

  init(_ signed: SignedBytes, keys: String) {
    self.signed = signed
    self.keys = keys
  }

  func verdict() async throws -> SignatureVerdict {
    guard let bytes = FileManager.default.contents(atPath: keys),
      let keyring = OpenPGPArmor.decoded([UInt8](bytes))
    else {
      throw GitError.failed(
        operation: "read the trusted keys", reason: "'\(keys)' is no file of OpenPGP keys")
    }
    let folder = try ScratchFolder()
    let file = try folder.write(signed.signature, as: "signature")
    let ring = try folder.write(keyring, as: "keys.gpg")
    let content = try folder.write(signed.content, as: "commit")
    let answer = try await SignatureVerifier.run(
      "gpgv",
      [
        "--homedir", folder.path, "--status-fd", "1", "--weak-digest", "SHA1", "--keyring", ring,
        file, content,
      ],
      home: folder.path)
    return OpenPGPStatus(String(decoding: answer.output, as: UTF8.self)).verdict(code: answer.code)
  }
}

/// What gpgv reports line by line, for programs (GnuPG's doc/DETAILS).
struct OpenPGPStatus {
  private let lines: [[Substring]]

  init(_ text: String) {
    lines = text.split(separator: "\n").compactMap { line in
      let words = line.split(separator: " ", omittingEmptySubsequences: true)
      return words.first == "[GNUPG:]" && words.count > 1 ? Array(words.dropFirst()) : nil
    }
  }

  private func all(_ keyword: String) -> [[Substring]] { lines.filter { $0[0] == keyword } }

  /// Exactly one signature, good, by a key that is valid: anything beside that is no.
  func verdict(code: Int32) -> SignatureVerdict {
    let words = Set(lines.map { $0[0] })
    if words.contains("BADSIG") { return .bad("gpgv says that it is not of this commit") }
    for (word, reason) in [
      ("EXPKEYSIG", "its key has expired"), ("REVKEYSIG", "its key was revoked"),
      ("EXPSIG", "it has expired"), ("NO_PUBKEY", "its key is not among the trusted ones"),
    ] where words.contains(Substring(word)) {
      let id = all(word).first.flatMap { $0.count > 1 ? " (\($0[1]))" : nil } ?? ""
      return .untrusted(reason + id)
    }
    let (good, valid) = (all("GOODSIG"), all("VALIDSIG"))
    guard code == 0, all("NEWSIG").count <= 1, good.count == 1, valid.count == 1,
      valid[0].count > 1, !words.contains("ERRSIG")
    else { return .bad("gpgv can't verify it") }
    let user = good[0].dropFirst(2).joined(separator: " ")
    // The fingerprint of the primary key is last; a signature may be by a subkey.
    let fingerprint = valid[0].count >= 11 ? valid[0][10] : valid[0][1]
    return .trusted(
      Signer(
        key: "openpgp:\(fingerprint)", addresses: OpenPGPStatus.address(of: user).map { [$0] } ?? []
      ))
  }

  /// The address in `Name (comment) <address>`, with GnuPG's `%XX` undone; nil if there is none.
  static func address(of user: String) -> String? {
    let text = user.removingPercentEncoding ?? user
    guard text.hasSuffix(">"), let start = text.lastIndex(of: "<") else {
      return text.contains("@") && !text.contains(" ") ? text : nil
    }
    let address = text[text.index(after: start)...].dropLast()
    return address.contains("@") ? String(address) : nil
  }
}

/// The text form of OpenPGP data (RFC 4880, section 6.2).
enum OpenPGPArmor {
  private static let begin = "-----BEGIN PGP PUBLIC KEY BLOCK-----"
  private static let end = "-----END PGP PUBLIC KEY BLOCK-----"

  /// The keys of all blocks, or the bytes as they are if there is none; nil if a block is malformed.
  static func decoded(_ bytes: [UInt8]) -> [UInt8]? {
    guard let text = String(validating: bytes, as: UTF8.self), text.contains(begin) else {
      return bytes.isEmpty ? nil : bytes
    }
    var decoded: [UInt8] = []
    var block: [Substring]?
    for line in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline) {
      if line == begin {
        block = []
      } else if line == end {
        // Headers end at an empty line; the checksum begins with '='.
        guard let lines = block, let start = lines.firstIndex(where: \.isEmpty) else { return nil }
        let body = lines[(start + 1)...].filter { !$0.hasPrefix("=") }.joined()
        guard let data = Data(base64Encoded: body) else { return nil }
        decoded += data
        block = nil
      } else {
        block?.append(line)
      }
    }
    return block == nil && !decoded.isEmpty ? decoded : nil
  }
}
