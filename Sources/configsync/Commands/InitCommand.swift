import ArgumentParser
import Foundation
import GitSource

struct InitCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "init", abstract: "Make a configuration repository that works at once.",
    discussion: """
      Files that are there already are left alone.

      Example:
        configsync init my-config
      """)

  @Argument(help: "The folder; made if missing.")
  var directory = "."

  func run() throws {
    let root = URL(fileURLWithPath: directory)
    do {
      try FileManager.default.createDirectory(at: root, withIntermediateDirectories: true)
      try GitRepository.create(at: root.path)
      for (path, content) in InitCommand.files {
        let url = root.appendingPathComponent(path)
        guard !FileManager.default.fileExists(atPath: url.path) else {
          print("kept     \(path)")
          continue
        }
        try FileManager.default.createDirectory(
          at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(content.utf8).write(to: url)
        print("created  \(path)")
      }
    } catch {
      throw CommandFailure(.unknown, "can't set up '\(directory)': \(error)")
    }
    print("\nNext: commit the files, then 'configsync validate' and 'configsync dev'.")
  }

  private static let files: [(String, String)] = [
    (
      "configsync.yaml",
      """
      apiVersion: configsync/v1
      name: default
      root: config
      prefix: /
      encode: leaf
      layers:
        production: [base]
        staging: [base]
      files:
        - match: "**/*.conf"
          encode: raw

      """
    ),
    (
      "config/base/api.yaml",
      """
      # Lies below every namespace that names it under 'layers' in configsync.yaml.
      replicas: 1
      log:
        level: warning
      features: [search]

      """
    ),
    (
      "config/production/api.yaml",
      """
      # Becomes /production/api/replicas, /production/api/log/level, and so on.
      replicas: 3
      log:
        level: warning
      features: [search, export]

      """
    ),
    (
      "config/production/proxy.conf",
      """
      # Published byte for byte as /production/proxy.conf.
      listen 8080;

      """
    ),
    (
      "config/staging/api.yaml",
      """
      log:
        level: debug

      """
    ),
    (
      ".github/workflows/configsync.yaml",
      """
      # Checks every pull request; needs no access to the cluster.
      on: [pull_request]
      jobs:
        validate:
          runs-on: ubuntu-latest
          steps:
            - uses: actions/checkout@v4
            - run: configsync validate --rev HEAD

      """
    ),
  ]
}
