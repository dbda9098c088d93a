import ConfigModel

extension SettingsReader {
  /// `layers`: of each namespace the directories below its own, lowest first.
  mutating func readLayers(_ value: ConfigValue) {
    guard case .map(let members) = value.content else {
      return invalid(
        value.span, "layers is a map of namespaces, each with a list of directories",
        hint: "for instance 'production: [base]'")
    }
    for member in members {
      guard SettingsReader.isName(member.key[...]) else {
        invalid(member.keySpan, "a namespace is the name of a folder right under the root")
        continue
      }
      if let layers = layers(of: member) {
        settings.layers.append(.init(namespace: member.key, layers: layers))
      }
    }
  }

  private mutating func layers(of member: ConfigValue.Member) -> [Settings.Layer]? {
    guard case .sequence(let items) = member.value.content else {
      invalid(
        member.value.span, "the layers of '\(member.key)' are a list of directories",
        hint: "for instance '\(member.key): [base]'")
      return nil
    }
    var layers: [Settings.Layer] = []
    for item in items {
      guard let directory = directory(item) else { continue }
      // By bytes: names that only look alike are two folders.
      let isSame: (String) -> Bool = { $0.utf8.elementsEqual(directory.utf8) }
      if isSame(member.key) {
        invalid(item.span, "'\(directory)' is the namespace itself, which is its highest layer")
      } else if layers.contains(where: { isSame($0.directory) }) {
        invalid(item.span, "'\(directory)' is a layer of '\(member.key)' already")
      } else {
        layers.append(Settings.Layer(directory: directory, span: item.span))
      }
    }
    return layers
  }

  private mutating func directory(_ item: ConfigValue) -> String? {
    guard case .string(let text) = item.content else {
      invalid(item.span, "a layer is a directory, a text")
      return nil
    }
    let trimmed = text.hasSuffix("/") ? text.dropLast() : text[...]
    let parts = trimmed.split(separator: "/", omittingEmptySubsequences: false)
    guard parts.allSatisfy(SettingsReader.isName) else {
      invalid(
        item.span, "a layer is a directory relative to the root, without '..'",
        hint: "names that begin with '.' are never published")
      return nil
    }
    return String(trimmed)
  }

  /// Whether a folder of this name can be published.
  private static func isName(_ name: Substring) -> Bool {
    !name.isEmpty && !name.utf8.starts(with: ".".utf8)
      && name.utf8.count <= CompilerLimits.nameBytes
      && !name.unicodeScalars.contains {
        $0.value < 0x20 || $0.value == 0x7f || $0 == "\\" || $0 == "/"
      }
  }
}
