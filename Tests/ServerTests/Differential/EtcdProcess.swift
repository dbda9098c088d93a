import Foundation
import TestSupport

/// A real etcd of one member on loopback, for comparison; it ends with the value.
final class EtcdProcess {
  /// Nil where `make setup` could not install it.
  static let program: String? = {
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    let found = try? execute(root.appendingPathComponent("Scripts/etcd35.sh").path, ["etcd"])
    return found?.status == 0
      ? found?.output.trimmingCharacters(in: .whitespacesAndNewlines) : nil
  }()

  let endpoint: String
  private let folder: TemporaryFolder
  private let process = Process()

  /// - Parameter operations: how many operations of a transaction it takes.
  init(program: String, operations: Int) throws {
    folder = try TemporaryFolder()
    let ports = try freePorts(2)
    endpoint = "http://127.0.0.1:\(ports[0])"
    let peer = "http://127.0.0.1:\(ports[1])"
    process.executableURL = URL(fileURLWithPath: program)
    process.arguments = [
      "--name", "reference", "--data-dir", folder.path + "/etcd", "--listen-client-urls", endpoint,
      "--advertise-client-urls", endpoint, "--listen-peer-urls", peer,
      "--initial-advertise-peer-urls", peer, "--initial-cluster", "reference=\(peer)",
      "--max-txn-ops", "\(operations)", "--log-level", "error", "--unsafe-no-fsync",
      "--bcrypt-cost", "4",
    ]
    process.standardOutput = FileHandle.nullDevice
    let log = folder.path + "/log"
    _ = FileManager.default.createFile(atPath: log, contents: nil)
    process.standardError = FileHandle(forWritingAtPath: log)
    try process.run()
  }

  /// Ends it; it does not survive every request, and then this tells its last words.
  func stop() -> String? {
    process.terminate()
    process.waitUntilExit()
    let log = (try? String(contentsOfFile: folder.path + "/log", encoding: .utf8)) ?? ""
    return log.components(separatedBy: "\n").first { $0.contains("panic") }
  }
}
