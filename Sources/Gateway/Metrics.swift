import EtcdAPI

/// The figures in Prometheus' text format, version 0.0.4, under etcd's names where they mean the same.
enum Metrics {
  private struct Metric {
    enum Kind: String { case gauge, counter }
    var name: String
    var kind: Kind
    var help: String
    var value: Int64
  }

  static func text(_ figures: MemberProbe.Figures) -> String {
    metrics(figures).map { metric in
      "# HELP \(metric.name) \(metric.help)\n# TYPE \(metric.name) \(metric.kind.rawValue)\n"
        + "\(metric.name) \(metric.value)\n"
    }.joined()
  }

  private static func metrics(_ figures: MemberProbe.Figures) -> [Metric] {
    [
      Metric(
        name: "etcd_server_has_leader", kind: .gauge,
        help: "Whether or not a leader exists. 1 is existence, 0 is not.",
        value: figures.hasLeader ? 1 : 0),
      Metric(
        name: "etcd_server_is_leader", kind: .gauge,
        help: "Whether or not this member is a leader. 1 if is, 0 otherwise.",
        value: figures.isLeader ? 1 : 0),
      Metric(
        name: "etcd_server_is_learner", kind: .gauge,
        help: "Whether or not this member is a learner. 1 if is, 0 otherwise.",
        value: figures.isLearner ? 1 : 0),
      Metric(
        name: "etcd_server_proposals_committed_total", kind: .gauge,
        help: "The total number of consensus proposals committed.",
        value: Int64(clamping: figures.committed)),
      Metric(
        name: "etcd_server_proposals_applied_total", kind: .gauge,
        help: "The total number of consensus proposals applied.",
        value: Int64(clamping: figures.applied)),
      Metric(
        name: "etcd_mvcc_db_total_size_in_bytes", kind: .gauge,
        help: "Total size of the underlying database physically allocated in bytes.",
        value: figures.databaseBytes),
      Metric(
        name: "etcd_mvcc_db_total_size_in_use_in_bytes", kind: .gauge,
        help: "Total size of the underlying database logically in use in bytes.",
        value: figures.databaseBytesInUse),
      Metric(
        name: "etcd_debugging_mvcc_current_revision", kind: .gauge,
        help: "The current revision of store.", value: figures.revision),
      Metric(
        name: "etcd_debugging_mvcc_compact_revision", kind: .gauge,
        help: "The revision of the last compaction in store.", value: figures.compactRevision),
      Metric(
        name: "configsync_member_fenced", kind: .gauge,
        help: "1 if this member's state differs from that of the others, so that it serves nobody.",
        value: figures.isFenced ? 1 : 0),
      Metric(
        name: "configsync_raft_term", kind: .gauge, help: "The term of this member.",
        value: Int64(clamping: figures.term)),
    ]
  }
}
