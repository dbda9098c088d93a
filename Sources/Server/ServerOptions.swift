import Cluster
import Crypto
import EtcdAPI
import PeerTransport
import Raft
import Store

/// A member's settings, named as etcd names its flags.
package struct ServerOptions: Sendable {
  package var name = "default"
  package var dataDirectory = ""
  package var listenClientURLs: [String] = ["http://localhost:2379"]
  package var advertiseClientURLs: [String] = []
  /// Where health and metrics are answered besides.
  package var listenMetricsURLs: [String] = []
  package var listenPeerURLs: [String] = ["http://localhost:2380"]
  package var initialAdvertisePeerURLs: [String] = []
  /// `name=url,name=url`: every member of the cluster.
  package var initialCluster = ""
  package var initialClusterToken = "etcd-cluster"
  /// `existing` for a member that was added to a running cluster.
  package var initialClusterState = InitialClusterState.new
  package var snapshotCount: UInt64 = 10_000
  package var heartbeatMilliseconds = 100
  package var electionMilliseconds = 1000
  package var clientThreads = 2
  /// Bytes of the database above which writes are refused.
  package var quotaBackendBytes: Int64 = 2 << 30
  /// `simple`, or `jwt` and its options.
  package var authToken = "simple"
  /// Seconds that a simple token counts after its last use.
  package var authTokenTTL = 300
  /// The binary logarithm of bcrypt's rounds.
  package var bcryptCost = 10
  /// Seconds without an event after which a watch that asked for it is told that it misses nothing.
  package var watchProgressSeconds = 600
  /// Operations of one level of a transaction.
  package var maxTxnOps = 100_000
  /// Bytes of one request.
  package var maxRequestBytes = 64 << 20

  /// How often the members' states are compared: a time like `1h`; `0` for never.
  package var corruptCheckTime = "1h"

  /// `periodic` or `revision`.
  package var autoCompactionMode = "periodic"
  /// A time like `30m`, or a number: of hours, or of revisions; 0 compacts nothing.
  package var autoCompactionRetention = "0"

  package init() {}
}

/// Whether a member founds a cluster with the others or joins one.
package enum InitialClusterState: String, Sendable {
  case new, existing
}

/// Settings that can't work, and what to change.
package struct OptionsError: Error, CustomStringConvertible {
  package var description: String
  init(_ description: String) { self.description = description }
}

extension ServerOptions {
  var clientAddresses: [PeerAddress] {
    get throws { try addresses(listenClientURLs, flag: "--listen-client-urls") }
  }

  var metricsAddresses: [PeerAddress] {
    get throws {
      listenMetricsURLs.isEmpty
        ? [] : try addresses(listenMetricsURLs, flag: "--listen-metrics-urls")
    }
  }

  var peerAddress: PeerAddress {
    get throws {
      let all = try addresses(listenPeerURLs, flag: "--listen-peer-urls")
      guard let first = all.first, all.count == 1 else {
        throw OptionsError("--listen-peer-urls takes one URL")
      }
      return first
    }
  }

  private func addresses(_ urls: [String], flag: String) throws -> [PeerAddress] {
    guard !urls.isEmpty else { throw OptionsError("\(flag) is empty") }
    return try urls.map { url in
      guard let address = PeerAddress(url: url) else {
        throw OptionsError("\(flag): '\(url)' is not of the form http://HOST:PORT")
      }
      return address
    }
  }

  var serviceOptions: ServiceOptions {
    get throws {
      guard (4...31).contains(bcryptCost) else {
        throw OptionsError("--bcrypt-cost is a number from 4 to 31")
      }
      var options = ServiceOptions()
      options.bcryptCost = bcryptCost
      do {
        options.tokens = try TokenSetting(parsing: authToken)
      } catch {
        throw OptionsError("\(error)")
      }
      guard watchProgressSeconds > 0 else {
        throw OptionsError("--watch-progress-notify-interval is a number of seconds")
      }
      options.progressInterval = .seconds(watchProgressSeconds)
      guard (1...TransactionLimits.operations).contains(maxTxnOps) else {
        throw OptionsError("--max-txn-ops is a number from 1 to \(TransactionLimits.operations)")
      }
      options.transactionOperations = maxTxnOps
      return options
    }
  }

  /// Ten years: of what is a time.
  private static let mostHours = 87_600
  /// etcd's.
  private static let mostElectionMilliseconds = 50_000

  private var autoCompaction: AutoCompaction? {
    get throws {
      let number = Int64(autoCompactionRetention)
      guard ["revision", "periodic"].contains(autoCompactionMode) else {
        throw OptionsError("--auto-compaction-mode is 'periodic' or 'revision'")
      }
      if number == 0 || autoCompactionRetention.isEmpty { return nil }
      switch autoCompactionMode {
      case "revision":
        guard let number, number > 0 else {
          throw OptionsError("--auto-compaction-retention is a number of revisions")
        }
        return .revisions(number)
      default:
        let hours = number.flatMap { $0 <= ServerOptions.mostHours ? $0 : nil }
        let time = hours.map { .seconds($0 * 3600) } ?? Duration(goText: autoCompactionRetention)
        guard let time, (.seconds(1) ... .seconds(ServerOptions.mostHours * 3600)).contains(time)
        else {
          throw OptionsError(
            "--auto-compaction-retention is a time like 1h30m, or a number of hours, at most "
              + "\(ServerOptions.mostHours)")
        }
        return .periodic(time)
      }
    }
  }

  private var integrityInterval: Duration? {
    get throws {
      if corruptCheckTime == "0" { return nil }
      guard let time = Duration(goText: corruptCheckTime), time >= .zero else {
        throw OptionsError("--corrupt-check-time is a time like 1h or 30m, or 0 for never")
      }
      return time == .zero ? nil : time
    }
  }

  private var advertised: [String] {
    initialAdvertisePeerURLs.isEmpty ? listenPeerURLs : initialAdvertisePeerURLs
  }

  /// The members that the settings name, and this one among them.
  func statedMembers() throws -> (all: [Peer], own: Peer) {
    let setting =
      initialCluster.isEmpty
      ? advertised.map { "\(name)=\($0)" }.joined(separator: ",") : initialCluster
    let peers = try members(of: setting)
    guard let own = peers.first(where: { $0.name == name }) else {
      throw OptionsError(
        "--initial-cluster names \(peers.map(\.name).joined(separator: ", ")), but this member's "
          + "--name is '\(name)'")
    }
    guard Set(own.urls) == Set(advertised) else {
      throw OptionsError(
        "--initial-cluster says \(own.urls.joined(separator: ",")) for '\(name)', "
          + "--initial-advertise-peer-urls says \(advertised.joined(separator: ","))")
    }
    return (peers, own)
  }

  /// The cluster that the settings found: equal settings give an equal cluster.
  func foundedConfiguration() throws -> ClusterConfiguration {
    let (peers, own) = try statedMembers()
    return try complete(
      ClusterConfiguration(
        clusterID: clusterID(of: peers), id: own.id, founders: peers,
        clientURLs: advertisedClientURLs, dataDirectory: dataDirectory))
  }

  var advertisedClientURLs: [String] {
    advertiseClientURLs.isEmpty ? listenClientURLs : advertiseClientURLs
  }

  /// What does not depend on who the members are.
  func complete(_ configuration: ClusterConfiguration) throws -> ClusterConfiguration {
    guard dataDirectory.isEmpty == false else { throw OptionsError("--data-dir is empty") }
    guard heartbeatMilliseconds > 0, electionMilliseconds / 5 >= heartbeatMilliseconds else {
      throw OptionsError(
        "--election-timeout (\(electionMilliseconds) ms) must be at least 5 times "
          + "--heartbeat-interval (\(heartbeatMilliseconds) ms)")
    }
    guard electionMilliseconds <= ServerOptions.mostElectionMilliseconds else {
      throw OptionsError(
        "--election-timeout is at most \(ServerOptions.mostElectionMilliseconds) ms")
    }
    let mostSeconds = ServerOptions.mostHours * 3600
    guard authTokenTTL > 0, authTokenTTL <= mostSeconds else {
      throw OptionsError("--auth-token-ttl is a number of seconds, at most \(mostSeconds)")
    }
    var configuration = configuration
    let most = ClusterLimits().commandBytes
    guard (1 << 10...most).contains(maxRequestBytes) else {
      throw OptionsError("--max-request-bytes is a number from 1024 to \(most)")
    }
    configuration.limits.commandBytes = maxRequestBytes
    configuration.autoCompaction = try autoCompaction
    configuration.integrityInterval = try integrityInterval
    configuration.tokenLifetime = .seconds(authTokenTTL)
    configuration.heartbeatInterval = .milliseconds(heartbeatMilliseconds)
    configuration.electionTimeout = .milliseconds(electionMilliseconds)
    configuration.limits.quotaBytes = quotaBackendBytes > 0 ? quotaBackendBytes : 2 << 30
    configuration.limits.entriesBeforeCompaction = min(max(1, snapshotCount), 1 << 40)
    return configuration
  }

  private func members(of setting: String) throws -> [Peer] {
    var urls: [String: [String]] = [:]
    var names: [String] = []
    for part in setting.split(separator: ",") {
      guard let equals = part.firstIndex(of: "="), equals != part.startIndex else {
        throw OptionsError("--initial-cluster: '\(part)' is not of the form NAME=URL")
      }
      let name = String(part[..<equals])
      let url = String(part[part.index(after: equals)...])
      guard PeerAddress(url: url) != nil else {
        throw OptionsError("--initial-cluster: '\(url)' is not of the form http://HOST:PORT")
      }
      if urls[name] == nil { names.append(name) }
      urls[name, default: []].append(url)
    }
    let all = urls.values.flatMap { $0 }
    guard Set(all).count == all.count else {
      throw OptionsError("--initial-cluster gives one URL to two members")
    }
    return names.map { name in
      let own = urls[name, default: []].sorted()
      return Peer(id: memberID(of: own), name: name, urls: own)
    }
  }

  private func memberID(of urls: [String]) -> MemberID {
    MemberID(fingerprint((urls + [initialClusterToken]).joined(separator: "\n")))
  }

  private func clusterID(of peers: [Peer]) -> UInt64 {
    fingerprint(
      peers.map(\.id.description).sorted().joined(separator: "\n") + "\n" + initialClusterToken)
  }

  /// The first eight bytes of the SHA-256: never 0, which the wire reads as "none".
  private func fingerprint(_ text: String) -> UInt64 {
    let digest = SHA256.hash(data: Array(text.utf8))
    return max(1, digest.prefix(8).reduce(0) { $0 << 8 | UInt64($1) })
  }
}
