import CacheStorage
import Compiler
import ConfigModel
import Foundation
import GitSource

/// Compiles the first commit of a repository whole, then each commit after it as a change of the one before.
///
/// Prints a line of JSON for each thing that is measured. Ends non-zero if a commit is not valid, changes nothing,
/// or if what came of the changes differs from the last commit compiled whole.
///
/// usage: compile-bench REPOSITORY
@main
struct CompileBench {
  private struct Failure: Error, CustomStringConvertible {
    var description: String
  }

  private static let clock = ContinuousClock()

  static func main() throws {
    guard CommandLine.arguments.count == 2 else {
      throw Failure(description: "usage: compile-bench REPOSITORY")
    }
    let repository = try GitRepository(CommandLine.arguments[1])
    let commits = Array(try repository.firstParents(from: try repository.resolve()).reversed())
    let cache = CompileCache()
    var keySpace = try compileFirst(commits[0], of: repository, cache)
    try compileEdits(commits.dropFirst(), of: repository, cache, &keySpace)
    try compileUnchanged(commits[commits.count - 1], of: repository, cache)
    try compileStored(commits[commits.count - 1], of: repository)
    try check(keySpace, against: commits[commits.count - 1], of: repository)
  }

  private static func compileFirst(
    _ commit: CommitID, of repository: GitRepository, _ cache: CompileCache
  ) throws -> KeySpace {
    var start = clock.now
    let tree = try repository.tree(of: commit)
    report("tree", ["seconds": seconds(since: start), "files": tree.count])
    start = clock.now
    let (keySpace, files) = try valid(compile(tree, cache: cache))
    report(
      "full",
      [
        "seconds": seconds(since: start), "files": files, "keys": keySpace.count,
        "bytes": tree.files.reduce(0) { $0 + $1.byteCount }, "peak_bytes": peakBytes(),
      ])
    return keySpace
  }

  private static func compileEdits(
    _ commits: ArraySlice<CommitID>, of repository: GitRepository, _ cache: CompileCache,
    _ keySpace: inout KeySpace
  ) throws {
    var times: [Double] = []
    for commit in commits {
      let start = clock.now
      let next = try valid(compile(try repository.tree(of: commit), cache: cache)).keySpace
      let diff = KeySpaceDiff(from: keySpace, to: next)
      times.append(seconds(since: start))
      guard !diff.changes.isEmpty else { throw Failure(description: "\(commit) changes nothing") }
      keySpace = next
    }
    guard !times.isEmpty else { return }
    times.sort()
    report(
      "edit",
      [
        "count": times.count, "p50_seconds": times[times.count / 2],
        "p99_seconds": times[times.count * 99 / 100], "max_seconds": times[times.count - 1],
        "peak_bytes": peakBytes(),
      ])
  }

  /// A tree that was read anew, file by file, in which nothing has changed.
  private static func compileUnchanged(
    _ commit: CommitID, of repository: GitRepository, _ cache: CompileCache
  ) throws {
    let tree = SourceTree(Array(try repository.tree(of: commit).files))
    let start = clock.now
    _ = try valid(compile(tree, cache: cache))
    report("unchanged", ["seconds": seconds(since: start)])
  }

  /// As two processes one after the other would, with a cache in a directory.
  private static func compileStored(_ commit: CommitID, of repository: GitRepository) throws {
    let directory = NSTemporaryDirectory() + "/compile-bench.\(getpid())"
    defer { try? FileManager.default.removeItem(atPath: directory) }
    guard let program = ProgramIdentity.current() else {
      throw Failure(description: "the program has no build id")
    }
    for measure in ["storing", "stored"] {
      let storage = try CacheDirectory(path: directory, program: program)
      let start = clock.now
      _ = try valid(compile(try repository.tree(of: commit), cache: CompileCache(storage: storage)))
      report(measure, ["seconds": seconds(since: start)])
    }
  }

  private static func check(
    _ keySpace: KeySpace, against commit: CommitID, of repository: GitRepository
  ) throws {
    let whole = try valid(compile(try repository.tree(of: commit))).keySpace
    let isEqual = zip(whole.items, keySpace.items).allSatisfy {
      $0.key == $1.key && $0.value == $1.value
    }
    guard whole.count == keySpace.count, isEqual else {
      throw Failure(description: "the changes gave another result than the whole")
    }
  }

  private static func valid(_ compilation: Compilation) throws -> (keySpace: KeySpace, files: Int) {
    guard let keySpace = compilation.keySpace else {
      throw Failure(description: "not valid: \(compilation.diagnostics.prefix(5))")
    }
    return (keySpace, compilation.fileCount)
  }

  private static func seconds(since start: ContinuousClock.Instant) -> Double {
    let duration = start.duration(to: clock.now).components
    return Double(duration.seconds) + Double(duration.attoseconds) / 1e18
  }

  /// The most memory that the process had so far, by the kernel's account.
  private static func peakBytes() -> Int {
    let status = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
    let line = status.split(separator: "\n").first { $0.hasPrefix("VmHWM:") } ?? ""
    return (Int(line.filter(\.isNumber)) ?? 0) * 1024
  }

  private static func report(_ measure: String, _ values: [String: any Sendable]) {
    let pairs = values.sorted { $0.key < $1.key }.map { "\"\($0.key)\": \($0.value)" }
    print("{\"measure\": \"\(measure)\", \(pairs.joined(separator: ", "))}")
  }
}
