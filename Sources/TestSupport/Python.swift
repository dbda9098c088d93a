public import Foundation

/// The folder of the package.
public let repository = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
  .deletingLastPathComponent().deletingLastPathComponent()

/// The Python in whose environment `make setup` has installed a client of PyPI; nil where it could not.
public func pythonOfClient(_ client: String) -> String? {
  let home = repository.appendingPathComponent(".build-etcd/clients/\(client)")
  let isReady = FileManager.default.fileExists(atPath: home.appendingPathComponent("ready").path)
  return isReady ? home.appendingPathComponent("bin/python").path : nil
}
