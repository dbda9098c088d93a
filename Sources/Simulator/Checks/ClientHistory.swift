import Raft
import Store

/// What clients were told, to be judged once the seed is over: is there one order of all requests
/// that explains every answer and agrees with real time?
///
/// The store's revisions are the witness of that order, so that the check takes O(*n* log *n*) and not
/// a search (as etcd's robustness tests do with Porcupine).
// Unchecked: the world is one thread.
final class ClientHistory: @unchecked Sendable {
  enum Answer {
    /// It took effect at this revision; what it replaced, where it asked for that.
    case written(Revision, previous: KeyValue??)
    /// It read these keys at this revision.
    case read(Revision, [KeyValue], KeyRange)
    /// It never takes effect.
    case refused
    /// Nobody knows.
    case unknown
  }

  struct Request {
    var client: Int
    var invoked: VirtualTime
    var returned: VirtualTime
    /// The value that only this request writes; nil for a read.
    var marker: [UInt8]?
    var key: Key?
    /// Serializable reads may be old; they are of some state all the same.
    var isLinearizable: Bool
    var answer: Answer
  }

  private(set) var requests: [Request] = []

  func add(_ request: Request) { requests.append(request) }

  var answered: Int {
    requests.count { request in
      switch request.answer {
      case .written, .read: true
      case .refused, .unknown: false
      }
    }
  }

  /// The first thing that no order explains.
  func verdict(_ truth: Truth) -> String? {
    effects(truth) ?? realTime() ?? replay(truth)
  }

  /// Acknowledged writes are there, refused ones are not, and none is there twice.
  private func effects(_ truth: Truth) -> String? {
    var places: [[UInt8]: [Revision]] = [:]
    for change in truth.history {
      for event in change.events {
        guard case .put(let item) = event.change, item.version > 0 else { continue }
        if places[item.value]?.last != change.revision {
          places[item.value, default: []].append(change.revision)
        }
      }
    }
    for request in requests {
      guard let marker = request.marker else { continue }
      let found = places[marker] ?? []
      if found.count > 1 { return "one write took effect at revisions \(found)" }
      switch request.answer {
      case .written(let revision, _):
        if found != [revision] {
          return "a write acknowledged at revision \(revision) is at \(found)"
        }
      case .refused:
        if !found.isEmpty { return "a write that was refused took effect at \(found)" }
      case .read, .unknown: break
      }
    }
    return nil
  }

  /// What was answered before a request began is not later than that request.
  private func realTime() -> String? {
    struct Timed {
      var time: VirtualTime
      var revision: Revision
      var isWrite: Bool
    }
    var began: [Timed] = []
    var ended: [Timed] = []
    for request in requests where request.isLinearizable {
      let revision: Revision
      let isWrite: Bool
      switch request.answer {
      case .written(let found, _): (revision, isWrite) = (found, true)
      case .read(let found, _, _): (revision, isWrite) = (found, false)
      case .refused, .unknown: continue
      }
      began.append(Timed(time: request.invoked, revision: revision, isWrite: isWrite))
      ended.append(Timed(time: request.returned, revision: revision, isWrite: isWrite))
    }
    began.sort { $0.time < $1.time }
    ended.sort { $0.time < $1.time }
    var newest = Revision(0)
    var next = 0
    for request in began {
      while next < ended.count, ended[next].time < request.time {
        newest = max(newest, ended[next].revision)
        next += 1
      }
      let isLate = request.isWrite ? request.revision <= newest : request.revision < newest
      if isLate {
        return "a \(request.isWrite ? "write" : "read") that began at \(request.time) µs has "
          + "revision \(request.revision), but \(newest) was answered before"
      }
    }
    return nil
  }

  /// Every answer is what the changes, replayed in order, give at its revision.
  private func replay(_ truth: Truth) -> String? {
    var reads: [Revision: [Request]] = [:]
    var writes: [Revision: [Request]] = [:]
    for request in requests {
      switch request.answer {
      case .read(let revision, _, _): reads[revision, default: []].append(request)
      case .written(let revision, _): writes[revision, default: []].append(request)
      case .refused, .unknown: break
      }
    }
    var state: [Key: KeyValue] = [:]
    var revision = Revision.initial
    if let problem = compare(reads[revision] ?? [], with: state) { return problem }
    for change in truth.history {
      if change.revision != revision.next {
        return "revision \(change.revision) follows \(revision)"
      }
      for request in writes[change.revision] ?? [] {
        guard case .written(_, let previous?) = request.answer, let key = request.key,
          previous != state[key]
        else { continue }
        return "the write at \(change.revision) was told another value before it"
      }
      revision = change.revision
      for event in change.events {
        if let problem = apply(event, at: revision, to: &state) { return problem }
      }
      if let problem = compare(reads[revision] ?? [], with: state) { return problem }
    }
    let beyond = reads.keys.filter { $0 > revision }.min()
    return beyond.map { "a read is of revision \($0), which was never reached" }
  }

  private func apply(
    _ event: KeyEvent, at revision: Revision, to state: inout [Key: KeyValue]
  ) -> String? {
    switch event.change {
    case .put(let item):
      let before = state[item.key]
      let isRight =
        item.modRevision == revision && item.version == (before?.version ?? 0) + 1
        && item.createRevision == (before?.createRevision ?? revision)
      state[item.key] = item
      return isRight ? nil : "the put of \(item.key) at \(revision) has wrong revisions"
    case .delete(let key, _):
      return state.removeValue(forKey: key) == nil
        ? "a key was deleted at \(revision) that was not there" : nil
    }
  }

  private func compare(_ reads: [Request], with state: [Key: KeyValue]) -> String? {
    for read in reads {
      guard case .read(let revision, let items, let range) = read.answer else { continue }
      let expected = state.values.filter { range.contains($0.key) }.sorted { $0.key < $1.key }
      if items != expected {
        return
          "client \(read.client) read \(items.count) keys at revision \(revision) that are not "
          + "the \(expected.count) of that state"
      }
    }
    return nil
  }
}
