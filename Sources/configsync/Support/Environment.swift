import ArgumentParser
import Foundation
import Synchronization

/// The value of `CONFIGSYNC_NAME`, which stands in for a flag that is not given.
func environment(_ name: String) -> String? {
  ProcessInfo.processInfo.environment["CONFIGSYNC_" + name]
}

/// The same, read as a number; or as a text, which is never wrong.
func environment<Value: LosslessStringConvertible>(_ name: String, _ standard: Value) -> Value {
  guard let text = environment(name) else { return standard }
  if let value = Value(text) { return value }
  EnvironmentProblems.add(name, "'\(printableLine(text))' is no number")
  return standard
}

/// The same, one of a few words.
func environmentChoice<Value: RawRepresentable & CaseIterable>(
  _ name: String, _ standard: Value
) -> Value where Value.RawValue == String {
  guard let text = environment(name) else { return standard }
  if let value = Value(rawValue: text) { return value }
  let words = Value.allCases.map(\.rawValue).joined(separator: ", ")
  EnvironmentProblems.add(name, "'\(printableLine(text))' is none of \(words)")
  return standard
}

/// What the environment says that can't be meant: it is found while flags get their defaults, which can't fail.
enum EnvironmentProblems {
  private static let found = Mutex<[String]>([])

  fileprivate static func add(_ name: String, _ problem: String) {
    found.withLock { $0.append("CONFIGSYNC_\(name): \(problem)") }
  }

  /// - Throws: the first, whether its flag is given or not.
  static func check() throws {
    if let first = found.withLock({ $0.first }) { throw CommandFailure(.unknown, first) }
  }
}

extension String {
  /// The parts of a comma-separated list; none of an empty text.
  var commaSeparated: [String] { split(separator: ",").map(String.init) }
}
