import ArgumentParser
import Foundation
import GitSource
import Reconciler
import Server

/// Where the configuration comes from: a local repository, or a remote one and how it is asked.
struct SourceOptions: ParsableArguments {
  @Option(help: "The Git repository: a path, or a URL (https, ssh, git, file).")
  var repo = environment("REPO", ".")

  @Option(help: "For https: who asks, beside --git-password-file.")
  var gitUser = environment("GIT_USER", "x-access-token")

  @Option(help: "For https: a file with the password or token.")
  var gitPasswordFile = environment("GIT_PASSWORD_FILE", "")

  @Option(
    help: "For https: PEM of who may certify the server, instead of the system's authorities.")
  var gitCacert = environment("GIT_CACERT", "")

  @Option(help: "For https: PEM of the client's certificate.")
  var gitCert = environment("GIT_CERT", "")

  @Option(help: "For https: PEM of the certificate's key.")
  var gitKey = environment("GIT_KEY", "")

  @Option(
    help:
      "For ssh: a private key without a passphrase. Default: the agent's keys, and the user's own.")
  var sshKey = environment("SSH_KEY", "")

  @Option(help: "For ssh: the keys of hosts. Default: the user's and the system's known_hosts.")
  var sshKnownHosts = environment("SSH_KNOWN_HOSTS", "")

  @Option(
    help: "Where mirrors of remote repositories are kept. Default: a folder for caches of the user."
  )
  var mirrorDir = environment("MIRROR_DIR", "")

  @Option(help: "Seconds that a fetch may take.")
  var fetchTimeout = environment("FETCH_TIMEOUT", SourceOpener.usualSeconds)

  func validate() throws {
    guard (1...86_400).contains(fetchTimeout) else {
      throw ValidationError("--fetch-timeout is from 1 to 86400 seconds")
    }
  }

  private var credentials: GitCredentials {
    func named(_ text: String) -> String? { text.isEmpty ? nil : text }
    var credentials = GitCredentials()
    credentials.user = gitUser
    credentials.passwordFile = named(gitPasswordFile)
    credentials.authoritiesFile = named(gitCacert)
    credentials.certificateFile = named(gitCert)
    credentials.certificateKeyFile = named(gitKey)
    credentials.sshKeyFile = named(sshKey)
    credentials.knownHostsFile = named(sshKnownHosts)
    return credentials
  }

  /// - Parameter branch: a branch, tag or commit; nothing was fetched yet.
  /// - Throws: `CommandFailure` if it is no repository.
  func open(
    branch: String = "HEAD", history: HistoryMode, trusting signers: TrustedSigners
  ) throws -> GitConfigSource {
    try opener.open(
      repo, branch: branch, history: history, with: credentials, trusting: signers)
  }

  var opener: SourceOpener {
    SourceOpener(mirrorFolder: mirrorFolder, fetchSeconds: fetchTimeout)
  }

  private var mirrorFolder: String {
    if !mirrorDir.isEmpty { return mirrorDir }
    let variables = ProcessInfo.processInfo.environment
    let caches = variables["XDG_CACHE_HOME"] ?? (variables["HOME"] ?? ".") + "/.cache"
    return caches + "/configsync/mirrors"
  }
}

/// Opens sources: local repositories as they are, and remote ones through a mirror.
struct SourceOpener: Sendable {
  /// How long a fetch may take, unless somebody says so.
  static let usualSeconds = 120

  var mirrorFolder: String
  /// How long a fetch may take.
  var fetchSeconds: Int

  /// - Parameter history: what the first sync takes: where that is one commit, a new mirror begins with a few.
  /// - Throws: `CommandFailure` if it is no repository.
  func open(
    _ url: String, branch: String, history: HistoryMode, with credentials: GitCredentials,
    trusting signers: TrustedSigners
  ) throws -> GitConfigSource {
    do {
      guard let remote = try GitRemote(url) else {
        return GitConfigSource(try GitRepository(url), branch: branch, trusting: signers)
      }
      var limits = GitMirror.Limits()
      limits.deadline = .seconds(fetchSeconds)
      let mirror = try GitMirror(
        of: remote, following: branch, with: credentials, in: mirrorFolder, limits: limits,
        depth: history == .head ? ReconcileOptions.firstSyncCommits + 1 : nil)
      return GitConfigSource(mirror, trusting: signers)
    } catch {
      throw CommandFailure(.unknown, "\(error)")
    }
  }
}
