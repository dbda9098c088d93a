import CLibGit2

/// Why something can't be read from, or written to, a repository.
public enum GitError: Error, Hashable, Sendable, CustomStringConvertible {
  case notLocal(url: String)
  case invalidURL(String)
  /// The remote has no branch or tag of that name.
  case remoteLacks(name: String, host: String)
  case notRepository(path: String, reason: String)
  case unbornBranch(name: String)
  case unknownRevision(String)
  case missingParent(commit: String)
  case uncommittedChanges(paths: [String])
  case conflicts(commit: String, paths: [String])
  case noIdentity
  case failed(operation: String, reason: String)

  public var description: String {
    switch self {
    case .notLocal(let url):
      "'\(GitError.shown(url))' is not a local path or file:// URL: only 'apply' and 'run' fetch. Clone it, and name "
        + "the clone"
    case .invalidURL(let reason): "the URL of the repository can't be used: \(reason)"
    case .remoteLacks(let name, let host): "there is no branch or tag '\(name)' on \(host)"
    case .notRepository(let path, let reason):
      "'\(GitError.shown(path))' is not a Git repository"
        + (GitError.shown(path) == path ? ": \(reason)" : "")
    case .unbornBranch(let name): "the branch '\(name)' has no commit yet"
    case .unknownRevision(let revision): "there is no commit '\(revision)' in the repository"
    case .missingParent(let commit): "\(commit) is the first commit: there is nothing before it"
    case .uncommittedChanges(let paths):
      "the working tree has changes that are not committed: \(GitError.list(paths)). Commit or "
        + "stash them first"
    case .conflicts(let commit, let paths):
      "undoing \(commit) conflicts with later changes of \(GitError.list(paths)). Revert the later "
        + "commits first, or use rollback --to to restore a whole earlier state"
    case .noIdentity:
      "Git does not know who you are: set user.name and user.email with 'git config'"
    case .failed(let operation, let reason): "can't \(operation): \(reason)"
    }
  }

  /// Without what may be a password.
  private static func shown(_ location: String) -> String {
    guard let end = location.lastIndex(of: "@"), location[..<end].contains(":") else {
      return location
    }
    return "…" + location[end...]
  }

  private static func list(_ paths: [String]) -> String {
    let shown = paths.prefix(5).joined(separator: ", ")
    return paths.count > 5 ? "\(shown) and \(paths.count - 5) more" : shown
  }
}

/// libgit2's text for the last failure on this thread.
func lastReason() -> String {
  guard let error = git_error_last(), let message = error.pointee.message else {
    return "unknown reason"
  }
  return String(cString: message)
}

/// Throws what `code` means for `operation`, if it is a failure.
func check(_ code: Int32, _ operation: String) throws(GitError) {
  if code < 0 { throw .failed(operation: operation, reason: lastReason()) }
}

extension GitError {
  /// What Git says of a failed fetch, on one line.
  static func fetch(_ text: String, _ names: [String], _ remote: GitRemote) -> GitError {
    let lines = text.split(whereSeparator: \.isNewline).map { line in
      String(
        line.unicodeScalars.map { scalar in
          // Nothing that commands a terminal, or turns a text around.
          [.control, .format].contains(scalar.properties.generalCategory) ? " " : Character(scalar)
        }
      )
    }
    if lines.contains(where: { $0.contains("couldn't find remote ref") }) {
      return .remoteLacks(name: names.joined(separator: ", "), host: remote.host)
    }
    let said = lines.filter {
      $0.hasPrefix("fatal: ") || $0.hasPrefix("error: ") || $0.contains("ssh: ")
    }
    let reason = (said.isEmpty ? lines : said).prefix(3).joined(separator: "; ")
    return .failed(
      operation: "fetch from \(remote.host)",
      reason: reason.isEmpty ? "git gave no reason" : String(reason.prefix(500)))
  }
}
