import Logging
import Raft
import RaftLog
import Store

/// What a member finds when it opens its data directory.
extension ClusterMember {
  /// A member never starts empty under an id that it had before: it would have forgotten its votes.
  static func identify(
    _ configuration: ClusterConfiguration, log: (log: SegmentedLog, recovered: RecoveredLog),
    on disk: any Disk
  ) throws {
    let directory = configuration.dataDirectory
    let isKnown = try DirectoryIdentity.read(in: directory, disk: disk) != nil
    if isKnown, log.recovered.isNew {
      throw StartError(
        "\(directory) has no log any more, so this member has forgotten what it promised to others. "
          + "Nothing was changed. Remove the member from the cluster ('configsync member remove'), "
          + "add it anew ('configsync member add'), and start it in an empty --data-dir")
    }
    if log.recovered.damage == nil { try log.log.begin() }
    let ids = LogIdentity(cluster: configuration.clusterID, member: configuration.id)
    try DirectoryIdentity(ids: ids, name: configuration.name).keep(in: directory, disk: disk)
  }

  /// The log of a cluster that begins with a restored state begins behind it.
  static func follow(
    _ store: KeyValueStore, _ opened: (log: SegmentedLog, recovered: RecoveredLog)
  ) throws -> RecoveredLog {
    let (log, recovered) = opened
    guard recovered.damage == nil, recovered.last == .origin,
      store.current.appliedIndex == KeyValueStore.restoredIndex
    else { return recovered }
    return try log.begin(
      behind: SnapshotMark(
        index: LogIndex(store.current.appliedIndex), term: Term(store.current.appliedTerm)))
  }

  static func found(
    _ configuration: ClusterConfiguration, in store: KeyValueStore
  ) throws {
    let founders = configuration.founders.map { peer in
      StoredMember(id: peer.id.rawValue, name: "", clientURLs: [], peerURLs: peer.urls)
    }
    let membership = Membership(voters: configuration.founders.map(\.id))
    try store.found(members: founders, membership: LogMembership(membership))
  }

  func report(_ found: RecoveredLog) {
    if found.tornBytes > 0 {
      logger.notice(
        "cut an unfinished write from the end of the log",
        metadata: ["bytes": "\(found.tornBytes)"])
    }
    if let damage = found.damage {
      logger.error(
        "the log is damaged: this member asks the others for what it lost, and leads nobody until then",
        metadata: [
          "file": "\(damage.path)", "offset": "\(damage.offset)", "reason": "\(damage.reason)",
          "lost": "\(found.lost.map { "\($0.index)" } ?? "nothing")",
        ])
    }
  }
}
