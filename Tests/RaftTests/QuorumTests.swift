import Testing

@testable import Raft

struct QuorumTests {
  @Test func committedIndexIsWhatAMajorityHas() {
    // Against the plain definition, for every state of up to five voters over four indexes.
    for count in 1...5 {
      let voters = (1...UInt64(count)).map(MemberID.init)
      let states = (0..<Int(pow4(count))).map { number in
        (0..<count).map { LogIndex(UInt64(number / pow4($0) % 4)) }
      }
      for state in states {
        let index = Majority(voters).committedIndex { state[Int($0.rawValue) - 1] }
        let expected = (0...3).reversed().first { candidate in
          state.count { $0 >= LogIndex(UInt64(candidate)) } * 2 > count
        }
        #expect(index == LogIndex(UInt64(expected ?? 0)))
      }
    }
  }

  @Test func anElectionIsWonByAMajorityAndLostWithoutTheHopeOfOne() {
    let quorum = Quorum(Membership(voters: (1...5).map(MemberID.init)))
    let yes = { (ids: [UInt64]) in ids.map { (MemberID($0), true) } }
    let no = { (ids: [UInt64]) in ids.map { (MemberID($0), false) } }
    #expect(quorum.verdict(on: Dictionary(uniqueKeysWithValues: yes([1, 2]))) == .pending)
    #expect(quorum.verdict(on: Dictionary(uniqueKeysWithValues: yes([1, 2, 3]))) == .won)
    #expect(
      quorum.verdict(on: Dictionary(uniqueKeysWithValues: no([1, 2]) + yes([3]))) == .pending)
    #expect(quorum.verdict(on: Dictionary(uniqueKeysWithValues: no([1, 2, 4]))) == .lost)
    #expect(quorum.verdict(on: [MemberID(9): true]) == .pending, "a stranger has no vote")
  }

  private func pow4(_ exponent: Int) -> Int { 1 << (2 * exponent) }
}
