public import ConfigModel
import Foundation

/// What a forge shows beside a commit.
public struct CommitStatus: Hashable, Sendable {
  public enum State: String, Hashable, Sendable { case pending, success, failure, error }

  public var state: State
  /// Tells statuses of one commit apart; a newer one of the same context replaces an older one.
  public var context: String
  /// For people; what is beyond a forge's limit is cut.
  public var description: String

  public init(_ state: State, context: String, description: String) {
    self.state = state
    self.context = context
    self.description = description
  }
}

/// A POST of JSON to another service.
public struct OutgoingRequest: Hashable, Sendable {
  public struct Header: Hashable, Sendable {
    public var name: String
    public var value: String
  }

  public var url: String
  public var headers: [Header]
  public var body: [UInt8]

  init(_ url: String, _ headers: KeyValuePairs<String, String>, _ body: [UInt8]) {
    self.url = url
    self.headers = headers.map { Header(name: $0.key, value: $0.value) }
    self.body = body
  }
}

/// Where the statuses of a repository's commits go: the API of GitHub, GitLab or Gitea.
///
/// Sources: GitHub's [REST API](https://docs.github.com/rest/commits/statuses) of 2022-11-28, GitLab's
/// [commits API](https://docs.gitlab.com/api/commits/) version 4, Gitea's API version 1.
public struct StatusAddress: Hashable, Sendable {
  /// Those that have commit statuses in here.
  public static let kinds: [ForgeKind] = [.github, .gitlab, .gitea]
  /// Characters of a description: GitHub's limit is the lowest of the three.
  static let descriptionLength = 140

  public let kind: ForgeKind
  /// The API's URL, without a slash at its end.
  public let api: String
  /// `OWNER/NAME`; at GitLab any number of groups.
  public let repository: String

  /// - Throws: `OutgoingError` for an API that would take the token unprotected, and for what names no repository.
  public init(_ kind: ForgeKind, api: String, repository: String) throws(OutgoingError) {
    try checkOutgoing(api)
    guard !api.contains("?") else { throw OutgoingError("an API has no query") }
    guard StatusAddress.kinds.contains(kind) else {
      let kinds = StatusAddress.kinds.map(\.rawValue).joined(separator: ", ")
      throw OutgoingError("commit statuses go to \(kinds), and not to \(kind.rawValue)")
    }
    let parts = repository.split(separator: "/", omittingEmptySubsequences: false)
    let isFit = parts.allSatisfy { part in
      !part.isEmpty && part != "." && part != ".." && part.utf8.allSatisfy(StatusAddress.isPlain)
    }
    guard isFit, parts.count == 2 || (kind == .gitlab && parts.count > 2) else {
      throw OutgoingError("'\(repository)' is no OWNER/NAME of a repository")
    }
    self.kind = kind
    self.api = api.hasSuffix("/") ? String(api.dropLast()) : api
    self.repository = repository
  }

  /// What is not said belongs to the URL of the repository.
  ///
  /// - Throws: `OutgoingError` if that is none of a forge.
  public init(
    _ kind: ForgeKind, api: String?, repository: String?, ofRepositoryAt url: String
  ) throws(OutgoingError) {
    if let api, let repository {
      try self.init(kind, api: api, repository: repository)
      return
    }
    guard let remote = try? GitRemote(url), let host = StatusAddress.host(of: remote) else {
      throw OutgoingError("the source's url is of no forge: name the 'api' and the 'repository'")
    }
    let guessed =
      switch kind {
      case .github where host == "github.com" || host.hasSuffix(".ghe.com"): "https://api.\(host)"
      case .github: "https://\(host)/api/v3"
      case .gitlab: "https://\(host)/api/v4"
      default: "https://\(host)/api/v1"
      }
    try self.init(kind, api: api ?? guessed, repository: repository ?? StatusAddress.path(in: url))
  }

  /// Where the forge of a repository answers over https, with its port; nil where that can't be told.
  private static func host(of remote: GitRemote) -> String? {
    switch remote.kind {
    case .https:
      guard let port = URLComponents(string: remote.url)?.port, port != 443 else {
        return remote.host.lowercased()
      }
      return "\(remote.host.lowercased()):\(port)"
    // The port is another service's. These hosts are there for networks that let only 443 through.
    case .ssh:
      return [
        "ssh.github.com": "github.com", "altssh.gitlab.com": "gitlab.com",
      ][remote.host.lowercased()] ?? remote.host.lowercased()
    case .http, .git: return nil
    }
  }

  /// The path of a repository's URL, without what Git allows at its end.
  private static func path(in url: String) -> String {
    var path = url
    if let scheme = url.range(of: "://") {
      path = String(url[scheme.upperBound...].drop { $0 != "/" })
    } else {
      path = String(url.drop { $0 != ":" }.dropFirst())
    }
    while path.hasPrefix("/") { path.removeFirst() }
    while path.hasSuffix("/") { path.removeLast() }
    if path.hasSuffix(".git") { path.removeLast(4) }
    return path
  }

  /// - Parameter token: of somebody who may set statuses there.
  public func request(
    _ status: CommitStatus, of commit: CommitID, token: String
  ) -> OutgoingRequest {
    let description = StatusAddress.cut(status.description)
    switch kind {
    case .gitlab:
      let project = repository.split(separator: "/").joined(separator: "%2F")
      return OutgoingRequest(
        "\(api)/projects/\(project)/statuses/\(commit.text)", ["PRIVATE-TOKEN": token],
        json([
          "state": status.state.gitlab, "name": status.context, "description": description,
        ]))
    default:
      let scheme = kind == .github ? "Bearer" : "token"
      var request = OutgoingRequest(
        "\(api)/repos/\(repository)/statuses/\(commit.text)",
        ["Authorization": "\(scheme) \(token)"],
        json([
          "state": status.state.rawValue, "context": status.context, "description": description,
        ]))
      if kind == .github {
        request.headers.append(.init(name: "Accept", value: "application/vnd.github+json"))
        request.headers.append(.init(name: "X-GitHub-Api-Version", value: "2022-11-28"))
      }
      return request
    }
  }

  /// Whether a refusal says only that the commit has this status already, as GitLab does.
  func isRepetition(status: Int, _ answer: String) -> Bool {
    kind == .gitlab && status == 400 && answer.contains("Cannot transition status")
  }

  private static func isPlain(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, 0x2d, 0x2e, 0x5f: true
    default: false
    }
  }

  private static func cut(_ text: String) -> String {
    let line = oneLine(text)
    guard line.utf16.count > descriptionLength else { return line }
    var short = String.UnicodeScalarView()
    var count = 0
    for scalar in line.unicodeScalars {
      count += UTF16.width(scalar)
      guard count < descriptionLength else { break }
      short.append(scalar)
    }
    return String(short) + "…"
  }
}

extension CommitStatus.State {
  fileprivate var gitlab: String { self == .failure || self == .error ? "failed" : rawValue }
}

/// JSON with its names in order.
private func json(_ members: [String: String]) -> [UInt8] {
  let encoder = JSONEncoder()
  encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
  // Texts can always be encoded.
  return (try? encoder.encode(members)).map(Array.init) ?? []
}

/// Why nothing can be sent somewhere.
public struct OutgoingError: Error, Hashable, CustomStringConvertible {
  public let description: String
  init(_ description: String) { self.description = description }
}

/// Bytes of a URL that something is sent to.
private let maximumURLBytes = 2048

/// - Throws: `OutgoingError` unless it is https, or http of this machine alone: what is sent must not cross a
///   network unprotected.
func checkOutgoing(_ url: String) throws(OutgoingError) {
  guard url.utf8.count <= maximumURLBytes, url.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f }),
    let parts = URLComponents(string: url), let host = parts.host, !host.isEmpty
  else { throw OutgoingError("it is no URL") }
  guard parts.user == nil, parts.password == nil, parts.fragment == nil else {
    throw OutgoingError("it names a user or has a fragment")
  }
  let isLocal = ["127.0.0.1", "localhost", "::1", "[::1]"].contains(host)
  guard parts.scheme == "https" || (parts.scheme == "http" && isLocal) else {
    throw OutgoingError("what is sent there would cross the network unprotected: use https")
  }
}
