import CLibGit2

extension GitRepository {
  private static let pushDeadline = Duration.seconds(120)

  /// Pushes the branch that is checked out to where it came from, as `git push` does, with the user's own configuration
  /// and credentials.
  ///
  /// - Throws: `GitError` with what Git says; nothing was pushed then.
  public func push() async throws {
    guard let branch = branchName(of: "HEAD") else {
      throw GitError.failed(operation: "push", reason: "no branch is checked out")
    }
    let outcome = try await ChildProgram(
      purpose: "push", name: "git", arguments: ["-C", path, "push", "--porcelain"],
      environment: nil, deadline: GitRepository.pushDeadline
    ).run()
    guard outcome.code == 0 else {
      let lines = outcome.errorText.split(whereSeparator: \.isNewline).prefix(3)
      throw GitError.failed(
        operation: "push '\(branch)'",
        reason: lines.isEmpty ? "git gave no reason" : lines.joined(separator: "; "))
    }
  }
}
