import ConfigModel
import Testing

@testable import Reconciler

/// Which commits have to be signed, and who then answers for a change.
struct SignatureTests {
  private static let required = "apiVersion: configsync/v1\nsignatures: required\n"
  private static let alice = SignatureVerdict.trusted(
    Signer(key: "ssh:SHA256:a", addresses: ["alice@example.com"]))
  private static let bob = SignatureVerdict.trusted(
    Signer(key: "ssh:SHA256:b", addresses: ["bob@example.com"]))

  @Test func everyCommitSinceTheLastAppliedHasToBeSigned() async throws {
    var source = ScriptedSource()
    let target = ModelTarget()
    let first = source.commit(
      ["configsync.yaml": Self.required, "a.yaml": "x: 1\n"], signature: Self.alice)
    _ = try await reconciler(source, target).run(ReconcileOptions())
    #expect(target.head() == first.text)
    let key = Array((ReservedKeys.commits(of: "default") + first.text).utf8)
    let record: CommitRecord = try ReservedKeys.decode(
      from: try #require(try target.item(key)).value)
    #expect(record.signer == "alice@example.com ssh:SHA256:a")
    // An unsigned one does not pass under a signed one, nor does one that switches signatures off.
    for verdict in [
      SignatureVerdict.missing, .bad("changed"), .untrusted("by a stranger"),
    ] {
      var source = source
      _ = source.commit(["a.yaml": "x: 2\n"], signature: verdict)
      _ = source.commit(
        ["configsync.yaml": Self.required, "a.yaml": "x: 3\n"], signature: Self.alice)
      let report = try await reconciler(source, target).run(ReconcileOptions())
      #expect(report.refused == 2 && report.applied == 0)
      #expect(report.tipFindings?.count == 1 && target.head() == first.text)
    }
    let good = source.commit(["a.yaml": "x: 4\n"], signature: Self.bob)
    let report = try await reconciler(source, target).run(ReconcileOptions())
    #expect(report.applied == 1 && target.head() == good.text)
    // That one has switched it off.
    let unsigned = source.commit(["a.yaml": "x: 5\n"])
    _ = try await reconciler(source, target).run(ReconcileOptions())
    #expect(target.head() == unsigned.text)
    let strict = source.commit(["a.yaml": "x: 6\n"])
    let refused = try await reconciler(source, target)
      .run(ReconcileOptions(requiresSignatures: true))
    #expect(refused.tipFindings?.map(\.code) == [.signatureMissing] && target.head() != strict.text)
  }

  @Test func whatAMergeBringsHasToBeSignedToo() async throws {
    var source = ScriptedSource()
    let target = ModelTarget()
    let files = ["configsync.yaml": Self.required, "a.yaml": "x: 1\n"]
    let base = source.commit(files, signature: Self.alice)
    _ = try await reconciler(source, target).run(ReconcileOptions())
    for (verdict, refused) in [(SignatureVerdict.missing, 1), (Self.bob, 0)] {
      source.head = base
      let side = source.commit(files, signature: verdict)
      let merge = source.commit(files, parents: [base, side], signature: Self.alice)
      let report = try await reconciler(source, target).run(ReconcileOptions())
      #expect(report.refused == refused)
      #expect((target.head() == merge.text) == (refused == 0))
    }
  }

  @Test func ownersAreAskedOfWhoHasSigned() async throws {
    let settings = Self.required + "owners: {/a/: [alice@example.com]}\n"
    var source = ScriptedSource()
    let target = ModelTarget()
    _ = source.commit(
      ["configsync.yaml": settings, "a/b.yaml": "x: 1\n"], by: "alice@example.com",
      signature: Self.alice)
    _ = try await reconciler(source, target).run(ReconcileOptions())
    let files = ["configsync.yaml": settings, "a/b.yaml": "x: 2\n"]
    // Bob writes Alice's name into the commit, and signs it by himself.
    let before = source.head
    _ = source.commit(files, by: "alice@example.com", signature: Self.bob)
    let report = try await reconciler(source, target).run(ReconcileOptions())
    #expect(report.tipFindings?.map(\.code) == [.ownerDenied] && target.content["/a/b/x"] == "1")
    source.head = before
    _ = source.commit(files, by: "bob@example.com", signature: Self.alice)
    _ = try await reconciler(source, target).run(ReconcileOptions())
    #expect(target.content["/a/b/x"] == "2")
  }

  @Test func withoutTrustedKeysItCantBeTold() async throws {
    var source = ScriptedSource()
    let target = ModelTarget()
    _ = source.commit(
      ["configsync.yaml": Self.required, "a.yaml": "x: 1\n"], signature: .unchecked)
    await #expect(throws: ReconcileError.noSigners) {
      _ = try await reconciler(source, target).run(ReconcileOptions())
    }
    #expect(target.revision == 1, "nothing is recorded of what is no source yet")
  }

  /// An unsigned commit would be the first of another source, to which nothing applies.
  @Test func aCommitCantMakeAnotherSourceOfItsBranch() async throws {
    var source = ScriptedSource()
    let target = ModelTarget()
    func settings(_ name: String, _ rest: String = "") -> String {
      "apiVersion: configsync/v1\nname: \(name)\nprefix: /\(name)\n\(rest)"
    }
    let first = source.commit(
      ["configsync.yaml": settings("acme", "signatures: required\n"), "a.yaml": "x: 1\n"],
      signature: Self.alice)
    _ = try await reconciler(source, target).run(ReconcileOptions())
    _ = source.commit(["configsync.yaml": settings("evil"), "a.yaml": "x: 666\n"])
    await #expect(throws: ReconcileError.unnamed("evil", others: ["acme"])) {
      _ = try await reconciler(source, target).run(ReconcileOptions())
    }
    // Nor does a rewritten branch, of which the store knows nothing.
    var orphan = ScriptedSource(salt: "6")
    _ = orphan.commit(["configsync.yaml": settings("evil"), "a.yaml": "x: 666\n"])
    await #expect(throws: ReconcileError.unnamed("evil", others: ["acme"])) {
      _ = try await reconciler(orphan, target).run(ReconcileOptions(acceptsRewrite: true))
    }
    #expect(target.content == ["/acme/a/x": "1"] && target.head("acme") == first.text)
    let item = try target.item(Array(ReservedKeys.state(of: "acme").utf8))
    #expect(item == nil, "another source's name is no reason to say something of this one")
    // Who means it says so, and then it is a source of its own.
    _ = try await reconciler(source, target).run(ReconcileOptions(name: "evil"))
    #expect(target.head("evil") != nil)
  }

  /// Who may write to one branch must not write into a source that follows another.
  @Test func aBranchCantTakeOverAnothersSource() async throws {
    var source = ScriptedSource()
    let target = ModelTarget()
    let files = ["configsync.yaml": "apiVersion: configsync/v1\nname: prod\n", "a.yaml": "x: 1\n"]
    _ = source.commit(files)
    _ = try await reconciler(source, target).run(ReconcileOptions())
    source.branch = "dev"
    _ = source.commit(files.merging(["a.yaml": "x: 666\n"]) { $1 })
    await #expect(
      throws: ReconcileError.otherBranch(source: "prod", follows: "main", branch: "dev")
    ) {
      _ = try await reconciler(source, target).run(ReconcileOptions())
    }
    #expect(target.content == ["/a/x": "1"])
    // Nor does what is on no branch, and the record does not forget the branch.
    source.branch = nil
    await #expect(
      throws: ReconcileError.otherBranch(source: "prod", follows: "main", branch: nil)
    ) {
      _ = try await reconciler(source, target).run(ReconcileOptions())
    }
    _ = try await reconciler(source, target).run(ReconcileOptions(name: "prod"))
    #expect(target.content == ["/a/x": "666"])
    source.branch = "dev"
    _ = source.commit(files.merging(["a.yaml": "x: 667\n"]) { $1 })
    await #expect(
      throws: ReconcileError.otherBranch(source: "prod", follows: "main", branch: "dev")
    ) {
      _ = try await reconciler(source, target).run(ReconcileOptions())
    }
  }

  /// What a refused commit says of its place does not count.
  @Test func aRefusedPrefixStopsNothing() async throws {
    var source = ScriptedSource()
    let target = ModelTarget()
    func settings(_ name: String, _ prefix: String) -> String {
      "apiVersion: configsync/v1\nname: \(name)\nprefix: /\(prefix)\nsignatures: required\n"
    }
    var other = ScriptedSource(salt: "5")
    _ = other.commit(
      ["configsync.yaml": settings("other", "other"), "a.yaml": "x: 1\n"], signature: Self.alice)
    _ = try await reconciler(other, target).run(ReconcileOptions(name: "other"))
    _ = source.commit(
      ["configsync.yaml": settings("acme", "acme"), "a.yaml": "x: 1\n"], signature: Self.alice)
    _ = try await reconciler(source, target).run(ReconcileOptions(name: "acme"))
    _ = source.commit(
      ["configsync.yaml": settings("acme", "acme"), "a.yaml": "x: 2\n"], signature: Self.alice)
    _ = source.commit(["configsync.yaml": settings("acme", "other"), "a.yaml": "x: 3\n"])
    target.put("/acme/a/x", "by hand")
    let report = try await reconciler(source, target).run(ReconcileOptions())
    #expect(report.applied == 1 && report.refused == 1 && report.prefix.text == "/acme")
    #expect(target.content["/acme/a/x"] == "2" && target.content["/other/a/x"] == "1")
  }

  /// Who rewrites the branch must not gain by the clone's having forgotten what was before.
  @Test func aRewriteWithoutTheOldCommitNeedsAnotherWord() async throws {
    var source = ScriptedSource()
    let target = ModelTarget()
    _ = source.commit(
      ["configsync.yaml": Self.required + "protect: [/a/x]\n", "a.yaml": "x: 1\n"],
      signature: Self.alice)
    _ = try await reconciler(source, target).run(ReconcileOptions())
    var rewritten = ScriptedSource(salt: "5")
    for number in 1...3 {
      _ = rewritten.commit(["b.yaml": "y: \(number)\n"], "rewritten", by: "eve@b")
    }
    var options = ReconcileOptions(acceptsRewrite: true)
    do {
      _ = try await reconciler(rewritten, target).run(options)
      Issue.record("the rewrite is taken")
    } catch let error as ReconcileError {
      if case .lostHead = error {} else { Issue.record("\(error)") }
    }
    #expect(target.content == ["/a/x": "1"])
    options.acceptsLostHead = true
    _ = try await reconciler(rewritten, target).run(options)
    #expect(target.content == ["/b/y": "3"])
  }
}
