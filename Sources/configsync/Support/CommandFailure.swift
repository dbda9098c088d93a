import ArgumentParser
import Foundation

/// Why a command ends without success; the message has been, or is to be, printed.
struct CommandFailure: Error, CustomStringConvertible {
  /// The exit codes of the contract.
  enum Kind: Int32 {
    /// The answer is no: invalid, differs, drifted, refused.
    case no = 1
    /// It could not be found out: usage, input or output, no cluster.
    case unknown = 2
  }

  var kind: Kind
  var description: String

  init(_ kind: Kind, _ description: String) {
    self.kind = kind
    self.description = description
  }
}
