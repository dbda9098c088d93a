import ConfigModel

/// Joins what the files give into one key space, and finds what can't stand together.
struct KeyMerger {
  var items: [ConfigPath: CompiledItem] = [:]
  /// For each folder of a key, the value that it is or stands under.
  private var valuesAbove: [ConfigPath: CompiledItem?] = [:]
  private(set) var diagnostics: [Diagnostic] = []

  mutating func add(_ file: [CompiledItem]) {
    for item in file {
      guard let first = items[item.path] else {
        items[item.path] = item
        continue
      }
      diagnostics.append(
        Diagnostic(
          .keyConflict, at: item.origin, key: item.path,
          "the key '\(item.path)' is given by two places",
          hint: "remove one of them", related: [.init(first.origin, "given here first")]))
    }
  }

  /// Adds a finding for each value that is a folder as well, or a record of the program's.
  mutating func checkFolders() {
    for item in items.values.sorted(by: { $0.path < $1.path }) {
      if item.path.isReserved {
        diagnostics.append(
          Diagnostic(
            .keyReserved, at: item.origin, key: item.path,
            "keys under '\(ConfigPath.reserved)' are the program's own", hint: "rename the key"))
      }
      guard let shorter = valueAbove(item.path) else { continue }
      diagnostics.append(
        Diagnostic(
          .keyValueAndFolder, at: item.origin, key: item.path,
          "'\(shorter.path)' is a value, so '\(item.path)' can't be below it",
          hint: "rename one of them", related: [.init(shorter.origin, "the value is here")]))
    }
  }

  var keySpace: KeySpace {
    KeySpace(
      items.values.map { item in
        let form: KeySpace.Item.Form = item.form == .text ? .text : .json
        return (item.path, KeySpace.Item(value: item.value, origin: item.origin, form: form))
      })
  }

  /// The value nearest above a key, if there is one; each folder is looked at once.
  private mutating func valueAbove(_ path: ConfigPath) -> CompiledItem? {
    guard let folder = path.parent, folder != .root else { return nil }
    if let known = valuesAbove[folder] { return known }
    let found = items[folder] ?? valueAbove(folder)
    valuesAbove[folder] = .some(found)
    return found
  }
}
