import EtcdAPI
import GRPCServer

/// The figures of a member, under etcd's names where they mean the same
/// ([etcd metrics](https://etcd.io/docs/v3.5/metrics/)).
enum Metrics {
  typealias Calls = [(path: String, isStreaming: Bool, counts: GRPCCounts)]

  static func text(_ figures: MemberProbe.Figures, calls: Calls) -> String {
    let families =
      server(figures) + store(figures) + disk(figures) + own(figures) + methods(calls)
      + MetricFamily.process
    return families.map(\.text).joined()
  }

  private static func server(_ figures: MemberProbe.Figures) -> [MetricFamily] {
    [
      MetricFamily(
        "etcd_server_has_leader", .gauge,
        "Whether or not a leader exists. 1 is existence, 0 is not.", figures.hasLeader ? 1 : 0),
      MetricFamily(
        "etcd_server_is_leader", .gauge,
        "Whether or not this member is a leader. 1 if is, 0 otherwise.", figures.isLeader ? 1 : 0),
      MetricFamily(
        "etcd_server_is_learner", .gauge,
        "Whether or not this member is a learner. 1 if is, 0 otherwise.",
        figures.isLearner ? 1 : 0),
      MetricFamily(
        "etcd_server_leader_changes_seen_total", .counter, "The number of leader changes seen.",
        figures.leaderChanges),
      MetricFamily(
        "etcd_server_proposals_committed_total", .gauge,
        "The total number of consensus proposals committed.", figures.committed),
      MetricFamily(
        "etcd_server_proposals_applied_total", .gauge,
        "The total number of consensus proposals applied.", figures.applied),
      MetricFamily(
        "etcd_server_proposals_pending", .gauge,
        "The current number of pending proposals to commit.", figures.pendingProposals),
      MetricFamily(
        "etcd_server_proposals_failed_total", .counter,
        "The total number of failed proposals seen.", figures.failedProposals),
      MetricFamily(
        "etcd_server_quota_backend_bytes", .gauge,
        "Current backend storage quota size in bytes.", figures.quotaBytes),
      MetricFamily(
        "etcd_server_id", .gauge,
        "Server or member ID in hexadecimal format. 1 for 'server_id' label with current ID.",
        [.init(labels: [("server_id", String(figures.member, radix: 16))], value: "1")]),
      MetricFamily(
        "etcd_server_version", .gauge,
        "Which version is running. 1 for 'server_version' label with current version.",
        [.init(labels: [("server_version", servedEtcdVersion)], value: "1")]),
    ]
  }

  private static func store(_ figures: MemberProbe.Figures) -> [MetricFamily] {
    [
      MetricFamily(
        "etcd_mvcc_db_total_size_in_bytes", .gauge,
        "Total size of the underlying database physically allocated in bytes.",
        figures.databaseBytes),
      MetricFamily(
        "etcd_mvcc_db_total_size_in_use_in_bytes", .gauge,
        "Total size of the underlying database logically in use in bytes.",
        figures.databaseBytesInUse),
      MetricFamily(
        "etcd_mvcc_put_total", .counter, "Total number of puts seen by this member.",
        figures.puts),
      MetricFamily(
        "etcd_mvcc_delete_total", .counter, "Total number of deletes seen by this member.",
        figures.deletes),
      MetricFamily(
        "etcd_debugging_mvcc_current_revision", .gauge, "The current revision of store.",
        figures.revision),
      MetricFamily(
        "etcd_debugging_mvcc_compact_revision", .gauge,
        "The revision of the last compaction in store.", figures.compactRevision),
      MetricFamily(
        "etcd_debugging_mvcc_watch_stream_total", .gauge, "Total number of watch streams.",
        figures.watchStreams),
      MetricFamily(
        "etcd_debugging_mvcc_watcher_total", .gauge, "Total number of watchers.", figures.watches),
    ]
  }

  private static func disk(_ figures: MemberProbe.Figures) -> [MetricFamily] {
    [
      histogram(
        "etcd_disk_wal_fsync_duration_seconds",
        "The latency distributions of writes of the log, each with its sync.", figures.logWrites),
      histogram(
        "etcd_disk_backend_commit_duration_seconds",
        "The latency distributions of commit called by backend.", figures.commits),
    ]
  }

  private static func histogram(
    _ name: String, _ help: String, _ found: MemberProbe.Distribution
  ) -> MetricFamily {
    var samples: [MetricFamily.Sample] = []
    var sum = 0
    let bounds = found.bounds.map { "\($0)" } + ["+Inf"]
    for (bound, count) in zip(bounds, found.counts) {
      sum += count
      samples.append(.init(suffix: "_bucket", labels: [("le", bound)], value: "\(sum)"))
    }
    samples.append(.init(suffix: "_sum", value: "\(found.seconds)"))
    samples.append(.init(suffix: "_count", value: "\(sum)"))
    return MetricFamily(name, .histogram, help, samples)
  }

  private static func own(_ figures: MemberProbe.Figures) -> [MetricFamily] {
    [
      MetricFamily(
        "configsync_member_fenced", .gauge,
        "1 if this member's state differs from that of the others, so that it serves nobody.",
        figures.isFenced ? 1 : 0),
      MetricFamily("configsync_raft_term", .gauge, "The term of this member.", figures.term),
    ]
  }

  // MARK: - Calls

  /// Streams on which the server alone sends more than one message.
  private static let serverStreams: Set = [
    "/etcdserverpb.Maintenance/Snapshot", "/v3electionpb.Election/Observe",
    "/grpc.health.v1.Health/Watch",
  ]

  private static func methods(_ calls: Calls) -> [MetricFamily] {
    var started: [MetricFamily.Sample] = []
    var handled: [MetricFamily.Sample] = []
    for (path, isStreaming, counts) in calls {
      let parts = path.split(separator: "/").map(String.init)
      guard parts.count == 2 else { continue }
      let stream = serverStreams.contains(path) ? "server_stream" : "bidi_stream"
      let labels = [
        ("grpc_method", parts[1]), ("grpc_service", parts[0]),
        ("grpc_type", isStreaming ? stream : "unary"),
      ]
      started.append(.init(labels: labels, value: "\(counts.started)"))
      for (code, count) in zip(GRPCStatus.Code.allCases, counts.handled) where count > 0 {
        handled.append(.init(labels: [("grpc_code", code.name)] + labels, value: "\(count)"))
      }
    }
    return [
      MetricFamily(
        "grpc_server_started_total", .counter, "Total number of RPCs started on the server.",
        started),
      MetricFamily(
        "grpc_server_handled_total", .counter,
        "Total number of RPCs completed on the server, regardless of success or failure.",
        handled),
    ].filter { !$0.samples.isEmpty }
  }
}

extension GRPCStatus.Code {
  /// As Go's gRPC writes it, and so what dashboards look for.
  fileprivate var name: String {
    switch self {
    case .ok: "OK"
    case .cancelled: "Canceled"
    case .internalError: "Internal"
    default:
      // The others are named alike but for the first letter.
      "\(self)".prefix(1).uppercased() + "\(self)".dropFirst()
    }
  }
}
