import Logging
import Raft
package import Store

/// What a leader compacts by itself (`--auto-compaction-mode` and `-retention`).
package enum AutoCompaction: Hashable, Sendable {
  /// What was overwritten or deleted longer ago than that.
  case periodic(Duration)
  /// What is older than so many revisions.
  case revisions(Int64)
}

/// Tells which revision to compact at, as time goes by; a value without a clock.
///
/// Every member keeps one, so that a new leader goes on where the former was.
package struct CompactionSchedule: Sendable {
  private let mode: AutoCompaction
  /// Newest revisions at the last turns, oldest first.
  private var seen: [Revision] = []

  package init(_ mode: AutoCompaction) { self.mode = mode }

  /// The time between two turns: etcd's, a tenth of the period and at most six minutes, or five minutes.
  package var interval: Duration {
    switch mode {
    case .periodic(let period): min(period, .seconds(3600)) / 10
    case .revisions: .seconds(300)
    }
  }

  /// One turn.
  ///
  /// - Returns: the revision that is to be the oldest from now on; nil if none can be told.
  package mutating func next(_ current: Revision) -> Revision? {
    switch mode {
    case .revisions(let kept):
      let oldest = Revision(current.rawValue - kept)
      return oldest > .initial ? oldest : nil
    case .periodic(let period):
      seen.append(current)
      guard seen.count > Int((period / interval).rounded(.up)) else { return nil }
      return seen.removeFirst()
    }
  }
}

extension ClusterMember {
  /// Compacts for as long as the member runs, while it leads.
  func compactByItself(_ mode: AutoCompaction) async {
    var schedule = CompactionSchedule(mode)
    while !Task.isCancelled {
      do {
        try await environment.clock.sleep(for: schedule.interval)
        guard let revision = schedule.next(store.current.revision),
          status.leadership.leader == configuration.id, revision > store.current.compactRevision
        else { continue }
        _ = try await compact(at: revision, waitsForRemoval: false)
        logger.info("compacted", metadata: ["revision": "\(revision)"])
      } catch is CancellationError {
        return
      } catch {
        // Somebody may have compacted further meanwhile, or leads now; the next turn tells.
        logger.debug("did not compact", metadata: ["error": "\(error)"])
      }
    }
  }
}
