import Foundation

/// A repository in a temporary folder, written with the `git` program.
public final class GitFixture: Sendable {
  private let folder: TemporaryFolder
  public var path: String { folder.path + "/repository" }

  public init() throws {
    folder = try TemporaryFolder()
    try FileManager.default.createDirectory(
      atPath: folder.path + "/repository", withIntermediateDirectories: true)
    try run("init", "-q", "-b", "main")
    try run("config", "user.name", "Ada")
    try run("config", "user.email", "ada@example.com")
  }

  public func write(_ files: [String: String]) throws {
    for (name, content) in files {
      let url = URL(fileURLWithPath: path).appendingPathComponent(name)
      try FileManager.default.createDirectory(
        at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
      try Data(content.utf8).write(to: url)
    }
  }

  /// Commits the files with everything else that has changed.
  ///
  /// - Returns: the commit's id.
  @discardableResult
  public func commit(_ files: [String: String], _ message: String) throws -> String {
    try write(files)
    try run("add", "-A")
    try run("commit", "-q", "--allow-empty", "-m", message)
    return try run("rev-parse", "HEAD")
  }

  @discardableResult
  public func run(_ arguments: String...) throws -> String {
    let (status, output) = try execute(
      "git", ["-C", path] + arguments,
      environment: [
        "GIT_AUTHOR_DATE": "2024-05-06T07:08:09+02:00",
        "GIT_COMMITTER_DATE": "2024-05-06T07:08:09+02:00", "GIT_CONFIG_GLOBAL": "/dev/null",
      ])
    guard status == 0 else { throw CommandError(arguments: arguments, output: output) }
    return output.trimmingCharacters(in: .whitespacesAndNewlines)
  }
}

public struct CommandError: Error {
  public var arguments: [String]
  public var output: String

  public init(arguments: [String], output: String) {
    self.arguments = arguments
    self.output = output
  }
}

/// Runs a program found on the path, or by its own; standard error is part of the output.
public func execute(
  _ program: String, _ arguments: [String], input: String = "",
  environment: [String: String] = [:]
) throws -> (status: Int32, output: String) {
  let process = Process()
  process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
  process.arguments = [program] + arguments
  process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
  let (output, source) = (Pipe(), Pipe())
  process.standardOutput = output
  process.standardError = output
  process.standardInput = source
  try process.run()
  source.fileHandleForWriting.write(Data(input.utf8))
  try source.fileHandleForWriting.close()
  let data = output.fileHandleForReading.readDataToEndOfFile()
  process.waitUntilExit()
  return (process.terminationStatus, String(decoding: data, as: UTF8.self))
}
