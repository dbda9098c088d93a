import Cluster
import PeerTransport
import Raft
import RaftLog

extension ServerOptions {
  /// Who this member is: what its data directory says, or else the cluster that it founds or joins.
  ///
  /// - Throws: `OptionsError`, or `LogError` if the directory can't be read.
  func clusterConfiguration() async throws -> ClusterConfiguration {
    if let known = try DirectoryIdentity.read(in: dataDirectory) {
      return try restarting(as: known)
    }
    switch initialClusterState {
    case .new:
      let founded = try foundedConfiguration()
      try await checkIsNew(founded)
      return founded
    case .existing: return try await joiningConfiguration()
    }
  }

  /// After the first start the settings of the cluster count no more, as with etcd: who belongs to it
  /// is in the store.
  private func restarting(as known: DirectoryIdentity) throws -> ClusterConfiguration {
    guard known.name == name else {
      throw OptionsError(
        "\(dataDirectory) belongs to member '\(known.name)', and --name is '\(name)'. Check "
          + "--data-dir and --name")
    }
    let (stated, own) = try statedMembers()
    // A founder that a crash has kept from writing down its cluster does so now.
    if initialClusterState == .new {
      let founded = try foundedConfiguration()
      if founded.clusterID == known.ids.cluster, founded.id == known.ids.member { return founded }
    }
    return try complete(
      ClusterConfiguration(
        clusterID: known.ids.cluster, id: known.ids.member, name: name,
        contacts: stated.filter { $0.id != own.id }, peerURLs: own.urls,
        clientURLs: advertisedClientURLs, dataDirectory: dataDirectory))
  }

  /// A member with an empty directory must not be one that the others know already: it would vote
  /// again, and what it had acknowledged would be gone. Founders that can't be reached say nothing:
  /// the cluster may only be about to begin.
  private func checkIsNew(_ founded: ClusterConfiguration) async throws {
    let addresses = founded.founders.filter { $0.id != founded.id }
      .flatMap(\.urls).compactMap(PeerAddress.init(url:))
    let rosters = await withTaskGroup(of: ClusterRoster?.self) { group in
      for address in addresses { group.addTask { try? await inquire(at: address) } }
      var found: [ClusterRoster] = []
      for await roster in group { if let roster { found.append(roster) } }
      return found
    }
    for roster in rosters where roster.cluster == founded.clusterID && !roster.peers.isEmpty {
      guard let own = roster.peers.first(where: { $0.id == founded.id }) else {
        throw RemovedError(directory: dataDirectory)
      }
      // It tells its name once it has started.
      guard own.name.isEmpty else { throw hasForgotten }
    }
  }

  private var hasForgotten: OptionsError {
    OptionsError(
      "the cluster knows '\(name)' as a member that has started, and \(dataDirectory) holds nothing "
        + "of it: it has forgotten what it promised to others. Nothing was changed. Bring its data "
        + "directory back; or remove the member from the cluster ('configsync member remove'), add "
        + "it anew ('configsync member add'), and start it in an empty --data-dir with "
        + "--initial-cluster-state existing")
  }

  /// Asks the members of `--initial-cluster` who their cluster is, and which id this one was given
  /// by `configsync member add`.
  private func joiningConfiguration() async throws -> ClusterConfiguration {
    let (stated, own) = try statedMembers()
    var problems: [String] = []
    for contact in stated where contact.id != own.id {
      for url in contact.urls {
        guard let address = PeerAddress(url: url) else { continue }
        do {
          let roster = try await inquire(at: address)
          let member = roster.peers.first { !Set($0.urls).isDisjoint(with: own.urls) }
          guard let member else {
            problems.append("\(contact.name) knows no member at \(own.urls.joined(separator: ","))")
            continue
          }
          guard member.name.isEmpty else { throw hasForgotten }
          return try complete(
            ClusterConfiguration(
              clusterID: roster.cluster, id: member.id, name: name,
              contacts: roster.peers.filter { $0.id != member.id }, peerURLs: own.urls,
              clientURLs: advertisedClientURLs, dataDirectory: dataDirectory))
        } catch let error as OptionsError {
          throw error
        } catch {
          problems.append("\(contact.name) at \(url): \(error)")
        }
      }
    }
    let reasons =
      problems.isEmpty ? "--initial-cluster names no other" : problems.joined(separator: "; ")
    throw OptionsError(
      "no member of the existing cluster has told who it is: \(reasons). A member is added with "
        + "'configsync member add' before it starts")
  }
}
