import Cluster
import Raft
import Synchronization

/// The members with whom this one is connected, and those who were removed for good.
final class MemberRegister: Sendable {
  private struct State {
    var links: [MemberID: PeerLink] = [:]
    var removed: Set<MemberID> = []
    /// Have come by themselves, and are not known by the address at which they are reached.
    var introduced: Set<MemberID> = []
    var isClosed = false
  }

  private let own: MemberID
  private let makeLink: @Sendable (MemberID, PeerAddress) -> PeerLink
  private let state = Mutex(State())

  init(own: MemberID, makeLink: @escaping @Sendable (MemberID, PeerAddress) -> PeerLink) {
    self.own = own
    self.makeLink = makeLink
  }

  func link(to member: MemberID) -> PeerLink? { state.withLock { $0.links[member] } }

  func isRemoved(_ member: MemberID) -> Bool { state.withLock { $0.removed.contains(member) } }

  /// Connects to `members` and closes the connections to everyone else, but for those who have come
  /// by themselves: what makes them known may be on its way from them.
  func update(_ members: [Peer], removed: Set<MemberID>) {
    var unneeded: [PeerLink] = []
    var opened: [PeerLink] = []
    state.withLock { state in
      state.removed = removed
      guard !state.isClosed else { return }
      state.introduced.subtract(removed)
      let kept = Set(members.map(\.id)).union(state.introduced)
      for (id, link) in state.links where !kept.contains(id) {
        unneeded.append(link)
        state.links[id] = nil
      }
      for member in members {
        let link = state.links[member.id]
        if link?.address == MemberRegister.address(of: member) {
          state.introduced.remove(member.id)
        } else if state.introduced.contains(member.id), link?.isConnected == true {
          // What this member has read so far may be older than where the other is now.
          continue
        }
        connect(member, in: &state, opened: &opened, replaced: &unneeded)
      }
    }
    for link in unneeded { link.close() }
    for link in opened { link.connect() }
  }

  /// A member has come by itself: it is answered at the address that it names, at once, unless it is reached
  /// already. It stays known until what this member has read says the same.
  func introduce(_ member: Peer) {
    var opened: [PeerLink] = []
    var replaced: [PeerLink] = []
    state.withLock { state in
      let link = state.links[member.id]
      guard !state.isClosed, link != nil || state.links.count < Membership.memberLimit
      else { return }
      state.introduced.insert(member.id)
      guard link?.isConnected != true else { return }
      connect(member, in: &state, opened: &opened, replaced: &replaced)
      if opened.isEmpty, let link { opened = [link] }
    }
    for link in replaced { link.close() }
    for link in opened { link.connectNow() }
  }

  private static func address(of member: Peer) -> PeerAddress? {
    member.urls.lazy.compactMap(PeerAddress.init(url:)).first
  }

  private func connect(
    _ member: Peer, in state: inout State, opened: inout [PeerLink], replaced: inout [PeerLink]
  ) {
    guard member.id != own,
      let address = MemberRegister.address(of: member),
      state.links[member.id]?.address != address
    else { return }
    if let old = state.links[member.id] { replaced.append(old) }
    let link = makeLink(member.id, address)
    state.links[member.id] = link
    opened.append(link)
  }

  func close() {
    let links = state.withLock { state in
      state.isClosed = true
      defer { state.links = [:] }
      return Array(state.links.values)
    }
    for link in links { link.close() }
  }
}
