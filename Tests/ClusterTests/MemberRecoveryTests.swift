import Foundation
import Raft
import RaftLog
import Store
import TestSupport
import Testing

@testable import Cluster

struct MemberRecoveryTests {
  /// Starts a member of so many voters whose log has lost its last durable write.
  private func recover(voters: Int, commit: UInt64) throws -> RaftRecovery {
    let folder = try TemporaryFolder()
    let identity = LogIdentity(cluster: 1, member: MemberID(1))
    let entries = (1...3).map { index in
      Entry(term: Term(1), index: LogIndex(UInt64(index)), kind: .noOperation, payload: [])
    }
    let directory = folder.path + "/log"
    let once = SegmentLimits(copiedBytes: 0)
    let log = try SegmentedLog.open(directory: directory, identity: identity, limits: once).log
    let state = HardState(term: Term(1), vote: MemberID(1), commit: LogIndex(commit))
    try log.append(hardState: state, entries: Array(entries[..<2]))
    try log.append(hardState: nil, entries: [entries[2]])
    try log.seal()
    let name = try #require(FileManager.default.contentsOfDirectory(atPath: directory).first)
    let file = URL(fileURLWithPath: directory + "/" + name)
    var bytes = [UInt8](try Data(contentsOf: file))
    let last = try #require(bytes.lastIndex { $0 != 0 })
    bytes[last] ^= 1
    try Data(bytes).write(to: file)
    let store = try KeyValueStore(directory: folder.path + "/state", cluster: 1)
    let ids = (1...UInt64(voters)).map(MemberID.init)
    let members = ids.map { id in
      StoredMember(id: id.rawValue, name: "", clientURLs: [], peerURLs: ["http://m\(id)"])
    }
    try store.found(members: members, membership: LogMembership(Membership(voters: ids)))
    let opened = try SegmentedLog.open(directory: directory, identity: identity)
    #expect(opened.recovered.damage != nil)
    return try MemberRecovery(log: opened.log, found: opened.recovered, store: store).run()
  }

  @Test func whatNobodyElseMayHoldIsNotForgotten() throws {
    for (voters, reason) in [(1, "the only voter"), (2, "had only just been added")] {
      do {
        _ = try recover(voters: voters, commit: 0)
        Issue.record("a member of \(voters) starts")
      } catch let error as StartError {
        #expect(error.description.contains(reason))
        #expect(error.description.contains("Nothing was changed"))
      }
    }
  }

  @Test func whatOthersHoldIsFilledUpAgain() throws {
    let recovered = try recover(voters: 3, commit: 0)
    #expect(recovered.lost?.index == LogIndex(3) && recovered.entries.count == 2)
  }
}
