import ConfigModel
import Foundation
import GitSource
import Reconciler
import TestSupport
import Testing

@testable import Server

/// A source whose mirror begins with a few commits answers as one that has all.
struct ShallowSourceTests {
  private let git: GitFixture
  private let folder: TemporaryFolder
  private let ids: [CommitID]

  init() throws {
    git = try GitFixture()
    folder = try TemporaryFolder()
    var ids: [CommitID] = []
    for number in 1...8 {
      ids.append(try #require(CommitID(try git.commit(["a.yaml": "x: \(number)\n"], "c\(number)"))))
    }
    // A branch that left before the cut, merged into the newest.
    try git.run("checkout", "-q", "-b", "side", ids[1].text)
    ids.append(try #require(CommitID(try git.commit(["b.yaml": "y: 1\n"], "side"))))
    try git.run("checkout", "-q", "main")
    try git.run("merge", "-q", "--no-edit", "side")
    ids.append(try #require(CommitID(try git.run("rev-parse", "HEAD"))))
    try git.run("clone", "-q", "--bare", git.path, folder.path + "/repository.git")
    self.ids = ids
  }

  private func source(_ url: String, depth: Int?) async throws -> GitConfigSource {
    let mirror = try GitMirror(
      of: try #require(try GitRemote(url)), following: "main", with: GitCredentials(),
      in: folder.path + "/mirrors-\(UUID().uuidString)", depth: depth)
    let source = GitConfigSource(mirror, trusting: TrustedSigners())
    try await source.refresh()
    return source
  }

  @Test func itAnswersAsAWholeOne() async throws {
    let remote = try GitServers.daemon(folder.path, scratch: folder.path)
    let whole = try await source(remote.url, depth: nil)
    let tip = try await whole.tip()
    typealias Question = (GitConfigSource) async throws -> String
    let questions: [Question] = [
      { "\(try await $0.firstParents(from: tip, until: nil, limit: .max))" },
      { source in "\(try await source.firstParents(from: tip, until: ids[0], limit: .max))" },
      { source in "\(try await source.isAncestor(ids[0], of: tip))" },
      { source in "\(try await source.isAncestor(tip, of: ids[0]))" },
      { source in "\(try await source.holds(ids[0]))" },
      { source in "\(try await source.holds(CommitID(String(repeating: "f", count: 40))!))" },
      { source in "\(try await source.facts(of: ids[2]).parents)" },
      { source in "\(try await source.facts(of: ids[5]).parents)" },
      { source in "\(try await source.tree(of: ids[0]).files.map(\.path).sorted())" },
      { source in "\(try await source.commits(reachableFrom: tip, butNotFrom: ids[6]))" },
      { source in "\(try await source.resolve(ids[3].text))" },
      { source in "\(try await source.resolve(tip.text + "~5"))" },
    ]
    for (place, question) in questions.enumerated() {
      for depth in [1, 2, 4] {
        let shallow = try await source(remote.url, depth: depth)
        let isCut = try !shallow.repository.shallowCommits().isEmpty
        #expect(isCut, "there is something to leave out")
        let (answer, expected) = (try await question(shallow), try await question(whole))
        #expect(answer == expected, "question \(place) at depth \(depth)")
      }
    }
  }

  @Test func aFirstSyncNeedsNoMore() async throws {
    var remote: (url: String, port: Int, server: ServerProcess)? = try GitServers.daemon(
      folder.path, scratch: folder.path)
    let source = try await source(try #require(remote).url, depth: 4)
    let tip = try await source.tip()
    // Nobody answers any more.
    remote = nil
    #expect(remote == nil)
    #expect(try await source.tree(of: tip).count == 2)
    #expect(try await source.facts(of: tip).parents.count == 2)
    #expect(try await source.firstParents(from: tip, until: nil, limit: 3).count == 3)
    // What is left out can't be told then, and is not taken for missing.
    await #expect(throws: GitError.self) { try await source.holds(ids[3]) }
    await #expect(throws: GitError.self) { try await source.isAncestor(ids[3], of: tip) }
    await #expect(throws: GitError.self) {
      try await source.commits(reachableFrom: tip, butNotFrom: ids[6])
    }
  }
}
