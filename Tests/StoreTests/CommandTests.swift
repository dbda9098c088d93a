import Testing

@testable import Store

/// What can be told of an encoded command without decoding it.
struct CommandTests {
  private func bytes(_ action: Command.Action, for caller: Caller = .cluster) -> [UInt8] {
    Command(request: RequestID(member: 2, number: 2), caller: caller, action: action).encoded()
  }

  private func put(_ size: Int, lease: PutRequest.Lease = .keep) -> PutRequest {
    PutRequest(Key("key"), .set([UInt8](repeating: 2, count: size)), lease: lease)
  }

  @Test func aSmallPutIsKnownByItsBytes() {
    let callers = [Caller.cluster, .nobody, .user(AuthName("alice"), provenAt: 3)]
    for caller in callers {
      #expect(Command.isSmallPut(bytes(.put(put(0)), for: caller)))
      #expect(Command.isSmallPut(bytes(.put(put(4_096, lease: .set(7))), for: caller)))
      #expect(!Command.isSmallPut(bytes(.put(put(9_000)), for: caller)), "it takes longer")
      var reading = put(1)
      reading.returnsPrevious = true
      #expect(!Command.isSmallPut(bytes(.put(reading), for: caller)), "of any size")
      reading = PutRequest(Key("key"), .keep, lease: .set(7))
      #expect(!Command.isSmallPut(bytes(.put(reading), for: caller)), "so is what this keeps")
      let delete = DeleteRequest(.from(Key([0])))
      #expect(!Command.isSmallPut(bytes(.delete(delete), for: caller)), "it may be of all keys")
      let transaction = Transaction(success: [.put(put(1))])
      #expect(!Command.isSmallPut(bytes(.transaction(transaction), for: caller)))
      #expect(!Command.isSmallPut(bytes(.compact(Revision(2)), for: caller)))
    }
    let whole = bytes(.put(put(1)))
    #expect(!Command.isSmallPut([]))
    for count in 0...17 { #expect(!Command.isSmallPut(Array(whole.prefix(count)))) }
    #expect(!Command.isSmallPut([9] + whole.dropFirst()), "a later version")
  }
}
