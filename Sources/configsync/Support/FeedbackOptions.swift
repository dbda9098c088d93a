import ArgumentParser
import GitSource
import Server

/// Who is told what becomes of commits: of a single source.
struct FeedbackOptions: ParsableArguments {
  @Option(help: "Where commit statuses go: github, gitlab or gitea.")
  var statusForge: ForgeKind?

  @Option(help: "A file with the token that may set them.")
  var statusTokenFile: String?

  @Option(help: "The forge's API. Default: the one that belongs to --repo.")
  var statusApi: String?

  @Option(help: "OWNER/NAME of the repository there. Default: as in --repo.")
  var statusRepository: String?

  @Option(help: "PEM of who may certify those that are told, instead of the system's authorities.")
  var statusCacert: String?

  @Option(help: "Where a signed webhook tells of every event.")
  var notifyUrl: String?

  @Option(help: "A file with the secret that it is signed with.")
  var notifySecretFile: String?

  func validate() throws {
    guard (statusForge == nil) == (statusTokenFile == nil) else {
      throw ValidationError("--status-forge and --status-token-file go together")
    }
    guard statusForge != nil || (statusApi == nil && statusRepository == nil) else {
      throw ValidationError("--status-api and --status-repository need --status-forge")
    }
    guard (notifyUrl == nil) == (notifySecretFile == nil) else {
      throw ValidationError("--notify-url and --notify-secret-file go together")
    }
  }

  var isEmpty: Bool { statusForge == nil && notifyUrl == nil }

  /// - Throws: `CommandFailure` for what can't be sent to.
  func destinations(of source: DaemonFile.Source) throws -> [FeedbackDestination] {
    var destinations: [FeedbackDestination] = []
    do {
      if let statusForge, let statusTokenFile {
        let address = try StatusAddress(
          statusForge, api: statusApi, repository: statusRepository, ofRepositoryAt: source.url)
        destinations.append(
          FeedbackDestination(
            source: source.name,
            address: .status(address, context: FeedbackDestination.context(of: source.name)),
            secretFile: statusTokenFile))
      }
      if let notifyUrl, let notifySecretFile {
        destinations.append(
          FeedbackDestination(
            source: source.name, address: .webhook(try SignedWebhook(url: notifyUrl)),
            secretFile: notifySecretFile))
      }
    } catch {
      throw CommandFailure(.unknown, "can't tell of what becomes of commits: \(error)")
    }
    for index in destinations.indices { destinations[index].authoritiesFile = statusCacert }
    return destinations
  }
}
