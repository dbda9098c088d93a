import ConfigModel

/// Which files are published, and how, by their names alone.
struct PublishingRules {
  let settings: Settings

  /// The path under the root; nil for what is never published.
  func name(of file: SourceTree.File) -> String? {
    var name = file.path
    if !settings.root.isEmpty {
      guard name.utf8.starts(with: (settings.root + "/").utf8) else { return nil }
      name = String(decoding: name.utf8.dropFirst(settings.root.utf8.count + 1), as: UTF8.self)
    }
    guard file.path != Settings.fileName, file.path != Settings.accessFileName, !isNamed(file.path),
      !ConfigPath.segments(of: name).contains(where: { $0.utf8.first == UInt8(ascii: ".") })
    else { return nil }
    return name
  }

  /// Whether configsync.yaml names the file as something else than configuration.
  private func isNamed(_ path: String) -> Bool {
    if JsonnetStage.isJsonnet(path), settings.policies.contains(where: { $0.pattern.matches(path) })
    {
      return true
    }
    return settings.files.contains { rule in
      rule.schema?.target == .file(ConfigPath(escaped: path))
    }
  }

  /// Characters of all patterns together, which every path may be compared with.
  var patternLength: Int {
    settings.files.reduce(0) { $0 + $1.match.length }
      + settings.policies.reduce(0) { $0 + $1.pattern.length }
  }

  func rule(for name: String) -> Settings.FileRule? {
    settings.files.first { $0.match.matches(name) }
  }

  /// How the file is published; nil if it is not.
  func encoding(of name: String) -> Settings.Encoding? { encoding(of: name, by: rule(for: name)) }

  /// - Parameter rule: that for the name.
  func encoding(of name: String, by rule: Settings.FileRule?) -> Settings.Encoding? {
    if rule?.isIgnored == true { return nil }
    if ConfigPath.name(name, endsIn: ".libsonnet") || PolicyTests.isTest(name) { return nil }
    if rule?.encoding == .raw { return .raw }
    // A rule that wants something else of a file that is not structured is answered by who reads it.
    guard FileParser.format(of: name) != nil || JsonnetStage.isJsonnet(name) else {
      return rule?.encoding
    }
    return rule?.encoding ?? settings.encoding
  }

  /// Whether a file of this name would be published, could its path become a key.
  func isWanted(_ name: String, by rule: Settings.FileRule?) -> Bool {
    FileParser.format(of: name) != nil || JsonnetStage.isJsonnet(name) || rule != nil
  }
}

extension [NamedSchema] {
  /// Each schema once.
  func unique() -> [NamedSchema] {
    var seen: Set<NamedSchema.Target> = []
    return filter { seen.insert($0.target).inserted }
  }
}
