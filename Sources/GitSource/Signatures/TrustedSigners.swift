/// Who is trusted to sign commits: files that lie outside of every repository that they judge.
public struct TrustedSigners: Hashable, Sendable {
  /// A file as ssh-keygen(1) describes under ALLOWED SIGNERS: who is trusted by which key.
  public var sshFile: String?
  /// Public keys as `gpg --export` writes them, with or without armor.
  public var openPGPFile: String?

  public init(sshFile: String? = nil, openPGPFile: String? = nil) {
    self.sshFile = sshFile
    self.openPGPFile = openPGPFile
  }

  public var isEmpty: Bool { sshFile == nil && openPGPFile == nil }
}
