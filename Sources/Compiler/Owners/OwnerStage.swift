import ConfigModel

/// Who may change the keys below a prefix.
struct Owners: Sendable {
  /// With or without a `/` at its end; the keys inside are meant, and the key itself.
  var prefix: ConfigPath
  var span: SourceSpan
  /// Addresses, in lower case.
  var people: Set<String>

  func covers(_ key: ConfigPath) -> Bool { key == folder || key.isInside(folder) }

  /// The prefix without a `/` at its end.
  var folder: ConfigPath {
    prefix.text.utf8.last == UInt8(ascii: "/")
      ? ConfigPath(escaped: String(prefix.text.dropLast())) : prefix
  }
}

extension [Owners] {
  /// The entry of the longest prefix that covers a key.
  func owners(of key: ConfigPath) -> Owners? {
    filter { $0.covers(key) }.max { $0.folder.text.utf8.count < $1.folder.text.utf8.count }
  }
}

/// Checks that who changes a key may do so.
///
/// The owners are those of the commit before, so that no commit grants itself a right; the first commit of a source
/// is judged by its own.
struct OwnerStage {
  private let settings: Settings
  private let tree: SourceTree
  private(set) var diagnostics: [Diagnostic] = []

  init(_ settings: Settings, _ tree: SourceTree) {
    self.settings = settings
    self.tree = tree
  }

  /// - Parameter author: the address of who made the commit; nil for what is no commit yet.
  /// - Complexity: O(*n*) in keys, and O(*m*) in owners for each that changes.
  mutating func check(
    _ keySpace: KeySpace, after last: CommitHistory.Published?, by author: String?
  ) {
    let owners = last?.settings.owners ?? settings.owners
    guard let author = author?.lowercased(), !owners.isEmpty else { return }
    checkOwners(owners, author)
    let diff = KeySpaceDiff(from: last?.keySpace ?? .empty, to: keySpace)
    for change in diff.changes {
      guard let entry = owners.owners(of: change.key), !entry.people.contains(author) else {
        continue
      }
      guard diagnostics.count < CompilerLimits.ownerFindings else { return }
      // The line that gave a key which is gone may be gone, too.
      let place = change.new?.origin ?? SourceSpan(file: change.old?.origin.file ?? "")
      report(
        entry, at: place, key: change.key, author,
        "'\(change.key)' is \(change.kind.rawValue) by \(author), who does not own it")
    }
  }

  /// Owners are themselves what only owners change: else two commits would do what one may not.
  private mutating func checkOwners(_ owners: [Owners], _ author: String) {
    for old in owners where !old.people.contains(author) {
      let new = settings.owners.first { $0.folder == old.folder }
      guard new?.people != old.people else { continue }
      report(
        old, at: new?.span ?? SourceSpan(file: Settings.fileName), key: old.folder, author,
        "the owners of '\(old.prefix)' are changed by \(author), who is none of them")
    }
    for new in settings.owners where !owners.contains(where: { $0.folder == new.folder }) {
      guard let above = owners.owners(of: new.folder), !above.people.contains(author) else {
        continue
      }
      report(
        above, at: new.span, key: new.folder, author,
        "'\(new.prefix)' is given owners by \(author), who does not own '\(above.prefix)'")
    }
  }

  private mutating func report(
    _ entry: Owners, at place: SourceSpan, key: ConfigPath, _ author: String, _ message: String
  ) {
    let people = entry.people.sorted().joined(separator: ", ")
    diagnostics.append(
      Diagnostic(
        .ownerDenied, at: place, key: key, message,
        hint: people.isEmpty
          ? "nobody may change what is below '\(entry.prefix)'"
          : "a commit by \(people) may change it"))
  }
}
