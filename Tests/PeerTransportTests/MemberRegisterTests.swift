import Cluster
import Logging
import NIOPosix
import Raft
import Testing

@testable import PeerTransport

/// Where a member is reached: nobody listens at these addresses, so no link is ever connected.
struct MemberRegisterTests {
  private let register = MemberRegister(own: MemberID(1)) { peer, address in
    let hello = PeerFrame.Hello(cluster: 1, from: MemberID(1), to: peer, urls: [])
    return PeerLink(
      to: address, hello: hello, group: MultiThreadedEventLoopGroup.singleton,
      logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }, lost: {}, removed: {})
  }

  private func peer(_ id: UInt64, _ port: Int) -> Peer {
    Peer(id: MemberID(id), name: "", urls: ["http://127.0.0.1:\(port)"])
  }

  private func port(of id: UInt64) -> Int? { register.link(to: MemberID(id))?.address.port }

  /// A member that joins reads the log from its first entry: what it has read so far names neither who
  /// joined later nor where a founder is by now.
  @Test func whoHasComeByItselfStaysReachable() {
    register.update([peer(2, 1), peer(4, 2)], removed: [])
    register.introduce(peer(4, 2))
    register.update([peer(2, 1)], removed: [])
    #expect(port(of: 4) == 2, "a contact that has come stays")
    register.introduce(peer(5, 3))
    register.update([peer(2, 1)], removed: [])
    #expect(port(of: 5) == 3)
    register.update([peer(2, 1), peer(4, 2), peer(5, 3)], removed: [])
    register.update([peer(2, 1)], removed: [])
    #expect(port(of: 4) == nil && port(of: 5) == nil, "known by now, and gone")
    register.close()
  }

  @Test func aMemberIsAnsweredWhereItSaysItIsUnlessItIsReached() {
    register.update([peer(2, 1)], removed: [])
    register.introduce(peer(2, 9))
    #expect(port(of: 2) == 9, "nobody answers at the address that was known")
    register.introduce(Peer(id: MemberID(2), name: "", urls: ["nonsense"]))
    #expect(port(of: 2) == 9)
    register.update([], removed: [MemberID(2)])
    #expect(port(of: 2) == nil && register.isRemoved(MemberID(2)))
    register.close()
  }
}
