import ConfigModel
import Foundation
import Synchronization

/// What was found out about signatures a moment ago: a refused commit is looked at again and again.
///
/// A verdict counts while the files of the trusted keys are the same, and for a minute, since keys expire.
final class VerdictCache: Sendable {
  struct Stamp: Equatable {
    var size: Int?
    var changed: Date?
    var number: Int?
  }

  private struct State {
    var stamps: [Stamp] = []
    var verdicts: [CommitID: (verdict: SignatureVerdict, time: ContinuousClock.Instant)] = [:]
  }

  private static let age = Duration.seconds(60)
  private static let limit = 100_000

  private let state = Mutex(State())

  func verdict(of commit: CommitID, by signers: TrustedSigners) -> SignatureVerdict? {
    let stamps = VerdictCache.stamps(signers)
    return state.withLock { state in
      if state.stamps != stamps { state = State(stamps: stamps) }
      guard let known = state.verdicts[commit], known.time + VerdictCache.age > .now else {
        return nil
      }
      return known.verdict
    }
  }

  func remember(_ verdict: SignatureVerdict, of commit: CommitID, by stamps: [Stamp]) {
    state.withLock { state in
      if state.stamps != stamps || state.verdicts.count >= VerdictCache.limit {
        state = State(stamps: stamps)
      }
      state.verdicts[commit] = (verdict, .now)
    }
  }

  static func stamps(_ signers: TrustedSigners) -> [Stamp] {
    [signers.sshFile, signers.openPGPFile].map { path in
      guard let path, let found = try? FileManager.default.attributesOfItem(atPath: path) else {
        return Stamp()
      }
      return Stamp(
        size: found[.size] as? Int, changed: found[.modificationDate] as? Date,
        number: found[.systemFileNumber] as? Int)
    }
  }
}
