import ConfigModel

/// Keys that no commit may delete.
struct ProtectedKeys: Sendable {
  /// Of whole keys, with their prefix.
  var pattern: Glob
  var span: SourceSpan

  /// Patterns say nothing of the slash that every key begins with.
  func covers(_ key: ConfigPath) -> Bool {
    pattern.matches(String(decoding: key.text.utf8.dropFirst(), as: UTF8.self))
  }
}

extension SettingsReader {
  /// Patterns of keys that are never deleted.
  mutating func readProtect(_ value: ConfigValue) {
    guard case .sequence(let items) = value.content else {
      return invalid(
        value.span, "protect is a list of patterns of keys",
        hint: "for instance '[/production/payments/**]'")
    }
    guard items.count <= CompilerLimits.protectedPatterns else {
      return invalid(
        value.span, "protect has more than \(CompilerLimits.protectedPatterns) patterns")
    }
    for item in items {
      guard case .string(let text) = item.content else {
        invalid(item.span, "a pattern is a text")
        continue
      }
      // What matches no key would protect nothing.
      guard text.utf8.first == UInt8(ascii: "/"), text != "/" else {
        invalid(
          item.span, "a pattern of keys begins with '/'", hint: "it is compared with whole keys")
        continue
      }
      guard text.utf8.last != UInt8(ascii: "/") else {
        invalid(item.span, "no key ends with '/'", hint: "'\(text)**' is everything inside")
        continue
      }
      do {
        settings.protected.append(
          ProtectedKeys(pattern: try Glob(text, of: .keys), span: item.span))
      } catch {
        invalid(item.span, "the pattern is malformed: \(error.description)")
      }
    }
    if settings.protected.reduce(0, { $0 + $1.pattern.length })
      > CompilerLimits.protectedPatternLength
    {
      invalid(
        value.span,
        "the patterns have more than \(CompilerLimits.protectedPatternLength) characters together")
    }
  }

  /// Patterns of what the source does not publish would protect nothing. Known once the whole file is read.
  mutating func checkProtected() {
    let prefix = settings.prefix.text
    for entry in settings.protected {
      let fixed = entry.pattern.fixedStart
      guard !fixed.utf8.starts(with: prefix.utf8), !prefix.utf8.starts(with: fixed.utf8) else {
        continue
      }
      invalid(
        entry.span,
        "'\(entry.pattern.pattern)' is outside of '\(prefix)', where the keys of this source live",
        hint: "keys are named whole, with their prefix")
    }
  }
}
