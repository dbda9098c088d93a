import Foundation
import Raft
import TestSupport
import Testing

@testable import RaftLog

struct DirectoryIdentityTests {
  private let identity = DirectoryIdentity(
    ids: LogIdentity(cluster: 0xc1, member: MemberID(0xab)), name: "the first one")

  @Test func whatIsKeptIsReadAgainAndStays() throws {
    let folder = try TemporaryFolder()
    #expect(try DirectoryIdentity.read(in: folder.path) == nil)
    #expect(try DirectoryIdentity.read(in: folder.path + "/absent") == nil)
    try identity.keep(in: folder.path, disk: FileDisk())
    #expect(try DirectoryIdentity.read(in: folder.path) == identity)
    // The name that it began with stays, whatever its settings say later.
    var renamed = identity
    renamed.name = "another"
    try renamed.keep(in: folder.path, disk: FileDisk())
    #expect(try DirectoryIdentity.read(in: folder.path)?.name == "the first one")
    var other = identity
    other.ids.member = MemberID(3)
    #expect(
      throws: LogError.foreign(path: folder.path, found: identity.ids, expected: other.ids)
    ) { try other.keep(in: folder.path, disk: FileDisk()) }
  }

  @Test(arguments: [
    "", "configsync identity 1\n", "configsync identity 2\ncluster c1\nmember ab\nname x\ncrc 0\n",
    "configsync identity 1\ncluster c1\nmember ab\nname the first one\ncrc 1\n",
    "configsync identity 1\ncluster c1\nmember xyz\nname the first one\ncrc 1\n",
  ])
  func whatNamesNoMemberIsDamage(text: String) throws {
    let folder = try TemporaryFolder()
    let path = folder.path + "/identity"
    try Data(text.utf8).write(to: URL(fileURLWithPath: path))
    #expect(throws: LogError.damaged(path: path, offset: 0, reason: "it names no member")) {
      try DirectoryIdentity.read(in: folder.path)
    }
  }

  @Test func aFailureAtAnyStepLeavesAWholeOneOrNone() throws {
    for step in 0..<5 {
      let folder = try TemporaryFolder()
      #expect(throws: LogError.self) {
        try identity.keep(in: folder.path, disk: FailingDisk(failsAt: step))
      }
      let found = try DirectoryIdentity.read(in: folder.path)
      #expect(found == nil || found == identity, "after step \(step)")
      // The next start carries on.
      try identity.keep(in: folder.path, disk: FileDisk())
      #expect(try DirectoryIdentity.read(in: folder.path) == identity)
    }
  }
}
