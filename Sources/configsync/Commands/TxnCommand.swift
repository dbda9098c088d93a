import ArgumentParser
import ConfigSyncClient
import Foundation

struct TxnCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "txn", abstract: "Carry out operations at one revision, if conditions hold.",
    discussion: """
      Reads conditions, an empty line, what is done if all hold, an empty line, and what is done else; as
      'etcdctl txn' does. Exit code 1: they did not hold.

      Example:
        configsync txn <<'END'
        mod("/scratch/note") = "0"

        put /scratch/note hello

        get /scratch/note
        END
      """)

  @Argument(help: "The file to read; - for standard input.")
  var file = "-"
  @OptionGroup var cluster: ClusterOptions

  func run() async throws {
    let script: TransactionScript
    do {
      script = try TransactionScript(try text())
    } catch let problem as TransactionScript.Problem {
      throw ValidationError("\(file == "-" ? "standard input" : file), \(problem)")
    }
    for operation in script.success + script.failure {
      switch operation {
      case .put(let key, _): try refuseReserved(.key(key))
      case .delete(let range): try refuseReserved(range)
      case .get: break
      }
    }
    let result = try await cluster.withClient { client in
      try await client.transact(
        if: script.compares, then: script.success, else: script.failure)
    }
    print(result.succeeded ? "SUCCESS" : "FAILURE")
    for outcome in result.results {
      print("")
      switch outcome {
      case .put: print("OK")
      case .deleted(let count): print("\(count) deleted")
      case .items(let items):
        for item in items { print("\(printableLine(item.key)) = \(printable(item.value))") }
      }
    }
    if !result.succeeded { throw CommandFailure(.no, "") }
  }

  private func text() throws -> String {
    guard file != "-" else {
      return String(decoding: FileHandle.standardInput.readDataToEndOfFile(), as: UTF8.self)
    }
    do {
      return try String(contentsOfFile: file, encoding: .utf8)
    } catch {
      throw ValidationError("\(file) can't be read: \(error.localizedDescription)")
    }
  }
}
