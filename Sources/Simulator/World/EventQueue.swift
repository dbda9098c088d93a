/// Microseconds since the world began.
typealias VirtualTime = UInt64

/// A member as it was started once: what was meant for it is void after a crash.
struct Incarnation: Hashable, Sendable {
  var member: UInt64
  var number: Int
}

/// What will happen, ordered by time, and by the order of scheduling at the same time.
struct EventQueue {
  struct Item {
    var time: VirtualTime
    var order: UInt64
    /// Whom it happens to; nil for the world itself.
    var owner: Incarnation?
    var name: StaticString
    var action: () -> Void

    func precedes(_ other: Item) -> Bool {
      time < other.time || (time == other.time && order < other.order)
    }
  }

  /// A binary heap: each item precedes its children.
  private var heap: [Item] = []
  private var scheduled: UInt64 = 0

  mutating func add(
    at time: VirtualTime, owner: Incarnation?, name: StaticString, _ action: @escaping () -> Void
  ) {
    scheduled += 1
    heap.append(
      Item(time: time, order: scheduled, owner: owner, name: name, action: action))
    var child = heap.count - 1
    while child > 0, heap[child].precedes(heap[(child - 1) / 2]) {
      heap.swapAt(child, (child - 1) / 2)
      child = (child - 1) / 2
    }
  }

  var nextTime: VirtualTime? { heap.first?.time }

  mutating func take() -> Item? {
    guard let first = heap.first, let last = heap.popLast() else { return nil }
    guard !heap.isEmpty else { return first }
    heap[0] = last
    var parent = 0
    while true {
      var least = parent
      for child in [2 * parent + 1, 2 * parent + 2]
      where child < heap.count && heap[child].precedes(heap[least]) { least = child }
      if least == parent { return first }
      heap.swapAt(parent, least)
      parent = least
    }
  }
}
