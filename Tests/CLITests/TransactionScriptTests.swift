import ConfigSyncClient
import Testing

@testable import configsync

struct TransactionScriptTests {
  private func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

  @Test func itIsReadAsItIsWrittenForEtcdctl() throws {
    let script = try TransactionScript(
      """
      mod("/a b") > "0"
      value(/c) != "x\\"y"

      put /a "two words\\n"
      del --prefix /old/

      get /a

      """)
    #expect(
      script.compares == [
        ClientCompare(bytes("/a b"), .greater, .modRevision(0)),
        ClientCompare(bytes("/c"), .notEqual, .value(bytes("x\"y"))),
      ])
    #expect(
      script.success == [
        .put(key: bytes("/a"), value: bytes("two words\n")), .delete(.prefix(bytes("/old/"))),
      ])
    #expect(script.failure == [.get(.key(bytes("/a")))])
  }

  @Test func withoutComparesTheFirstListIsDone() throws {
    let script = try TransactionScript("\nput a \"\"\n")
    #expect(script.compares.isEmpty && script.failure.isEmpty)
    #expect(script.success == [.put(key: bytes("a"), value: [])])
  }

  @Test(arguments: [
    ("mod(a) > x", 1, "not a number"), ("size(a) = 1", 1, "can't be compared"),
    ("mod(a) ~ 1", 1, "one of"), ("mod a", 1, "written like"), ("\nput a", 2, "a key and a value"),
    ("\n\npush a b", 3, "not an operation"), ("\nget a b", 2, "one key"),
    ("\nput a \"b", 2, "not closed"), ("\nput a \"\\q\"", 2, "backslash"),
    ("\n\n\nget a", 4, "three parts"),
  ])
  func whatIsWrongIsSaidWithItsLine(_ text: String, line: Int, reason: String) {
    #expect {
      _ = try TransactionScript(text)
    } throws: { error in
      guard let problem = error as? TransactionScript.Problem else { return false }
      return problem.line == line && problem.reason.contains(reason)
    }
  }
}
