import ConfigModel

/// The directories that `layers` names: those of layers, and of the namespaces above them.
struct LayerDirectories {
  /// By their bytes: names that only look alike stay apart.
  private let directories: [[UInt8]: String]

  init(_ layers: [Settings.NamespaceLayers]) {
    directories = Dictionary(
      layers.flatMap(\.directories).map { (Array($0.utf8), $0) },
      uniquingKeysWith: { first, _ in first })
  }

  /// The one that a file belongs to, the innermost if they lie inside each other.
  ///
  /// - Parameter name: the path under the root.
  func directory(of name: String) -> String? {
    guard !directories.isEmpty else { return nil }
    var rest = Array(name.utf8)[...]
    while let slash = rest.lastIndex(of: UInt8(ascii: "/")) {
      rest = rest[..<slash]
      if let found = directories[Array(rest)] { return found }
    }
    return nil
  }

  /// Whether the tree has anything at all in a directory.
  ///
  /// - Complexity: O(log *n*) in files, which are sorted.
  func isThere(_ directory: String, in tree: SourceTree, _ settings: Settings) -> Bool {
    tree.hasFiles(below: (settings.root.isEmpty ? "" : settings.root + "/") + directory + "/")
  }
}

extension [Diagnostic] {
  /// The first of those that say the same of the same place: a file of a layer is used by many namespaces.
  func uniqueByPlace() -> [Diagnostic] {
    var seen: [SourceSpan: Set<DiagnosticCode>] = [:]
    return filter { seen[$0.span, default: []].insert($0.code).inserted }
  }

  /// Each finding once: a value of a layer may be wrong in many namespaces.
  func uniqueFindings() -> [Diagnostic] {
    var seen: [SourceSpan: [Diagnostic]] = [:]
    return filter { finding in
      let known = seen[finding.span, default: []]
      guard !known.contains(where: { $0.code == finding.code && $0.message == finding.message })
      else { return false }
      seen[finding.span, default: []].append(finding)
      return true
    }
  }
}
