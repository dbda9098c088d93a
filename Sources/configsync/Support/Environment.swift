import ArgumentParser
import Foundation

/// The value of `CONFIGSYNC_NAME`, which stands in for a flag that is not given.
func environment(_ name: String) -> String? {
  ProcessInfo.processInfo.environment["CONFIGSYNC_" + name]
}

/// The same, read as a number or another value that has a text form.
func environment<Value: LosslessStringConvertible>(_ name: String, _ standard: Value) -> Value {
  guard let text = environment(name) else { return standard }
  return Value(text) ?? standard
}

extension String {
  /// The parts of a comma-separated list; none of an empty text.
  var commaSeparated: [String] { split(separator: ",").map(String.init) }
}
