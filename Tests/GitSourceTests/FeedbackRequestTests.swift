import ConfigModel
import Foundation
import TestSupport
import Testing

@testable import GitSource

/// What is sent to forges, and how.
struct FeedbackRequestTests {
  private static let commit = CommitID(String(repeating: "a", count: 40))!
  private static let status = CommitStatus(
    .failure, context: "configsync/acme", description: "a.yaml:1:2: not a number")

  private func members(_ request: OutgoingRequest) throws -> [String: String] {
    try JSONDecoder().decode([String: String].self, from: Data(request.body))
  }

  private func header(_ name: String, _ request: OutgoingRequest) -> String? {
    request.headers.first { $0.name == name }?.value
  }

  @Test(arguments: [
    (
      "https://github.com/acme/config.git",
      "https://api.github.com/repos/acme/config/statuses/", ForgeKind.github
    ),
    (
      "git@github.com:acme/config.git", "https://api.github.com/repos/acme/config/statuses/",
      .github
    ),
    ("https://git.acme.com/a/b", "https://git.acme.com/api/v3/repos/a/b/statuses/", .github),
    (
      "ssh://git@gitlab.com:22/group/sub/config.git",
      "https://gitlab.com/api/v4/projects/group%2Fsub%2Fconfig/statuses/", .gitlab
    ),
    (
      "https://GIT.acme.com:8443/a/b.git", "https://git.acme.com:8443/api/v1/repos/a/b/statuses/",
      .gitea
    ),
    ("ssh://git@ssh.github.com:443/a/b.git", "https://api.github.com/repos/a/b/statuses/", .github),
    ("https://acme.ghe.com/a/b", "https://api.acme.ghe.com/repos/a/b/statuses/", .github),
    ("https://git.acme.com/a/b.git/", "https://git.acme.com/api/v1/repos/a/b/statuses/", .gitea),
  ])
  func aRepositorysURLTellsWhereStatusesGo(url: String, expected: String, kind: ForgeKind) throws {
    let address = try StatusAddress(kind, api: nil, repository: nil, ofRepositoryAt: url)
    let request = address.request(Self.status, of: Self.commit, token: "t0ken")
    #expect(request.url == expected + Self.commit.text)
  }

  @Test func eachForgeIsToldInItsOwnWords() throws {
    func request(_ kind: ForgeKind, _ status: CommitStatus) throws -> OutgoingRequest {
      try StatusAddress(kind, api: "https://forge.example.com/api/", repository: "a/b")
        .request(status, of: Self.commit, token: "t0ken")
    }
    let github = try request(.github, Self.status)
    #expect(github.url == "https://forge.example.com/api/repos/a/b/statuses/\(Self.commit.text)")
    #expect(header("Authorization", github) == "Bearer t0ken")
    #expect(header("X-GitHub-Api-Version", github) == "2022-11-28")
    #expect(
      try members(github) == [
        "state": "failure", "context": "configsync/acme",
        "description": "a.yaml:1:2: not a number",
      ])
    let gitea = try request(.gitea, Self.status)
    #expect(header("Authorization", gitea) == "token t0ken")
    #expect(try members(gitea) == members(github))
    let gitlab = try request(.gitlab, Self.status)
    #expect(header("PRIVATE-TOKEN", gitlab) == "t0ken")
    #expect(
      try members(gitlab) == [
        "state": "failed", "name": "configsync/acme", "description": "a.yaml:1:2: not a number",
      ])
    let states = try [CommitStatus.State.pending, .success, .failure, .error].map { state in
      try members(
        request(.gitlab, CommitStatus(state, context: "c", description: "d")))["state"]
    }
    #expect(states == ["pending", "success", "failed", "failed"])
  }

  @Test func descriptionsAreOneLineOfWhatGitHubTakes() throws {
    let long = CommitStatus(
      .failure, context: "c", description: "a\nb" + String(repeating: "é👍🏽", count: 100))
    let request = try StatusAddress(.github, api: "https://x", repository: "a/b")
      .request(long, of: Self.commit, token: "t")
    let description = try #require(try members(request)["description"])
    #expect(description.utf16.count <= 140 && description.hasPrefix("a bé"))
    #expect(
      description.hasSuffix("👍🏽…") || description.hasSuffix("é…"), "no character is cut in two")
  }

  @Test(arguments: [
    "http://forge.example.com", "ftp://x", "https://user@x", "https://x/#a", "", "x y", "https://",
    "http://127.0.0.1.example.com",
  ])
  func nothingIsSentUnprotected(url: String) {
    #expect(throws: OutgoingError.self) { try SignedWebhook(url: url) }
    #expect(throws: OutgoingError.self) { try StatusAddress(.gitea, api: url, repository: "a/b") }
  }

  @Test(arguments: ["http://git.example.com/a/b.git", "git://git.example.com/a/b", "/srv/a/b"])
  func whereNoForgeAnswersTheAPIIsToBeNamed(url: String) {
    #expect(throws: OutgoingError.self) {
      try StatusAddress(.gitea, api: nil, repository: nil, ofRepositoryAt: url)
    }
    #expect(throws: OutgoingError.self) {
      try StatusAddress(.gitea, api: "https://x/q?a=1", repository: "a/b")
    }
    #expect(throws: OutgoingError.self) {
      try StatusAddress(.bitbucket, api: "https://x", repository: "a/b")
    }
  }

  @Test(arguments: ["a", "a/b/c", "/a/b", "a/..", "a/b?x", "a/b#", "a//b", "a/b%2f", ""])
  func aRepositoryIsAnOwnerAndAName(repository: String) {
    #expect(throws: OutgoingError.self) {
      try StatusAddress(.github, api: "https://x", repository: repository)
    }
  }

  @Test func whatIsSentIsWhatIsTakenAsGeneric() throws {
    let webhook = try SignedWebhook(url: "https://x/hook")
    let body = Array("{}".utf8)
    let request = try #require(
      webhook.request(body, event: "applied", delivery: "d1", secret: "a long secret", now: 1000))
    let verifier = try #require(WebhookVerifier(.generic, secret: Array("a long secret".utf8)))
    func accepts(_ body: [UInt8]) -> Bool {
      verifier.accepts(body, now: 1010) { name in
        request.headers.first { $0.name.lowercased() == name }?.value
      }
    }
    #expect(accepts(request.body) && !accepts([1]))
    #expect(header("X-Configsync-Event", request) == "applied")
    #expect(webhook.request(body, event: "e", delivery: "d", secret: "short", now: 0) == nil)
  }

  @Test func onlyWhoIsCertifiedIsTold() async throws {
    let folder = try TemporaryFolder()
    let forge = try FakeForge(secure: true, scratch: folder.path)
    let request = try #require(
      try SignedWebhook(url: forge.url + "/hook")
        .request([0x7b, 0x7d], event: "applied", delivery: "d", secret: "a long secret", now: 1))
    let stranger = try RequestSender()
    guard case .failed = try await stranger.send(request, to: nil) else {
      Issue.record("somebody whom nobody certifies was told")
      return
    }
    #expect(try forge.requests().isEmpty)
    let sender = try RequestSender(authorities: forge.authorities, deadline: .patience)
    #expect(try await sender.send(request, to: nil) == .delivered)
    #expect(try forge.requests().map(\.body) == ["{}"])
    for sender in [stranger, sender] { await sender.shutDown() }
    #expect(throws: GitError.self) { try RequestSender(authorities: folder.path + "/none") }
  }

  @Test func answersTellWhetherToTryAgain() async throws {
    let folder = try TemporaryFolder()
    let forge = try FakeForge(scratch: folder.path)
    let sender = try RequestSender(deadline: .patience)
    func send(_ kind: ForgeKind, _ path: String) async throws -> RequestSender.Outcome {
      let address = try StatusAddress(kind, api: forge.url + path, repository: "a/b")
      let request = address.request(Self.status, of: Self.commit, token: "s3cret-token")
      return try await sender.send(request, to: address)
    }
    #expect(try await send(.gitea, "") == .delivered)
    #expect(try await send(.gitea, "/busy") == .failed("503 {}", retryAfter: .zero))
    #expect(try await send(.gitea, "/busy") == .delivered)
    #expect(try await send(.github, "/no") == .refused("422 No commit found for SHA"))
    #expect(try await send(.gitlab, "/same") == .delivered)
    guard case .refused = try await send(.github, "/same") else {
      Issue.record("only GitLab says so")
      return
    }
    let before = try forge.requests().count
    #expect(try await send(.gitea, "/moved") == .refused("302 {}"))
    #expect(try forge.requests().count == before + 1, "nobody else gets the token")
    #expect(try await send(.gitea, "/echo") == .refused("400 "), "the token stays where it is")
    #expect(try await send(.github, "/denied") == .failed("401 {}", retryAfter: nil))
    guard case .failed("403 {}", let pause?) = try await send(.github, "/exhausted") else {
      Issue.record("GitHub says so where there were too many")
      return
    }
    #expect(pause >= .seconds(60) && pause <= .seconds(3600))
    await sender.shutDown()
  }
}
