import CTOML
import ConfigModel

/// Parses TOML through toml++, with the place of every key and value.
///
/// The text of floats and dates is taken from the source: toml++ keeps their values only.
enum TOMLParser {
  private struct Event {
    var kind: ctoml_kind
    var text: String
    var integer: Int64
    var start: SourcePosition
    var end: SourcePosition
  }

  /// The value of a file, as far as it can be read; nil, with the reason, if it can't.
  static func parse(_ text: SourceText, _ diagnostics: inout [Diagnostic]) -> ConfigValue? {
    if let deep = TOMLParser.deepKey(text) {
      diagnostics.append(
        Diagnostic(
          .limitDepth, at: deep, "nested more than \(CompilerLimits.depth) deep",
          hint: "a key has too many parts"))
      return nil
    }
    let events = events(of: text)
    if let last = events.last, last.kind == ctoml_error {
      diagnostics.append(problem(last, text))
      return nil
    }
    var builder = Builder(text: text, events: events[...])
    let value = builder.value(depth: 1)
    diagnostics += builder.diagnostics
    return value
  }

  /// Dots on the way to one value, over all tables that it lies in: toml++ calls itself for each, and has no limit of
  /// its own. What is refused for its depth has fewer.
  private static let dots = 4 * CompilerLimits.depth

  /// Where a key has more parts than anything could follow, together with those that it lies in; nil if none has. What
  /// is written in strings and comments is passed over.
  private static func deepKey(_ text: SourceText) -> SourceSpan? {
    let bytes = text.bytes
    /// Dots of the key that is read, and of those whose brackets are open.
    var (count, outer): (Int, [Int]) = (0, [])
    var total = 0
    var offset = 0
    while offset < bytes.count {
      switch bytes[offset] {
      case UInt8(ascii: "."):
        count += 1
        if total + count > dots { return text.span(offset, offset) }
      case UInt8(ascii: "\""), UInt8(ascii: "'"):
        offset = TOMLString(at: offset, in: bytes).end
        continue
      case UInt8(ascii: "#"):
        offset = bytes[offset...].firstIndex(of: UInt8(ascii: "\n")) ?? bytes.count
        continue
      case UInt8(ascii: "["), UInt8(ascii: "{"):
        outer.append(count)
        total += count
        count = 0
      case UInt8(ascii: "]"), UInt8(ascii: "}"):
        count = outer.popLast() ?? 0
        total -= count
      case UInt8(ascii: ","): count = 0
      case UInt8(ascii: "\n"): if outer.isEmpty { count = 0 }
      default: break
      }
      offset += 1
    }
    return nil
  }

  private final class Collector { var events: [Event] = [] }

  private static func events(of text: SourceText) -> [Event] {
    let collector = Collector()
    text.bytes.withUnsafeBufferPointer { bytes in
      bytes.withMemoryRebound(to: CChar.self) { characters in
        let context = Unmanaged.passUnretained(collector).toOpaque()
        ctoml_parse(characters.baseAddress, characters.count, context) { context, event in
          guard let context, let event = event?.pointee else { return }
          let bytes = UnsafeRawBufferPointer(start: event.text, count: event.count)
          Unmanaged<Collector>.fromOpaque(context).takeUnretainedValue().events.append(
            Event(
              kind: event.kind, text: String(decoding: bytes, as: UTF8.self),
              integer: event.integer,
              start: SourcePosition(
                line: max(1, Int(event.line)), column: max(1, Int(event.column))),
              end: SourcePosition(
                line: max(1, Int(event.end_line)), column: max(1, Int(event.end_column)))))
        }
      }
    }
    return collector.events
  }

  private static func problem(_ event: Event, _ text: SourceText) -> Diagnostic {
    let span = SourceSpan(file: text.file, start: event.start, end: event.start)
    let scanner = TOMLScanner(text)
    if let duplicate = scanner.duplicates.first(where: { $0.second.start.line == event.start.line })
    {
      return .duplicateKey(
        text.slice(duplicate.second), at: duplicate.second, first: duplicate.first)
    }
    if event.text.contains("redefine") {
      return Diagnostic(
        .keyDuplicate, at: span, event.text, hint: "remove one of the definitions")
    }
    if let offset = scanner.unclosedString {
      return Diagnostic(
        .tomlSyntax, at: text.span(offset, offset), "the string is never closed",
        hint: "add the closing quote")
    }
    if event.text.contains("maximum nested") {
      return Diagnostic(
        .limitDepth, at: span, "nested more than \(CompilerLimits.depth) deep")
    }
    if event.text.contains("surrogate") {
      return Diagnostic(
        .textSurrogate, at: span, "half of a surrogate pair is no character")
    }
    return Diagnostic(.tomlSyntax, at: span, event.text)
  }

  private struct Builder {
    let text: SourceText
    var events: ArraySlice<Event>
    var diagnostics: [Diagnostic] = []

    mutating func value(depth: Int) -> ConfigValue {
      let event = events.removeFirst()
      let span = SourceSpan(file: text.file, start: event.start, end: event.end)
      if depth > CompilerLimits.depth + 1 {
        if !diagnostics.hasErrors {
          diagnostics.append(
            Diagnostic(.limitDepth, at: span, "nested more than \(CompilerLimits.depth) deep"))
        }
        skip(event.kind)
        return ConfigValue(.null, at: span)
      }
      switch event.kind {
      case ctoml_table_begin: return ConfigValue(.map(members(depth: depth)), at: span)
      case ctoml_array_begin:
        var items: [ConfigValue] = []
        while let next = events.first, next.kind != ctoml_array_end {
          items.append(value(depth: depth + 1))
        }
        events.removeFirst()
        return ConfigValue(.sequence(items), at: span)
      case ctoml_string:
        if event.text.utf8.contains(0) {
          diagnostics.append(
            Diagnostic(.textNUL, at: span, "a NUL character can't be published"))
        }
        return ConfigValue(.string(event.text), at: span)
      case ctoml_integer: return ConfigValue(.number(String(event.integer)), at: span)
      case ctoml_boolean: return ConfigValue(.boolean(event.integer != 0), at: span)
      case ctoml_float: return ConfigValue(.number(float(at: span)), at: span)
      default: return ConfigValue(.string(date(at: span)), at: span)
      }
    }

    /// Takes what is left of a value, however deep it is.
    private mutating func skip(_ kind: ctoml_kind) {
      var open = kind == ctoml_table_begin || kind == ctoml_array_begin ? 1 : 0
      while open > 0, let next = events.popFirst() {
        switch next.kind {
        case ctoml_table_begin, ctoml_array_begin: open += 1
        case ctoml_table_end, ctoml_array_end: open -= 1
        default: break
        }
      }
    }

    private mutating func members(depth: Int) -> [ConfigValue.Member] {
      var members: [ConfigValue.Member] = []
      while let key = events.first, key.kind == ctoml_key {
        events.removeFirst()
        let keySpan = SourceSpan(file: text.file, start: key.start, end: key.end)
        if key.text.utf8.contains(0) {
          diagnostics.append(
            Diagnostic(.textNUL, at: keySpan, "a NUL character can't stand in a key"))
        }
        members.append(
          ConfigValue.Member(key: key.text, keySpan: keySpan, value: value(depth: depth + 1)))
      }
      events.removeFirst()
      return members.sorted { $0.keySpan.start < $1.keySpan.start }
    }

    private mutating func float(at span: SourceSpan) -> String {
      let written = text.slice(span)
      if written.contains("inf") || written.contains("nan") {
        diagnostics.append(
          Diagnostic(
            .numberNotFinite, at: span, "JSON has no number like this",
            hint: "quote it if it is meant as a text"))
      } else if !written.utf8.allSatisfy({ $0.isDigit || "+-._eE".utf8.contains($0) }) {
        // toml++ reads hexadecimal ones, `0x1p4`, which no version of TOML has.
        diagnostics.append(
          Diagnostic(
            .tomlSyntax, at: span, "a number with a fraction or an exponent is decimal",
            hint: "write its decimal digits"))
      }
      return Numbers.float(written)
    }

    private func date(at span: SourceSpan) -> String {
      text.slice(span).replacing("t", with: "T").replacing("z", with: "Z")
    }
  }
}
