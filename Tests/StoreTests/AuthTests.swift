import TestSupport
import Testing

@testable import Store

struct AuthTests {
  /// Permissions are on; `ann` may read and write [b, d), read `x` and write `y`.
  private static func secured() throws -> AppliedStore {
    let store = try AppliedStore()
    for key in ["a", "b", "c", "x", "y", "z"] as [Key] { try store.put(key, "0") }
    let changes: [AuthChange] = [
      .addUser(.root, passwordHash: "h"), .giveRole(.root, to: .root),
      .addRole("team"), .addRole("guest"),
      .grant(Permission(.readWrite, .between("b", "c")), to: "team"),
      .grant(Permission(.readWrite, .between("c", "d")), to: "team"),
      .grant(Permission(.read, .single("x")), to: "guest"),
      .grant(Permission(.write, .single("y")), to: "guest"),
      .addUser("ann", passwordHash: "h"), .giveRole("team", to: "ann"),
      .giveRole("guest", to: "ann"), .addUser("bob", passwordHash: nil), .enable,
    ]
    for change in changes { _ = try store.apply(.auth(change)).result.get() }
    return store
  }

  private static func caller(_ name: AuthName, in store: AppliedStore) -> Caller {
    .user(name, provenAt: store.store.auth.version.revision)
  }

  private static func put(
    _ key: Key, lease: Int64 = 0, previous: Bool = false
  ) -> Store.Operation {
    .put(PutRequest(key, .set([1]), lease: .set(lease), returnsPrevious: previous))
  }

  private static func delete(_ range: KeyRange, previous: Bool = false) -> Store.Operation {
    .delete(DeleteRequest(range, returnsPrevious: previous))
  }

  /// Whoever may do a thing may do it alone, in a transaction, in either branch of one, and inside another.
  private static func forms(of operation: Store.Operation) -> [Command.Action] {
    let never = [Compare(.single("b"), .version(99))]
    var forms: [Command.Action] = [
      .transaction(Transaction(success: [operation])),
      .transaction(Transaction(success: [], failure: [operation])),
      .transaction(Transaction(compares: never, success: [operation])),
      .transaction(Transaction(success: [.transaction(Transaction(success: [operation]))])),
      .transaction(
        Transaction(
          success: [.transaction(Transaction(success: [], failure: [operation]))])),
    ]
    switch operation {
    case .put(let put): forms.append(.put(put))
    case .delete(let delete): forms.append(.delete(delete))
    case .range, .transaction: break
    }
    return forms
  }

  @Test func everyFormOfARequestNeedsItsRights() throws {
    let store = try AuthTests.secured()
    let ann = AuthTests.caller("ann", in: store)
    let allowed: [Store.Operation] = [
      .range(RangeQuery(.between("b", "d"))), .range(RangeQuery(.single("x"), content: .countOnly)),
      AuthTests.put("b", previous: true), AuthTests.put("y"),
      AuthTests.delete(.between("b", "d"), previous: true), AuthTests.delete(.single("y")),
    ]
    let denied: [Store.Operation] = [
      .range(RangeQuery(.single("a"))), .range(RangeQuery(.between("b", "e"))),
      .range(RangeQuery(.from("b"))), .range(RangeQuery(.from("x"))),
      .range(RangeQuery(.single("y"), content: .countOnly)),
      AuthTests.put("x"), AuthTests.put("y", previous: true), AuthTests.put("d"),
      AuthTests.delete(.between("a", "d")), AuthTests.delete(.single("y"), previous: true),
      AuthTests.delete(.from("b")),
    ]
    for operation in allowed {
      for action in AuthTests.forms(of: operation) {
        let result = try store.apply(action, for: ann).result
        #expect(throws: Never.self, "\(action)") { try result.get() }
      }
    }
    for operation in denied {
      let before = store.store.current.revision
      for action in AuthTests.forms(of: operation) {
        let result = try store.apply(action, for: ann).result
        #expect(result == .failure(.auth(.permissionDenied)), "\(action)")
        // Nobody without rights, and no stranger, gets further.
        let bob = try store.apply(action, for: AuthTests.caller("bob", in: store)).result
        #expect(bob == .failure(.auth(.permissionDenied)))
        let stranger = try store.apply(action, for: .nobody).result
        #expect(stranger == .failure(.auth(.callerUnknown)))
      }
      #expect(store.store.current.revision == before)
    }
  }

  @Test func readsOfTheStoreNeedRightsToo() throws {
    let store = try AuthTests.secured()
    let ann = AuthTests.caller("ann", in: store)
    #expect(try store.store.range(RangeQuery(.between("b", "d")), for: ann).result.count == 2)
    let denied = [
      RangeQuery(.between("b", "e")), RangeQuery(.from("x"), content: .countOnly),
      RangeQuery(.single("y"), at: Revision(2)),
    ]
    for query in denied {
      #expect(throws: StoreError.auth(.permissionDenied)) {
        _ = try store.store.range(query, for: ann)
      }
      #expect(throws: StoreError.auth(.permissionDenied)) {
        _ = try store.store.evaluate(Transaction(success: [.range(query)]), for: ann)
      }
    }
    #expect(throws: StoreError.auth(.permissionDenied), "a compare tells of a value") {
      let compare = Compare(.single("z"), .value([0]))
      _ = try store.store.evaluate(Transaction(compares: [compare], success: []), for: ann)
    }
  }

  @Test func aLeaseIsAsGoodAsItsKeys() throws {
    let store = try AuthTests.secured()
    let ann = AuthTests.caller("ann", in: store)
    #expect(try store.apply(.lease(.grant(id: 1, ttl: 9)), for: ann).result == .success(.done))
    #expect(
      try store.apply(.lease(.grant(id: 2, ttl: 9)), for: .nobody).result
        == .failure(.auth(.callerUnknown)))
    for action in AuthTests.forms(of: AuthTests.put("b", lease: 1)) {
      let result = try store.apply(action, for: ann).result
      #expect(throws: Never.self) { try result.get() }
    }
    // A key of somebody else on the lease: who revokes it would delete that.
    _ = try store.apply(.put(PutRequest("z", .set([1]), lease: .set(1))))
    for action in AuthTests.forms(of: AuthTests.put("b", lease: 1)) {
      #expect(try store.apply(action, for: ann).result == .failure(.auth(.permissionDenied)))
    }
    #expect(
      try store.apply(.lease(.revoke(id: 1)), for: ann).result
        == .failure(.auth(.permissionDenied)))
    #expect(
      try store.apply(.lease(.revoke(id: 1)), for: AuthTests.caller(.root, in: store)).result
        == .success(.done))
  }

  @Test func onlyRootManages() throws {
    let store = try AuthTests.secured()
    let member = MemberAttributes(id: 1, name: "m", clientURLs: [])
    let actions: [Command.Action] = [
      .compact(Revision(2)), .alarm(.raise(Alarm(member: 1, kind: .noSpace))),
      .auth(.disable), .auth(.addUser("eve", passwordHash: "h")), .auth(.deleteUser("bob")),
      .auth(.giveRole(.root, to: "ann")), .auth(.addRole("r")), .auth(.deleteRole("team")),
      .auth(.grant(Permission(.read, .from("a")), to: "team")),
      .auth(.admit("ann", provenAt: 99, token: TokenDigest([1]), issuedAt: 1)),
      .lease(.expire(id: 1, grantedAt: 1, term: 1)), .lease(.checkpoint([], term: 1)),
      .memberAttributes(member), .memberChange(.remove(id: 2)),
    ]
    for action in actions {
      let ann = AuthTests.caller("ann", in: store)
      #expect(try store.apply(action, for: ann).result == .failure(.auth(.permissionDenied)))
      #expect(try store.apply(action, for: .nobody).result == .failure(.auth(.callerUnknown)))
    }
    #expect(try store.store.members().count == 2 && store.store.alarms().isEmpty)
    let root = AuthTests.caller(.root, in: store)
    #expect(try store.apply(.compact(Revision(2)), for: root).result == .success(.done))
  }

  @Test func anAlarmSwitchesNoCheckOff() throws {
    let store = try AuthTests.secured()
    for kind in [Alarm.Kind.noSpace, .corrupt] {
      _ = try store.apply(.alarm(.raise(Alarm(member: 1, kind: kind))))
      let ann = AuthTests.caller("ann", in: store)
      for action in [Command.Action.auth(.disable), .delete(DeleteRequest(.single("z")))] {
        #expect(try store.apply(action, for: ann).result == .failure(.auth(.permissionDenied)))
      }
      // Root can still prove who they are, and clear it.
      let proof = AuthChange.admit(
        .root, provenAt: store.store.auth.version.revision, token: TokenDigest([7]), issuedAt: 1)
      #expect(try store.apply(.auth(proof)).result == .success(.done))
      let clear = AlarmChange.clear(Alarm(member: 1, kind: kind))
      let root = AuthTests.caller(.root, in: store)
      #expect(try store.apply(.alarm(clear), for: root).result == .success(.done))
    }
  }

  @Test func aProofEndsWithThePasswordAndTheUser() throws {
    let store = try AuthTests.secured()
    let early = AuthTests.caller("ann", in: store)
    func write(_ caller: Caller) throws -> Result<OperationResult, StoreError> {
      try store.apply(.put(PutRequest("b", .set([1]))), for: caller).result
    }
    // Changes of others, and of her roles, leave it as it is.
    _ = try store.apply(.auth(.addUser("eve", passwordHash: "h")))
    #expect(throws: Never.self) { try write(early).get() }
    _ = try store.apply(.auth(.changePassword("ann", passwordHash: "i")))
    #expect(try write(early) == .failure(.auth(.tokenInvalid)))
    let later = AuthTests.caller("ann", in: store)
    #expect(throws: Never.self) { try write(later).get() }
    _ = try store.apply(.auth(.deleteUser("ann")))
    #expect(try write(later) == .failure(.auth(.tokenInvalid)))
    // Another of her name is not her.
    for change in [AuthChange.addUser("ann", passwordHash: "j"), .giveRole("team", to: "ann")] {
      _ = try store.apply(.auth(change)).result.get()
    }
    #expect(try write(later) == .failure(.auth(.tokenInvalid)))
    let stale = AuthChange.admit("ann", provenAt: 9, token: TokenDigest([1]), issuedAt: 1)
    #expect(
      try store.apply(.auth(stale)).result == .failure(.auth(.authenticationFailed)),
      "the password was checked before she was deleted")
    #expect(throws: Never.self) { try write(AuthTests.caller("ann", in: store)).get() }
  }

  @Test func aProofEndsWhenPermissionsAreSwitchedOff() throws {
    let store = try AuthTests.secured()
    let ann = AuthTests.caller("ann", in: store)
    for change in [AuthChange.disable, .enable] {
      _ = try store.apply(.auth(change)).result.get()
    }
    let put = Command.Action.put(PutRequest("b", .set([1])))
    #expect(try store.apply(put, for: ann).result == .failure(.auth(.tokenInvalid)))
    let later = AuthTests.caller("ann", in: store)
    #expect(throws: Never.self) { try store.apply(put, for: later).result.get() }
  }

  @Test func rolesThatGoTakeTheirRightsAlong() throws {
    let store = try AuthTests.secured()
    let ann = AuthTests.caller("ann", in: store)
    func reads(_ range: KeyRange) -> Bool {
      (try? store.store.range(RangeQuery(range), for: ann)) != nil
    }
    #expect(reads(.between("b", "d")) && reads(.single("x")))
    _ = try store.apply(.auth(.revoke(.between("b", "c"), from: "team")))
    #expect(!reads(.between("b", "d")) && reads(.between("c", "d")))
    _ = try store.apply(.auth(.takeRole("guest", from: "ann")))
    #expect(!reads(.single("x")))
    _ = try store.apply(.auth(.deleteRole("team")))
    #expect(!reads(.single("c")))
    _ = try store.apply(.auth(.disable))
    #expect(reads(.from("a")), "off is off")
  }

  @Test func changesThatCanNotBeAreRefused() throws {
    let store = try AppliedStore()
    func refusal(_ change: AuthChange) throws -> AuthError? {
      guard case .failure(.auth(let error)) = try store.apply(.auth(change)).result else {
        return nil
      }
      return error
    }
    #expect(try refusal(.enable) == .rootMissing)
    #expect(try refusal(.addUser("", passwordHash: nil)) == .userNameEmpty)
    #expect(try refusal(.addUser(.root, passwordHash: "h")) == nil)
    #expect(try refusal(.addUser(.root, passwordHash: "h")) == .userExists)
    #expect(try refusal(.enable) == .rootWithoutRole)
    #expect(try refusal(.giveRole("r", to: .root)) == .roleNotFound)
    #expect(try refusal(.giveRole(.root, to: "nobody")) == .userNotFound)
    #expect(try refusal(.giveRole(.root, to: .root)) == nil)
    let version = store.store.auth.version
    #expect(try refusal(.giveRole(.root, to: .root)) == nil, "again is no change")
    #expect(store.store.auth.version == version)
    #expect(
      try refusal(.admit(.root, provenAt: 9, token: TokenDigest([]), issuedAt: 1)) == .authDisabled)
    #expect(try refusal(.enable) == nil)
    #expect(store.store.auth.version == AuthVersion(revision: 3, enabledAt: 3))
    for change in [AuthChange.deleteUser(.root), .takeRole(.root, from: .root), .deleteRole(.root)]
    {
      #expect(try refusal(change) == .rootNeeded)
    }
    #expect(try refusal(.addRole("")) == .roleNameEmpty)
    #expect(try refusal(.addRole("r")) == nil)
    #expect(try refusal(.addRole("r")) == .roleExists)
    #expect(try refusal(.revoke(.single("a"), from: "r")) == .permissionNotGranted)
    #expect(try refusal(.takeRole("r", from: .root)) == .roleNotGiven)
  }

  @Test func permissionsSurviveRestartsAndSnapshots() throws {
    let store = try AuthTests.secured()
    _ = try store.store.makeDurable()
    let again = try KeyValueStore(directory: store.folder.path, cluster: 1)
    let ann = AuthTests.caller("ann", in: store)
    for reader in [store.store, again] {
      #expect(reader.auth.isEnabled)
      #expect(throws: StoreError.auth(.permissionDenied)) {
        _ = try reader.range(RangeQuery(.single("a")), for: ann)
      }
      #expect(try reader.range(RangeQuery(.single("b")), for: ann).result.count == 1)
    }
  }

  /// As many puts as the lease has keys: the keys are not looked at for each.
  @Test func aLeaseIsLookedAtOnceACommand() throws {
    let store = try AuthTests.secured()
    let ann = AuthTests.caller("ann", in: store)
    _ = try store.apply(.lease(.grant(id: 1, ttl: 9)), for: ann)
    let keys = (0..<3000).map { Key("b\($0)") }
    let puts = keys.map { AuthTests.put($0, lease: 1) }
    for _ in 0..<2 {
      let result = try store.apply(.transaction(Transaction(success: puts)), for: ann).result
      #expect(throws: Never.self) { try result.get() }
    }
  }

  @Test func gapsAreWhatRangesLeaveOut() {
    var set = KeyRangeSet()
    #expect(set.gaps.count == 1 && set.gaps[0] == (Key([]), nil))
    set.insert([.between("b", "d"), .single("x"), .between("c", "e")])
    let gaps = set.gaps.map { "\($0.start)-\($0.end?.description ?? "")" }
    #expect(gaps == ["-b", "e-x", "x\u{0}-"])
    var open = KeyRangeSet()
    open.insert([.from("m")])
    #expect(open.gaps.map { $0.end } == ["m"])
  }

  /// Two spellings of one letter are two names.
  @Test func namesAreBytes() throws {
    let store = try AuthTests.secured()
    let composed = AuthName("jos\u{e9}")
    let decomposed = AuthName("jose\u{301}")
    #expect(composed.description == decomposed.description && composed != decomposed)
    _ = try store.apply(.auth(.addUser(composed, passwordHash: "h"))).result.get()
    let proof = AuthTests.caller(decomposed, in: store)
    #expect(
      try store.apply(.put(PutRequest("b", .set([1]))), for: proof).result
        == .failure(.auth(.tokenInvalid)))
  }

  @Test func commandsKeepTheirCaller() throws {
    let changes: [AuthChange] = [
      .enable, .disable, .addUser("u", passwordHash: "h"), .addUser("u", passwordHash: nil),
      .deleteUser("u"), .changePassword("u", passwordHash: "h"), .giveRole("r", to: "u"),
      .takeRole("r", from: "u"), .addRole("r"), .deleteRole("r"),
      .grant(Permission(.write, .between("a", "b")), to: "r"), .revoke(.from("a"), from: "r"),
      .admit("u", provenAt: 5, token: TokenDigest([1, 2]), issuedAt: 1),
    ]
    for caller in [Caller.cluster, .nobody, .user("u", provenAt: 7)] {
      for change in changes {
        let command = Command(
          request: RequestID(member: 1, number: 2), caller: caller, action: .auth(change))
        let bytes = command.encoded()
        #expect(try Command(decoding: bytes) == command)
        #expect(Command.request(of: bytes) == command.request)
        for length in bytes.indices {
          #expect(!Command.isValid(Array(bytes.prefix(length))))
        }
      }
    }
  }

  @Test func rangesCoverWhatTheirKeysSay() {
    var random = SeededRandomNumbers(seed: 7)
    let keys: [Key] = ["a", "aa", "b", "ba", "c", "cc", "d"]
    func range() -> KeyRange {
      let start = keys.randomElement(using: &random) ?? "a"
      switch Int.random(in: 0...5, using: &random) {
      case 0...1: return .single(start)
      case 2: return .from(start)
      default: return .between(start, keys.randomElement(using: &random) ?? "b")
      }
    }
    // Every key that could tell them apart.
    let all = (keys + [Key("z")]).flatMap { [$0, Key($0.bytes + [0]), Key($0.bytes + [1])] }
    for _ in 0..<2000 {
      var set = KeyRangeSet()
      let granted = (0..<Int.random(in: 0...4, using: &random)).map { _ in range() }
      set.insert(granted)
      let wanted = range()
      let asked = wanted.isEmpty ? [wanted.start] : all.filter(wanted.contains)
      let isCovered = asked.allSatisfy { key in granted.contains { $0.contains(key) } }
      #expect(set.covers(wanted) == isCovered, "\(granted) \(wanted)")
    }
  }
}
