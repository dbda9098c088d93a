public import ConfigModel
import Foundation

/// Tells by whom a commit is signed, with the programs that Git itself asks: `ssh-keygen` and `gpgv`.
///
/// Keys are trusted as of now: one that has expired or was revoked counts for no commit any more, since the time of a
/// commit is written by who made it.
public struct SignatureVerifier: Sendable {
  private static let deadline = Duration.seconds(20)
  /// A signature, and a file of trusted keys.
  private static let signatureLimit = 1 << 20

  private let repository: GitRepository
  private let signers: TrustedSigners
  private let cache = VerdictCache()

  public init(_ repository: GitRepository, trusting signers: TrustedSigners) {
    self.repository = repository
    self.signers = signers
  }

  /// - Throws: `GitError` if it can't be found out: the commit or the trusted keys can't be read, or a program is
  ///   missing.
  public func verdict(of commit: CommitID) async throws -> SignatureVerdict {
    if let known = cache.verdict(of: commit, by: signers) { return known }
    // As of before: keys that change meanwhile are asked again.
    let keys = VerdictCache.stamps(signers)
    let verdict = try await verify(commit)
    cache.remember(verdict, of: commit, by: keys)
    return verdict
  }

  private func verify(_ commit: CommitID) async throws -> SignatureVerdict {
    let signed: SignedBytes
    switch CommitSignature(of: try repository.rawCommit(commit)) {
    case .none: return .missing
    case .malformed(let reason): return .bad(reason)
    case .found(let bytes): signed = bytes
    }
    guard !signers.isEmpty else { return .unchecked }
    guard signed.signature.count <= SignatureVerifier.signatureLimit else {
      return .bad("it has more than \(SignatureVerifier.signatureLimit) bytes")
    }
    let text = String(decoding: signed.signature, as: UTF8.self)
    if isWhole(text, "SSH SIGNATURE") {
      guard let file = signers.sshFile else { return .untrusted("no SSH key is trusted") }
      return try await SSHSignature(signed, allowed: file).verdict()
    }
    if isWhole(text, "PGP SIGNATURE") {
      guard let file = signers.openPGPFile else { return .untrusted("no OpenPGP key is trusted") }
      return try await OpenPGPSignature(signed, keys: file).verdict()
    }
    return .untrusted("it is neither of SSH nor of OpenPGP")
  }

  /// Whether a text is one block in armor and nothing beside it: what stands outside is signed by nobody.
  private func isWhole(_ text: String, _ kind: String) -> Bool {
    let lines = text.utf8.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
    guard let first = lines.first, let last = lines.last(where: { !$0.isEmpty }) else {
      return false
    }
    return first.elementsEqual("-----BEGIN \(kind)-----".utf8)
      && last.elementsEqual("-----END \(kind)-----".utf8)
      && lines.count { $0.starts(with: "-----".utf8) } == 2
  }

  /// Runs a program of those that verify.
  static func run(
    _ name: String, _ arguments: [String], input: String? = nil, home: String
  ) async throws -> ChildProgram.Outcome {
    try await ChildProgram(
      purpose: "verify a signature", name: name, arguments: arguments,
      environment: ["HOME": home, "LC_ALL": "C"], input: input,
      deadline: deadline
    ).run()
  }
}

/// A folder for the files that a program wants to read, gone with its owner.
final class ScratchFolder {
  let path: String

  init() throws(GitError) {
    let folder = FileManager.default.temporaryDirectory
      .appendingPathComponent("configsync-\(UUID().uuidString)")
    path = folder.path
    do {
      try FileManager.default.createDirectory(
        at: folder, withIntermediateDirectories: false,
        attributes: [.posixPermissions: 0o700])
    } catch {
      throw .failed(
        operation: "make a folder in \(folder.deletingLastPathComponent().path)", reason: "\(error)"
      )
    }
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  /// - Returns: the path of the file.
  func write(_ bytes: [UInt8], as name: String) throws(GitError) -> String {
    let file = path + "/" + name
    do {
      try Data(bytes).write(to: URL(fileURLWithPath: file))
    } catch {
      throw .failed(operation: "write \(file)", reason: "\(error)")
    }
    return file
  }
}
