import Logging
import Raft
import Store

/// Copies the state and streams it to members that the log can no longer serve.
struct SnapshotSender: Sendable {
  let member: ClusterMember
  let transport: any Transport
  private let queue: any WorkQueue

  init(member: ClusterMember, transport: any Transport) {
    self.member = member
    self.transport = transport
    queue = member.environment.makeQueue("configsync.snapshot")
  }

  func send(to peer: MemberID, term: Term) {
    let member = member
    let transport = transport
    queue.async {
      let path = member.store.outgoingPath(to: peer.rawValue)
      do {
        let state = try member.store.writeSnapshot(to: path)
        let mark = SnapshotMark(
          index: LogIndex(state.appliedIndex), term: Term(state.appliedTerm))
        member.logger.info(
          "sending a snapshot", metadata: ["to": "\(peer)", "index": "\(mark.index)"])
        let snapshot = OutgoingSnapshot(to: peer, term: term, mark: mark, path: path)
        transport.sendSnapshot(snapshot) { arrived in
          member.store.removeSnapshot(at: path)
          member.inbox.post(.raft(.snapshotSent(to: peer, mark: arrived ? mark : nil)))
        }
      } catch {
        member.logger.error("can't write a snapshot", metadata: ["error": "\(error)"])
        member.store.removeSnapshot(at: path)
        member.inbox.post(.raft(.snapshotSent(to: peer, mark: nil)))
      }
    }
  }
}
