import Raft

extension ModelState {
  /// One thing that may happen; members are named by their place.
  enum Step: Hashable {
    case deliver(Int)
    /// Delivers a message that stays under way: it will come twice.
    case deliverCopy(Int)
    case drop(Int)
    case sync(Int)
    case syncOldest(Int)
    case pass(Int, RaftNode.Passage)
    case propose(Int)
    case change(Int, MembershipChange)
    case read(Int)
    case transfer(Int, to: MemberID)
    /// After some of the writes that are under way became durable, of which nobody is told any more.
    case crash(Int, writing: Int)
    case damage(Int, losing: Int, isOldBack: Bool)
    /// The state machine takes the snapshot that the log refers to.
    case install(Int)
    /// Cuts the log behind what is applied.
    case compact(Int)
    case unreachable(Int, MemberID)
    case endStream(Int, isWhole: Bool)
  }

  /// Everything that may happen next within the bounds of a search.
  var steps: [Step] {
    var steps = network.indices.map { Step.deliver($0) }
    for place in nodes.indices {
      let node = nodes[place]
      if !unsynced[place].isEmpty { steps.append(.sync(place)) }
      for passage in RaftNode.Passage.allCases {
        if passage == .electionTimeout, node.term.rawValue >= left.terms { continue }
        steps.append(.pass(place, passage))
      }
      if left.proposals > 0, node.isLeader { steps.append(.propose(place)) }
      if left.crashes > 0 { steps.append(.crash(place, writing: 0)) }
      if left.changes > 0, node.isLeader {
        steps.append(.change(place, .remove(node.id)))
        if let other = nodes.first(where: { $0.id != node.id }) {
          steps.append(.change(place, .remove(other.id)))
        }
        if let spare = nodes.last, !node.membership.membership.contains(spare.id) {
          steps.append(.change(place, .addVoter(spare.id)))
        }
      }
    }
    return steps
  }

  /// The state that a step leads to; nil if the step changes nothing.
  func after(_ step: Step) -> ModelState? {
    var next = self
    return next.take(step) ? next : nil
  }

  /// False if the step changes nothing.
  mutating func take(_ step: Step) -> Bool {
    switch step {
    case .deliver(let place): return receive(network.remove(at: place))
    case .deliverCopy(let place): return receive(network[place])
    case .drop(let place): network.remove(at: place)
    case .sync(let place), .syncOldest(let place):
      sync(place, onlyOldest: step == .syncOldest(place))
      drain(place)
    case .pass(let place, let passage):
      guard nodes[place].pass(passage) else { return false }
      drain(place)
    case .propose(let place):
      left.proposals -= 1
      propose(nil, on: place)
    case .change(let place, let change):
      left.changes -= 1
      propose(change, on: place)
    case .read(let place):
      reads += 1
      checks.asked(reads)
      nodes[place].step(.readRequested(ReadID(reads)))
      drain(place)
    case .transfer(let place, let target):
      nodes[place].step(.transferRequested(to: target))
      drain(place)
    case .crash(let place, let count):
      left.crashes -= 1
      for ready in unsynced[place].prefix(count) { write(ready, on: place) }
      restart(place)
    case .damage(let place, let count, let isOldBack):
      damage(place, losing: count, isOldBack: isOldBack)
    case .install(let place):
      install(place)
      drain(place)
    case .compact(let place): compact(place)
    case .unreachable(let place, let member):
      nodes[place].step(.unreachable(member))
      drain(place)
    case .endStream(let number, let isWhole): endStream(number, isWhole: isWhole)
    }
    return true
  }

  private mutating func receive(_ message: Message) -> Bool {
    guard let receiver = place(of: message.to) else { return false }
    nodes[receiver].step(.received(message))
    drain(receiver)
    return true
  }

  private mutating func propose(_ change: MembershipChange?, on place: Int) {
    proposals += 1
    let payload = [UInt8(truncatingIfNeeded: proposals), UInt8(truncatingIfNeeded: proposals >> 8)]
    nodes[place].step(.proposed([Proposal(id: proposals, payload: payload, change: change)]))
    drain(place)
  }

  private mutating func compact(_ place: Int) {
    let disk = disks[place]
    guard disk.applied > disk.base.index, let term = disk.term(at: disk.applied) else { return }
    disks[place].base = SnapshotMark(index: disk.applied, term: term)
    disks[place].entries.removeAll { $0.index <= disk.applied }
    disks[place].earlier = []
    nodes[place].step(.compacted(through: disk.applied))
    drain(place)
  }

  /// The receiver has the whole snapshot, or the stream broke; the sender learns which.
  private mutating func endStream(_ number: Int, isWhole: Bool) {
    let stream = streams.remove(at: number)
    if isWhole { _ = receive(stream.message) }
    nodes[stream.sender].step(
      .snapshotSent(to: stream.message.to, mark: isWhole ? stream.mark : nil))
    drain(stream.sender)
  }
}
