import ArgumentParser
import CacheStorage
import Compiler
import ConfigModel
import ConfigSyncClient
import Foundation
import GitSource
import Reconciler

/// How the cluster is reached.
struct ClusterOptions: ParsableArguments {
  @Option(help: "Client URLs of the cluster, comma-separated.")
  var endpoints = environment("ENDPOINTS", "http://127.0.0.1:2379")

  @Option(help: "NAME or NAME:PASSWORD, where the cluster has permissions switched on.")
  var user = environment("USER", "")

  @Option(help: "The password; asked for on a terminal if --user has none.")
  var password = environment("PASSWORD", "")

  /// - Throws: `CommandFailure` if there is a name without a password, and nobody to ask.
  private func credentials() throws -> ClientCredentials? {
    guard !user.isEmpty else { return nil }
    if let colon = user.firstIndex(of: ":") {
      return ClientCredentials(
        user: String(user[..<colon]), password: String(user[user.index(after: colon)...]))
    }
    if !password.isEmpty { return ClientCredentials(user: user, password: password) }
    return ClientCredentials(user: user, password: try askPassword("Password of \(user): "))
  }

  /// Runs `body` with a client; what goes wrong ends the command with exit code 2.
  func withClient<Result: Sendable>(
    _ body: @Sendable (ConfigClient) async throws -> Result
  ) async throws -> Result {
    try await ClusterOptions.withClient(
      endpoints.commaSeparated, credentials: try credentials(), body)
  }

  static func withClient<Result: Sendable>(
    _ endpoints: [String], credentials: ClientCredentials? = nil,
    _ body: @Sendable (ConfigClient) async throws -> Result
  ) async throws -> Result {
    do {
      return try await withConfigClient(endpoints: endpoints, credentials: credentials, body)
    } catch let failure as CommandFailure {
      throw failure
    } catch let error as ReconcileError {
      throw CommandFailure(error.isRefusal ? .no : .unknown, "\(error)")
    } catch let error as ClientError where error.kind == .refused {
      let asksWho = credentials == nil && "\(error)".hasSuffix("user name is empty")
      throw CommandFailure(
        .no,
        asksWho ? "the cluster has permissions switched on: say who you are by --user" : "\(error)")
    } catch {
      throw CommandFailure(.unknown, "\(error)")
    }
  }
}

/// Asks on the terminal, without showing what is typed.
///
/// - Throws: `CommandFailure` if there is no terminal.
func askPassword(
  _ prompt: String, or ways: String = "--user NAME:PASSWORD, --password or CONFIGSYNC_PASSWORD"
) throws -> String {
  guard isatty(STDIN_FILENO) == 1, let typed = getpass(prompt) else {
    throw CommandFailure(.unknown, "there is no terminal to ask for a password: give \(ways)")
  }
  return String(cString: typed)
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
  func tree(at revision: String?) throws -> SourceTree { try open().tree(at: revision) }
}

extension GitRepository {
  /// The tree of a revision, or the working tree without one; what goes wrong ends the command with exit code 2.
  func tree(at revision: String?) throws -> SourceTree {
    do {
      guard let revision else { return try workingTree() }
      return try tree(of: try resolve(revision))
    } catch {
      throw CommandFailure(.unknown, "\(error)")
    }
  }
}

/// Where what files hold is kept for the next run.
struct CacheOptions: ParsableArguments {
  @Option(
    help: """
      A directory for what committed files hold, so that the next run reads only what is new. \
      It is for this user alone; runs that are trusted less need another.
      """)
  var cacheDir = environment("CACHE_DIR", "")

  /// - Parameter folder: inside the directory, for one of several sources.
  /// - Throws: `CommandFailure` if the directory can't be used.
  func makeCache(in folder: String = "") throws -> CompileCache {
    guard !cacheDir.isEmpty else { return CompileCache() }
    let cacheDir = folder.isEmpty ? cacheDir : cacheDir + "/" + folder
    guard let program = ProgramIdentity.current() else {
      throw CommandFailure(
        .unknown,
        "this build of the program, or a library of it, has no build id: leave --cache-dir out")
    }
    do {
      return CompileCache(storage: try CacheDirectory(path: cacheDir, program: program))
    } catch let error as CacheDirectoryError where error == .busy(path: cacheDir) {
      printError("note: \(error): this run goes without it")
      return CompileCache()
    } catch {
      throw CommandFailure(.unknown, "\(error)")
    }
  }
}

/// `--color auto|always|never`.
struct ColorOptions: ParsableArguments {
  enum When: String, ExpressibleByArgument, CaseIterable { case auto, always, never }

  @Option(help: "auto, always or never. NO_COLOR turns auto off.")
  var color = environmentChoice("COLOR", When.auto)

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

/// Prints keys and values as one JSON object, sorted by the bytes of the keys.
///
/// Keys that only look alike stay apart, which a dictionary of texts would not keep.
func printKeys(_ items: [(key: String, value: [UInt8])]) {
  let span = SourceSpan(file: "")
  let members = items.map { key, value in
    let text = String(validating: value, as: UTF8.self)
    let content: ConfigValue.Content =
      if let text {
        .string(text)
      } else {
        .map([
          ConfigValue.Member(
            key: "base64", keySpan: span,
            value: ConfigValue(.string(Data(value).base64EncodedString()), at: span))
        ])
      }
    return ConfigValue.Member(key: key, keySpan: span, value: ConfigValue(content, at: span))
  }
  let keys = ConfigValue.Member(
    key: "keys", keySpan: span, value: ConfigValue(.map(members), at: span))
  let document = ConfigValue(.map([keys]), at: span).canonicalJSON(nulls: .kept)
  print(String(decoding: document, as: UTF8.self))
}

/// Bytes as they are printed for a person: what could command the terminal is replaced.
func printable(_ bytes: [UInt8]) -> String {
  guard let text = String(validating: bytes, as: UTF8.self) else {
    return "(\(bytes.count) bytes, not text)"
  }
  return text.unicodeScalars.map { scalar in
    scalar == "\n" || scalar == "\t" ? String(scalar) : printable(scalar)
  }.joined()
}

/// The same on one line: a name can't pretend to be a line of its own.
func printableLine(_ text: String) -> String {
  text.unicodeScalars.map(printable).joined()
}

private func printable(_ scalar: UnicodeScalar) -> String {
  let isCommand =
    scalar.value < 0x20 || (0x7f...0x9f).contains(scalar.value)
    || (0x202a...0x202e).contains(scalar.value) || (0x2066...0x2069).contains(scalar.value)
  return isCommand ? "\u{fffd}" : String(scalar)
}

func printableLine(_ bytes: [UInt8]) -> String {
  String(validating: bytes, as: UTF8.self).map(printableLine) ?? printable(bytes)
}

/// A cell that is wider pushes the rest of its own row aside, and not of all others.
private let widestColumn = 64

/// Columns of text, each as wide as its widest cell.
func printTable(_ rows: [[String]]) {
  var widths: [Int] = []
  for row in rows {
    for (index, cell) in row.enumerated() {
      if index == widths.count { widths.append(0) }
      widths[index] = max(widths[index], min(cell.count, widestColumn))
    }
  }
  for row in rows {
    let cells = row.enumerated().map { index, cell in
      index == row.count - 1
        ? cell : cell + String(repeating: " ", count: max(0, widths[index] - cell.count))
    }
    let line = cells.joined(separator: "  ")
    print(line.prefix(line.count - line.reversed().prefix { $0 == " " }.count))
  }
}
