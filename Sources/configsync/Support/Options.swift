import ArgumentParser
import Compiler
import ConfigModel
import ConfigSyncClient
import Foundation
import GitSource

/// How the cluster is reached.
struct ClusterOptions: ParsableArguments {
  @Option(help: "Client URLs of the cluster, comma-separated.")
  var endpoints = environment("ENDPOINTS", "http://127.0.0.1:2379")

  /// Runs `body` with a client; what goes wrong ends the command with exit code 2.
  func withClient<Result: Sendable>(
    _ body: @Sendable (ConfigClient) async throws -> Result
  ) async throws -> Result {
    try await ClusterOptions.withClient(endpoints.commaSeparated, body)
  }

  static func withClient<Result: Sendable>(
    _ endpoints: [String], _ body: @Sendable (ConfigClient) async throws -> Result
  ) async throws -> Result {
    do {
      return try await withConfigClient(endpoints: endpoints, body)
    } catch let failure as CommandFailure {
      throw failure
    } catch {
      throw CommandFailure(.unknown, "\(error)")
    }
  }
}

/// Which repository, and which of its states.
struct RepositoryOptions: ParsableArguments {
  @Option(help: "The Git repository: a path or a file:// URL.")
  var repo = environment("REPO", ".")

  func open() throws -> GitRepository {
    do {
      return try GitRepository(repo)
    } catch {
      throw CommandFailure(.unknown, error.description)
    }
  }

  /// The tree of a revision, or the working tree without one.
  func tree(at revision: String?) throws -> SourceTree {
    let repository = try open()
    do {
      guard let revision else { return try repository.workingTree() }
      return try repository.tree(of: try repository.resolve(revision))
    } catch {
      throw CommandFailure(.unknown, "\(error)")
    }
  }
}

/// `--color auto|always|never`.
struct ColorOptions: ParsableArguments {
  enum When: String, ExpressibleByArgument, CaseIterable { case auto, always, never }

  @Option(help: "auto, always or never. NO_COLOR turns auto off.")
  var color = When(rawValue: environment("COLOR", "auto")) ?? .auto

  func style(of descriptor: Int32 = STDOUT_FILENO) -> HumanRenderer.Style {
    switch color {
    case .always: return .colored
    case .never: return .plain
    case .auto:
      let isOff = ProcessInfo.processInfo.environment["NO_COLOR"].map { !$0.isEmpty } ?? false
      return isOff || isatty(descriptor) == 0 ? .plain : .colored
    }
  }
}

enum OutputFormat: String, ExpressibleByArgument, CaseIterable { case human, json }

/// Prints a value as one JSON document with sorted keys.
func printJSON(_ value: some Encodable) throws {
  let encoder = JSONEncoder()
  encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes, .prettyPrinted]
  print(String(decoding: try encoder.encode(value), as: UTF8.self))
}

/// Bytes as text, or as base64 where they are none.
struct PrintedValue: Encodable {
  private enum CodingKeys: String, CodingKey { case base64 }
  let bytes: [UInt8]

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  func encode(to encoder: any Encoder) throws {
    if let text = String(validating: bytes, as: UTF8.self) {
      var container = encoder.singleValueContainer()
      try container.encode(text)
    } else {
      var container = encoder.container(keyedBy: CodingKeys.self)
      try container.encode(Data(bytes).base64EncodedString(), forKey: .base64)
    }
  }
}

/// Bytes as they are printed for a person: control characters can't command the terminal.
func printable(_ bytes: [UInt8]) -> String {
  guard let text = String(validating: bytes, as: UTF8.self) else {
    return "(\(bytes.count) bytes, not text)"
  }
  return text.unicodeScalars.map { scalar in
    scalar.value < 0x20 && scalar != "\n" && scalar != "\t" || scalar.value == 0x7f
      ? "\u{fffd}" : String(scalar)
  }.joined()
}

/// Columns of text, each as wide as its widest cell.
func printTable(_ rows: [[String]]) {
  var widths: [Int] = []
  for row in rows {
    for (index, cell) in row.enumerated() {
      if index == widths.count { widths.append(0) }
      widths[index] = max(widths[index], cell.count)
    }
  }
  for row in rows {
    let cells = row.enumerated().map { index, cell in
      index == row.count - 1
        ? cell : cell + String(repeating: " ", count: widths[index] - cell.count)
    }
    print(cells.joined(separator: "  "))
  }
}
