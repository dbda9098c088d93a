import ConfigModel
import Synchronization
import Testing

@testable import Reconciler

/// What lasts is told once, and what is new each time.
struct EventJournalTests {
  private final class Told: Sendable {
    let events = Mutex<[SourceEvent]>([])
    var last: [String] {
      events.withLock { events in
        defer { events = [] }
        return events.map { "\($0.kind)\($0.commit.map { " \($0.text.suffix(1))" } ?? "")" }
      }
    }
  }

  private let told = Told()
  private let journal: EventJournal

  init() {
    let told = told
    journal = EventJournal { event in told.events.withLock { $0.append(event) } }
  }

  private func id(_ digit: Int) -> CommitID {
    CommitID(String(repeating: "0", count: 39) + "\(digit)")!
  }

  private func report(
    head: Int, tip: Int, applied: Int = 0, _ change: (inout ReconcileReport) -> Void = { _ in }
  ) -> ReconcileLoop.Outcome {
    var report = ReconcileReport(
      source: "acme", applied: applied, head: id(head), tip: id(tip),
      prefix: ConfigPath(escaped: "/"))
    change(&report)
    return .finished(report)
  }

  private struct Away: Error, CustomStringConvertible { var description = "nobody answers" }

  @Test func theFirstLookTellsWhatTheStoreHas() {
    journal.note(report(head: 1, tip: 1))
    #expect(told.last == ["running 1"])
    journal.note(report(head: 1, tip: 1))
    journal.note(report(head: 2, tip: 2, applied: 1))
    #expect(told.last == [])
  }

  @Test func whatWasAppliedIsNotToldAgain() {
    journal.note(report(head: 1, tip: 1, applied: 1))
    #expect(told.last == ["running"])
  }

  @Test func whatHoldsASourceUpIsToldOnce() {
    for _ in 0..<2 {
      journal.note(
        report(head: 1, tip: 2) {
          $0.suspension = .init(isSuspended: true, by: "a", reason: "r", time: "t")
        })
    }
    #expect(told.last == ["suspended 2"])
    journal.note(
      report(head: 1, tip: 3) {
        $0.suspension = .init(isSuspended: true, by: "a", reason: "r", time: "t")
      })
    #expect(told.last == ["suspended 3"], "another commit waits")
    for _ in 0..<2 { journal.note(.stalled(Away(), tip: id(3))) }
    #expect(told.last == ["stopped 3"])
    journal.note(report(head: 2, tip: 2))
    #expect(told.last == ["superseded 3", "running 2"], "the other one is in the store now")
  }

  private func facts(_ digit: Int) -> CommitFacts {
    let person = CommitFacts.Person(
      name: "Ada", email: "a@b", secondsSince1970: 0, offsetMinutes: 0)
    return CommitFacts(
      commit: id(digit), parents: [], tree: "t", author: person, committer: person, subject: "s")
  }

  @Test func whyACommitWasRefusedStays() {
    let finding = Diagnostic(.configInvalid, at: SourceSpan(file: "a\nb"), "no\u{202e}")
    journal.note(facts(2), .refused([finding]))
    journal.note(.stalled(Away(), tip: id(2)))
    #expect(told.events.withLock { $0[0].message } == "a b:1:1: no ", "it is one line")
    #expect(told.last == ["refused 2", "stopped"])
    journal.note(facts(2), .refused([finding]))
    #expect(told.last == [])
    journal.note(facts(2), .refused([Diagnostic(.configInvalid, at: SourceSpan(file: "c"), "no")]))
    #expect(told.last == ["refused 2"], "for another reason")
  }

  @Test func whatIsAppliedAfterAllIsTold() {
    journal.note(facts(2), .refused([]))
    for revision: Int64 in [5, 7] {
      journal.note(
        facts(2),
        .applied(revision: revision, Plan(commit: id(2), puts: [], deletes: [], keyCount: 0)))
    }
    #expect(told.last == ["refused 2", "applied 2", "applied 2"])
  }

  @Test func oneThatRestsTellsNothing() {
    journal.note(.resting("other"))
    journal.note(.failed(Away(), retryAfter: .zero))
    journal.note(.stalled(Away(), tip: id(1)))
    #expect(told.last == [])
    journal.note(.alone)
    journal.note(.stalled(Away(), tip: id(1)))
    #expect(told.last == ["stopped 1"], "nobody else would tell")
    journal.note(report(head: 1, tip: 1))
    #expect(told.last == ["running 1"])
    // Giving the lease back for a moment changes nothing.
    journal.note(.stalled(Away(), tip: id(2)))
    journal.note(.resting(nil))
    journal.note(.stalled(Away(), tip: id(2)))
    #expect(told.last == ["stopped 2"])
  }

  @Test func theSameDriftAtAnotherRevisionIsNoNews() {
    for revision: Int64 in 7...9 {
      journal.note(
        report(head: 1, tip: 1) {
          $0.lookedForDrift = true
          $0.drift.reported = [DriftedKey(path: ConfigPath(escaped: "/a"), revision: revision)]
        })
    }
    #expect(told.last == ["drifted"])
  }

  @Test func whatDriftsIsNotInStepAfterAPause() {
    let drifted = DriftedKey(path: ConfigPath(escaped: "/a"), revision: 7)
    journal.note(
      report(head: 1, tip: 1) {
        $0.lookedForDrift = true
        $0.drift.reported = [drifted]
      })
    journal.note(
      report(head: 1, tip: 1) {
        $0.suspension = .init(isSuspended: true, by: "a", reason: "r", time: "t")
      })
    journal.note(report(head: 1, tip: 1))
    #expect(told.last == ["drifted", "suspended", "drifted"])
  }

  @Test func anUnreadableSourceIsToldOnceWhateverItSays() {
    struct Other: Error {}
    for error: any Error in [Away(), Other(), Away()] {
      journal.note(.stale(error))
      journal.note(report(head: 1, tip: 1) { $0.staleness = "\(error)" })
    }
    #expect(told.last == ["stale"])
  }

  @Test func aSourceThatWasNeverReadTellsWhy() {
    journal.note(.stale(Away()))
    struct Nothing: Error, CustomStringConvertible { var description = "nothing was fetched yet" }
    journal.note(.failed(Nothing(), retryAfter: .zero))
    #expect(
      told.events.withLock { $0.map(\.message) } == ["nothing was fetched yet; nobody answers"])
    journal.note(.failed(Away(), retryAfter: .zero))
    #expect(told.last == ["failing"])
  }

  @Test func driftStaysUntilItIsLookedAtAgain() {
    let drifted = DriftedKey(path: ConfigPath(escaped: "/a"), revision: 7)
    journal.note(
      report(head: 1, tip: 1) {
        $0.lookedForDrift = true
        $0.drift.reported = [drifted]
      })
    #expect(told.last == ["drifted"])
    journal.note(report(head: 1, tip: 1))
    #expect(told.last == [])
    journal.note(report(head: 1, tip: 1) { $0.lookedForDrift = true })
    #expect(told.last == ["running 1"])
    journal.note(
      report(head: 1, tip: 1) {
        $0.drift.corrected = [drifted]
        $0.drift.revisions = [9]
      })
    let events = told.events.withLock { $0 }
    #expect(events.map(\.keys) == [[drifted.path]] && events[0].revision == 9)
  }

  /// Over a real reconciler: what it says in each turn.
  @Test func aRefusedCommitIsToldOnce() async throws {
    var source = ScriptedSource()
    let target = ModelTarget()
    _ = source.commit(["a.yaml": "x: 1\n"])
    _ = source.commit(["a.yaml": "x: [\n"])
    for _ in 0..<3 {
      let report = try await reconciler(source, target).run(
        ReconcileOptions(history: .full), finished: journal.note)
      journal.note(.finished(report))
    }
    let events = told.events.withLock { $0 }
    #expect(events.map(\.kind) == [.applied, .refused, .running])
    #expect(events[0].message == "applied as revision 2: 1 put, 0 deleted")
    #expect(events[1].message.hasPrefix("a.yaml:") && events[1].findings.count == 1)
  }
}
