import ArgumentParser
import ConfigModel
import GitSource

struct RollbackCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "rollback", abstract: "Write the commit that undoes another.",
    discussion: """
      The undoing is a commit like any other: it is reconciled as one, and survives
      every later sync. With --push it is pushed, as 'git push' does. Exit code 1:
      it conflicts with later changes.

      Examples:
        configsync rollback 3f2a91c
        configsync rollback --to v1.4
      """)

  @OptionGroup var repository: RepositoryOptions

  @Argument(help: "The commit to undo.")
  var commit: String?

  @Option(help: "Restore the whole state of this commit instead.")
  var to: String?

  @Flag(help: "Push the commit to where the branch came from.")
  var push = false

  func validate() throws {
    guard (commit == nil) != (to == nil) else {
      throw ValidationError("name a commit to undo, or --to with one to return to")
    }
  }

  func run() async throws {
    let repository = try repository.open()
    try write(repository)
    guard push else { return }
    do {
      try await repository.push()
    } catch {
      throw CommandFailure(
        .unknown, "the commit is written, and was not pushed; push it by 'git push': \(error)")
    }
    print("pushed")
  }

  private func write(_ repository: GitRepository) throws {
    do {
      let written: CommitID
      if let commit {
        written = try repository.revert(try repository.resolve(commit))
      } else {
        written = try repository.restore(try repository.resolve(to ?? "HEAD"))
      }
      print("\(written.short)  \(try repository.facts(of: written).subject)")
    } catch {
      let isConflict = if case .conflicts = error { true } else { false }
      throw CommandFailure(isConflict ? .no : .unknown, error.description)
    }
  }
}
