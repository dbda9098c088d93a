import ArgumentParser
import ConfigModel
import Foundation
import Logging

/// `--log-level` and `--log-format`.
struct LoggingOptions: ParsableArguments {
  enum Format: String, ExpressibleByArgument, CaseIterable { case text, json }

  @Option(help: "trace, debug, info, notice, warning, error or critical.")
  var logLevel = environment("LOG_LEVEL", "info")

  @Option(help: "text or json.")
  var logFormat = environmentChoice("LOG_FORMAT", Format.text)

  func validate() throws {
    guard Logger.Level(rawValue: logLevel) != nil else {
      throw ValidationError("--log-level '\(logLevel)' is not one of the levels")
    }
  }

  func makeLogger(_ label: String) -> Logger {
    var logger = Logger(label: label) { label in
      switch logFormat {
      case .text: StandardErrorHandler(label: label)
      case .json: JSONHandler(label: label)
      }
    }
    logger.logLevel = Logger.Level(rawValue: logLevel) ?? .info
    return logger
  }
}

/// Where log lines go: standard error, in one write each, so that lines of several threads do not
/// mix.
private func writeLine(_ line: String) { writeToStandardError(line + "\n") }

private func timestamp() -> String {
  Date().formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true))
}

struct StandardErrorHandler: LogHandler {
  /// What a line has at most, but for its beginning.
  private static let lineBytes = 16 << 10

  let label: String
  var metadata: Logger.Metadata = [:]
  var logLevel: Logger.Level = .info

  init(label: String) { self.label = label }

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  func log(event: LogEvent) {
    let all = metadata.merging(event.metadata ?? [:]) { $1 }
    let facts = all.sorted { $0.key < $1.key }.map { " \($0.key)=\($0.value)" }.joined()
    // What others have written is in there.
    let line = oneLine("\(event.message)\(facts)", bytes: StandardErrorHandler.lineBytes)
    writeLine("\(timestamp()) \(event.level) \(label): \(line)")
  }
}

struct JSONHandler: LogHandler {
  let label: String
  var metadata: Logger.Metadata = [:]
  var logLevel: Logger.Level = .info

  init(label: String) { self.label = label }

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  func log(event: LogEvent) {
    var fields = metadata.merging(event.metadata ?? [:]) { $1 }.mapValues { "\($0)" }
    fields["time"] = timestamp()
    fields["level"] = event.level.rawValue
    fields["logger"] = label
    fields["message"] = "\(event.message)"
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    guard let line = try? encoder.encode(fields) else { return }
    writeLine(String(decoding: line, as: UTF8.self))
  }
}
