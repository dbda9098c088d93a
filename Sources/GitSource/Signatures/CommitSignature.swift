/// A commit's signature, and the bytes that it is of.
struct SignedBytes: Hashable, Sendable {
  var signature: [UInt8]
  var content: [UInt8]
}

/// What a commit's header says of a signature.
///
/// The header ends at the first empty line; a field goes on in lines that begin with a space (Git's
/// Documentation/gitformat-signature). What stands in the message is no signature, whatever it looks like.
enum CommitSignature: Hashable, Sendable {
  case none
  case found(SignedBytes)
  case malformed(String)

  private static let field = Array("gpgsig ".utf8)
  private static let otherField = Array("gpgsig-".utf8)
  private static let lineFeed = UInt8(ascii: "\n")

  /// - Parameter commit: as Git stores it.
  init(of commit: [UInt8]) {
    // Git's own tools end a message there.
    guard !commit.contains(0) else {
      self = .malformed("the commit holds a NUL character")
      return
    }
    var (signature, content) = ([UInt8](), [UInt8]())
    var isInside = false
    var count = 0
    var rest = commit[...]
    while let end = rest.firstIndex(of: CommitSignature.lineFeed), end != rest.startIndex {
      let line = rest[rest.startIndex...end]
      rest = rest[(end + 1)...]
      if isInside, line.first == UInt8(ascii: " ") {
        signature += line.dropFirst()
        continue
      }
      isInside = line.starts(with: CommitSignature.field)
      if isInside {
        count += 1
        signature += line.dropFirst(CommitSignature.field.count)
      } else if line.starts(with: CommitSignature.otherField) {
        self = .malformed("it is of a kind that this program does not know")
        return
      } else {
        content += line
      }
    }
    guard count > 0 else {
      self = .none
      return
    }
    guard count == 1 else {
      self = .malformed("the commit has more than one")
      return
    }
    self = .found(SignedBytes(signature: signature, content: content + rest))
  }
}
