/// A class of faults that a seed may have or not; `--without` switches them off one by one.
package enum Fault: String, CaseIterable, Sendable {
  case loss, duplicates, delays, spikes, cap, partitions, oneWay, snapshotFailures
  case crashes, promiseCrashes, powerLoss, midWrite, pauses, drift, leaps, slowDisk
  case rot, misdirected, lostWrites, ioErrors, diskFull
  /// A leader is cut off in the middle of many proposals, which only its own log holds.
  case floods
  case membership, joint, transfer
  /// Cuts and crashes come while a change of the membership is under way.
  case ambush
}

/// What one seed is made of; every field is drawn from the seed and printed with it (swarm testing:
/// Groce et al., ISSTA 2012).
package struct SimulationOptions: Hashable, Sendable {
  package var seed: UInt64
  package var faults: Set<Fault>
  package var founders: Int
  package var clients: Int
  package var watchers: Int
  package var hasReconciler: Bool
  package var leaseHolders: Int
  /// Mean time between compactions of the history; 0 for none.
  package var compactEveryMilliseconds: Int
  /// How often a leader writes down what leases have left.
  package var checkpointMilliseconds: Int
  /// Keys that clients contend for.
  package var keys: Int
  /// Virtual time with faults, and the pause of a client between requests.
  package var seconds: Int
  package var thinkMilliseconds: Int

  package var lossPermille: Int
  package var duplicatePermille: Int
  package var delayMicroseconds: Int
  package var spikePermille: Int
  package var spikeMilliseconds: Int
  package var messagesPerLink: Int
  package var partitionEveryMilliseconds: Int
  package var partitionMilliseconds: Int

  package var crashEveryMilliseconds: Int
  package var downMilliseconds: Int
  /// Of a thousand promises, after how many the member that made one crashes at once.
  package var promiseCrashPermille: Int
  package var heartbeatMilliseconds: Int
  /// The election timeout, in heartbeats.
  package var electionTicks: Int
  package var pauseMilliseconds: Int
  package var driftPermille: Int
  package var syncMicroseconds: Int
  package var applyMicroseconds: Int
  package var diskFaultPermille: Int

  package var entriesBeforeCompaction: Int
  package var entriesKept: Int
  package var flightMessages: Int
  package var appendBytes: Int
  package var uncommittedBytes: Int
  package var segmentBytes: Int
  package var changeEveryMilliseconds: Int
  /// Events after which the world stops; for shrinking.
  package var eventLimit: Int
  /// Walks of the core alone before the cluster begins; none where events are limited, since that is
  /// about the cluster.
  package var walks: Int

  package init(seed: UInt64, without: Set<Fault> = [], eventLimit: Int = .max) {
    var random = SeededRandom(seed: seed, purpose: "options")
    self.seed = seed
    // Half of all classes, so that none hides what another would show.
    faults = Set(Fault.allCases.filter { _ in random.happens(permille: 500) })
    founders = random.pick(from: [1, 3, 3, 3, 3, 5, 5, 2, 4]) ?? 3
    clients = random.spread(1, 12)
    watchers = random.number(in: 0...3)
    hasReconciler = random.happens(permille: 250)
    keys = random.spread(1, 12)
    seconds = random.number(in: 5...15)
    thinkMilliseconds = random.spread(8, 400)
    lossPermille = random.spread(5, 400)
    duplicatePermille = random.spread(5, 400)
    delayMicroseconds = random.spread(100, 100_000)
    spikePermille = random.spread(1, 100)
    spikeMilliseconds = random.spread(50, 5000)
    messagesPerLink = random.spread(1, 64)
    partitionEveryMilliseconds = random.number(in: 300...6000)
    partitionMilliseconds = random.spread(100, 6000)
    crashEveryMilliseconds = random.number(in: 300...8000)
    downMilliseconds = random.spread(10, 4000)
    promiseCrashPermille = random.spread(10, 400)
    heartbeatMilliseconds = random.spread(10, 100)
    electionTicks = random.number(in: 3...12)
    pauseMilliseconds = random.spread(50, 4000)
    driftPermille = random.number(in: 0...100)
    syncMicroseconds = random.spread(50, 8000)
    applyMicroseconds = random.spread(50, 5000)
    diskFaultPermille = random.spread(1, 30)
    entriesBeforeCompaction = random.spread(4, 400)
    entriesKept = random.spread(0, 40)
    flightMessages = random.spread(1, 64)
    appendBytes = random.spread(64, 65_536)
    uncommittedBytes = random.spread(512, 1 << 20)
    segmentBytes = random.spread(40 << 10, 256 << 10)
    changeEveryMilliseconds = random.spread(50, 4000)
    leaseHolders = random.happens(permille: 600) ? random.number(in: 1...6) : 0
    checkpointMilliseconds = random.spread(100, 2000)
    compactEveryMilliseconds = random.happens(permille: 500) ? random.spread(100, 3000) : 0
    self.eventLimit = eventLimit
    walks = eventLimit == .max ? RandomWalk.walksPerSeed : 0
    faults.subtract(without)
  }

  /// Of batches that a log writes twice: none, the smallest, or most.
  package var copiedBytes: Int { [0, 200, .max][segmentBytes % 3] }

  func has(_ fault: Fault) -> Bool { faults.contains(fault) }

  /// One line, with the fault classes first.
  package var description: String {
    let classes = Fault.allCases.filter(has).map(\.rawValue).joined(separator: ",")
    let numbers = [
      ("founders", founders), ("clients", clients), ("watchers", watchers),
      ("reconciler", hasReconciler ? 1 : 0), ("keys", keys), ("seconds", seconds),
      ("think-ms", thinkMilliseconds), ("loss", lossPermille), ("dup", duplicatePermille),
      ("delay-us", delayMicroseconds), ("spike", spikePermille), ("spike-ms", spikeMilliseconds),
      ("cap", messagesPerLink), ("cut-every-ms", partitionEveryMilliseconds),
      ("cut-ms", partitionMilliseconds), ("crash-every-ms", crashEveryMilliseconds),
      ("down-ms", downMilliseconds), ("promise-crash", promiseCrashPermille),
      ("heartbeat-ms", heartbeatMilliseconds), ("election-ticks", electionTicks),
      ("pause-ms", pauseMilliseconds), ("drift", driftPermille),
      ("sync-us", syncMicroseconds), ("apply-us", applyMicroseconds),
      ("disk-fault", diskFaultPermille), ("compact", entriesBeforeCompaction),
      ("keep", entriesKept), ("flight", flightMessages), ("append-bytes", appendBytes),
      ("uncommitted-bytes", uncommittedBytes), ("segment-bytes", segmentBytes),
      ("change-every-ms", changeEveryMilliseconds), ("lease-holders", leaseHolders),
      ("checkpoint-ms", checkpointMilliseconds), ("compact-every-ms", compactEveryMilliseconds),
    ]
    return "faults=\(classes) " + numbers.map { "\($0)=\($1)" }.joined(separator: " ")
  }
}
