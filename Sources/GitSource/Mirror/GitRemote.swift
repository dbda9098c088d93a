import Foundation

/// Where a repository is fetched from.
public struct GitRemote: Hashable, Sendable {
  public enum Kind: Hashable, Sendable { case https, http, ssh, git }

  public let url: String
  public let kind: Kind
  /// The host, for messages.
  public let host: String

  private static let maximumLength = 2048

  /// `https://`, `http://`, `ssh://` or `git://`, or `user@host:path` for ssh; nil for what is a local path or a
  /// `file://` URL.
  ///
  /// - Throws: `GitError.invalidURL` for any other scheme, and for a URL that holds a password.
  public init?(_ url: String) throws(GitError) {
    guard url.contains("://") || GitRepository.isRemoteShorthand(url) else { return nil }
    if url.lowercased().hasPrefix("file://") { return nil }
    guard url.utf8.count <= GitRemote.maximumLength,
      url.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7f }), !url.hasPrefix("-")
    else { throw .invalidURL("it holds a space or a control character, or is too long") }
    self.url = url
    guard url.contains("://") else {
      kind = .ssh
      let user = url.prefix { $0 != "@" }
      host = String(url.dropFirst(user.count + 1).prefix { $0 != ":" })
      // Git would take it for an option of ssh.
      guard !host.isEmpty, !host.hasPrefix("-"), !user.hasPrefix("-") else {
        throw .invalidURL("'\(host)' is no host")
      }
      return
    }
    guard let parts = URLComponents(string: url), let name = parts.host, !name.isEmpty,
      !name.hasPrefix("-"), parts.user?.hasPrefix("-") != true
    else { throw .invalidURL("'\(GitRemote.withoutPassword(url))' names no host") }
    guard parts.password == nil else {
      throw .invalidURL(
        "it holds a password, which logs and lists of processes would show: name a file with it instead"
      )
    }
    guard parts.query == nil, parts.fragment == nil else {
      throw .invalidURL(
        "it has a query or a fragment, which no repository needs, and which may hold a secret")
    }
    host = name
    switch parts.scheme?.lowercased() {
    case "https": kind = .https
    case "http": kind = .http
    case "ssh": kind = .ssh
    case "git": kind = .git
    default:
      throw .invalidURL("'\(parts.scheme ?? "")' is none of https, http, ssh, git and file")
    }
    if kind != .ssh, parts.user != nil {
      throw .invalidURL("it names a user: who asks is said beside the URL")
    }
  }

  private static func withoutPassword(_ url: String) -> String {
    url.contains("@") ? "the URL" : url
  }

  /// As Git names the protocol in `protocol.<name>.allow`.
  var protocolName: String {
    switch kind {
    case .https: "https"
    case .http: "http"
    case .ssh: "ssh"
    case .git: "git"
    }
  }
}

/// How a remote is asked; what is secret is named by its file alone.
public struct GitCredentials: Hashable, Sendable {
  /// For https: who asks. Forges take any name beside a token, and most this one.
  public var user = "x-access-token"
  /// A file with the password or token of `user`.
  public var passwordFile: String?
  /// PEM: who is trusted to certify the server, instead of the system's authorities.
  public var authoritiesFile: String?
  /// PEM: the client's certificate and its key.
  public var certificateFile: String?
  public var certificateKeyFile: String?
  /// For ssh: a private key without a passphrase; without it the agent is asked (`SSH_AUTH_SOCK`).
  public var sshKeyFile: String?
  /// The keys of hosts; without it those of the user and the system.
  public var knownHostsFile: String?

  public init() {}
}
