import ConfigModel
import Foundation
import GitSource
import Reconciler
import Synchronization
import TestSupport
import Testing

@testable import Server

/// The daemon's own file, and its webhooks.
struct DaemonTests {
  @Test func aFileNamesTheSources() throws {
    let text = """
      apiVersion: configsync/v1
      drift: report
      signers: {ssh: /etc/signers, openpgp: /etc/keys.gpg}
      webhooks:
        listen: 127.0.0.1:9000
        hooks:
          - {source: acme, forge: gitea, secretFile: /etc/hook}
      sources:
        - name: acme
          url: https://git.example.com/acme.git
          branch: main
          interval: 5m
          signatures: required
          history: since=v1
          credentials: {user: robot, passwordFile: /etc/token, caFile: /etc/ca.pem}
        - {name: local, url: /srv/local.git, drift: correct}

      """
    let (read, diagnostics) = DaemonFileReader.read(Array(text.utf8), named: "run.yaml")
    let file = try #require(read, "\(diagnostics.map(\.message))")
    #expect(file.sources.map(\.name) == ["acme", "local"])
    #expect(file.sources[0].interval == .seconds(300) && file.sources[0].requiresSignatures)
    #expect(file.sources[0].history == .since("v1") && file.sources[0].drift == .report)
    #expect(file.sources[0].credentials.user == "robot")
    #expect(file.sources[0].credentials.passwordFile == "/etc/token")
    #expect(file.sources[1].drift == .correct && file.sources[1].branch == "HEAD")
    #expect(file.signers == TrustedSigners(sshFile: "/etc/signers", openPGPFile: "/etc/keys.gpg"))
    #expect(file.webhookAddress == "127.0.0.1:9000" && file.hooks.map(\.kind) == [.gitea])
  }

  @Test(arguments: [
    ("sources: [{name: a, url: /x}]", ["1:1 apiVersion is missing"]),
    ("apiVersion: configsync/v1", ["1:1 sources is missing: there is nothing to do"]),
    ("apiVersion: configsync/v1\nsources: []", ["2:10 sources is empty: there is nothing to do"]),
    (
      "apiVersion: configsync/v1\nsources: [{name: a}, {url: /x}]",
      ["2:11 the source has no 'url'", "2:22 the source has no 'name'"]
    ),
    (
      "apiVersion: configsync/v1\nsources: [{name: a/b, url: /x}, {name: c, url: 'ftp://x'}]",
      [
        "2:18 name is a text of letters, digits, '-', '_' and '.'",
        "2:48 the URL of the repository can't be used: 'ftp' is none of https, http, ssh, git and file",
      ]
    ),
    (
      "apiVersion: configsync/v1\nsources: [{name: a, url: /x}, {name: a, url: /y, interval: 1d}]",
      [
        "2:38 there is a source 'a' already",
        "2:60 interval is a time up to a day, as 30s, 5m or 1h",
      ]
    ),
    (
      "apiVersion: configsync/v1\nsources: [{name: a, url: /x, credentials: {token: s3cret}}]",
      ["2:44 a secret does not stand in this file"]
    ),
    (
      "apiVersion: configsync/v1\nsources: [{name: a, url: /x, signatures: none}]",
      ["2:42 signatures is 'required', or left out"]
    ),
    (
      "apiVersion: configsync/v1\nsource: []\nsources: [{name: a, url: /x}]\nwebhooks: {hooks: [{source: b, forge: git}]}",
      [
        "2:1 unknown key 'source'", "4:11 webhooks has no 'listen'",
        "4:20 the hook has no 'secretFile'",
        "4:39 forge is one of github, gitlab, gitea, bitbucket, generic",
      ]
    ),
    ("apiVersion: configsync/v1\nsources: [", ["2:10"]),
  ])
  func whatIsWrongIsTold(text: String, expected: [String]) {
    let (file, diagnostics) = DaemonFileReader.read(Array((text + "\n").utf8), named: "run.yaml")
    #expect(file == nil)
    let found = diagnostics.map { finding in
      "\(finding.span.start.line):\(finding.span.start.column) \(finding.message)"
    }
    #expect(found.count == expected.count, "\(found)")
    for (line, start) in zip(found, expected) { #expect(line.hasPrefix(start), "\(line)") }
  }

  private func endpoint(_ doorbell: Doorbell, at now: @escaping @Sendable () -> Int64) throws
    -> WebhookEndpoint
  {
    let verifier = try #require(WebhookVerifier(.gitlab, secret: Array("a long secret".utf8)))
    return WebhookEndpoint(
      [.init(source: "acme", verifier: verifier, doorbell: doorbell)], now: now)
  }

  @Test func webhooksAreHintsOfThoseWhoKnowTheSecret() throws {
    let endpoint = try endpoint(Doorbell()) { 1000 }
    func answer(_ method: String, _ path: String, _ token: String?, _ body: String) -> WebhookAnswer
    {
      endpoint.answer(method: method, path: path, body: Array(body.utf8)) { name in
        name == "x-gitlab-token" ? token : nil
      }
    }
    #expect(answer("POST", "/hooks/acme", "a long secret", "1") == .accepted)
    #expect(answer("POST", "/hooks/acme", "a long secret", "1") == .repeated)
    #expect(answer("POST", "/hooks/acme", "a long secret", "2") == .accepted)
    #expect(answer("POST", "/hooks/acme", "wrong", "3") == .unauthorized)
    #expect(answer("POST", "/hooks/acme", nil, "3") == .unauthorized)
    #expect(answer("GET", "/hooks/acme", "a long secret", "4") == .wrongMethod)
    #expect(answer("POST", "/hooks/other", "a long secret", "5") == .unknownSource)
    #expect(answer("POST", "/", "a long secret", "5") == .unknownSource)
  }

  /// Forges deliver again what somebody asks them to, and other senders say the same each time.
  @Test func whatComesAgainLaterCountsAgain() throws {
    let time = Mutex<Int64>(1000)
    let endpoint = try endpoint(Doorbell()) { time.withLock { $0 } }
    func answer(_ stamp: String?) -> WebhookAnswer {
      endpoint.answer(method: "POST", path: "/hooks/acme", body: []) { name in
        name == "x-gitlab-token" ? "a long secret" : name == "x-configsync-timestamp" ? stamp : nil
      }
    }
    #expect(answer(nil) == .accepted && answer(nil) == .repeated)
    #expect(answer("1") == .accepted && answer("2") == .accepted && answer("2") == .repeated)
    time.withLock { $0 = 1601 }
    #expect(answer(nil) == .accepted)
    time.withLock { $0 = 5 }
    #expect(answer(nil) == .accepted, "a clock that is set back stops nothing")
  }

  @Test func aFloodIsAnsweredWithoutALook() throws {
    let time = Mutex<Int64>(1000)
    let endpoint = try endpoint(Doorbell()) { time.withLock { $0 } }
    let answers = (0..<300).map { number in
      endpoint.answer(method: "POST", path: "/hooks/acme", body: Array("\(number)".utf8)) { _ in
        "wrong"
      }
    }
    #expect(answers.allSatisfy { $0 == .unauthorized }, "who knows no secret uses up nothing")
    let known = (0..<300).map { number in
      endpoint.answer(method: "POST", path: "/hooks/acme", body: Array("\(number)".utf8)) { name in
        name == "x-gitlab-token" ? "a long secret" : nil
      }
    }
    #expect(known.count { $0 == .tooMany } == 200)
    time.withLock { $0 = 1001 }
    let good = endpoint.answer(method: "POST", path: "/hooks/acme", body: [1]) { _ in
      "a long secret"
    }
    #expect(good == .accepted)
  }

  @Test func theListenerTakesNoLargeBody() async throws {
    let listener = try await PlainListener(try endpoint(Doorbell()) { 1000 }, on: "127.0.0.1:0")
    let url = "http://127.0.0.1:\(listener.port)/hooks/acme"
    func post(_ bytes: Int, _ token: String) async throws -> String {
      let arguments = [
        "-s", "-o", "/dev/null", "-w", "%{http_code}", "-H", "x-gitlab-token: \(token)", "-H",
        "expect:",
        "--data-binary", "@-", url,
      ]
      let body = String(repeating: "x", count: bytes)
      return try await executeOnThread("curl", arguments, input: body).output
    }
    #expect(try await post(10, "a long secret") == "202")
    #expect(try await post(10, "wrong") == "401")
    #expect(try await post(1 << 20, "a long secret") == "202")
    #expect(try await post((1 << 20) + 1, "a long secret") != "202")
    try await listener.shutDown()
  }
}
