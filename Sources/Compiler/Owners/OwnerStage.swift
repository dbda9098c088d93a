import ConfigModel

/// Who may change the keys below a prefix.
struct Owners: Sendable {
  /// As it is written; the keys inside are meant, and the key itself.
  var prefix: ConfigPath
  var span: SourceSpan
  var people: Set<MailAddress>
}

/// An address without regard to case; that of ASCII alone, and compared by bytes, since other letters only look alike.
struct MailAddress: Hashable, Comparable, Sendable {
  private let bytes: [UInt8]

  init(_ text: String) { bytes = MailAddress.lowercased(text) }

  static func lowercased(_ text: String) -> [UInt8] {
    text.utf8.map { (0x41...0x5a).contains($0) ? $0 | 0x20 : $0 }
  }

  var text: String { String(decoding: bytes, as: UTF8.self) }
  var isEmpty: Bool { bytes.isEmpty }

  static func < (left: MailAddress, right: MailAddress) -> Bool {
    left.bytes.lexicographicallyPrecedes(right.bytes)
  }
}

/// The owners of a repository, by folder.
struct OwnerTable: Sendable {
  private(set) var byFolder: [ConfigPath: Owners] = [:]

  var isEmpty: Bool { byFolder.isEmpty }
  var count: Int { byFolder.count }

  /// Sorted by the folder.
  var entries: [(folder: ConfigPath, owners: Owners)] {
    byFolder.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
  }

  subscript(_ folder: ConfigPath) -> Owners? { byFolder[folder] }

  /// - Returns: whether the folder had none yet.
  mutating func add(_ owners: Owners) -> Bool {
    byFolder.updateValue(owners, forKey: owners.prefix.folder) == nil
  }

  /// The entry of the longest prefix that covers a key; nil if nobody owns it.
  ///
  /// - Complexity: O(*n*) in the segments of the key.
  func owners(of key: ConfigPath) -> Owners? {
    var next: ConfigPath? = key
    while let folder = next {
      if let found = byFolder[folder] { return found }
      next = folder.parent
    }
    return nil
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

  /// - Parameter authors: the addresses of who made the commit, or signed it; nil for what is no commit yet.
  /// - Complexity: O(*n*) in keys, and O(*m*) in owners for each that changes.
  mutating func check(
    _ keySpace: KeySpace, after last: CommitHistory.Published?, by authors: [String]?
  ) {
    let owners = last?.settings.owners ?? settings.owners
    guard let authors, !owners.isEmpty else { return }
    let people = Set(authors.map(MailAddress.init))
    let named = people.filter { !$0.isEmpty }.sorted().map(\.text).joined(separator: ", ")
    let name = named.isEmpty ? "somebody without an address" : named
    checkOwners(owners, people, name)
    let diff = KeySpaceDiff(from: last?.keySpace ?? .empty, to: keySpace)
    for change in diff.changes {
      guard let entry = owners.owners(of: change.key), entry.people.isDisjoint(with: people) else {
        continue
      }
      guard diagnostics.count < CompilerLimits.ownerFindings else { return }
      // The line that gave a key which is gone may be gone, too.
      let place = change.new?.origin ?? SourceSpan(file: change.old?.origin.file ?? "")
      report(
        entry, at: place, key: change.key,
        "'\(change.key)' is \(change.kind.rawValue) by \(name), who does not own it")
    }
  }

  /// Owners are themselves what only owners change: else two commits would do what one may not. Those of a folder may
  /// be changed by those of a folder above, too.
  private mutating func checkOwners(
    _ owners: OwnerTable, _ people: Set<MailAddress>, _ name: String
  ) {
    for (folder, old) in owners.entries where settings.owners[folder]?.people != old.people {
      let above = folder.parent.flatMap { owners.owners(of: $0) }
      guard old.people.isDisjoint(with: people), above?.people.isDisjoint(with: people) != false
      else { continue }
      report(
        old, at: settings.owners[folder]?.span ?? SourceSpan(file: Settings.fileName), key: folder,
        "the owners of '\(old.prefix)' are changed by \(name), who is none of them")
    }
    for (folder, new) in settings.owners.entries where owners[folder] == nil {
      guard let above = owners.owners(of: folder), above.people.isDisjoint(with: people) else {
        continue
      }
      report(
        above, at: new.span, key: folder,
        "'\(new.prefix)' is given owners by \(name), who does not own '\(above.prefix)'")
    }
  }

  private mutating func report(
    _ entry: Owners, at place: SourceSpan, key: ConfigPath, _ message: String
  ) {
    guard diagnostics.count < CompilerLimits.ownerFindings else { return }
    let people = entry.people.sorted().map(\.text).joined(separator: ", ")
    diagnostics.append(
      Diagnostic(
        .ownerDenied, at: place, key: key, message,
        hint: "a commit by \(people) may change it"))
  }
}
