import CYAML
import ConfigModel

/// One event of libyaml, in Swift's terms.
struct YAMLEvent {
  enum Kind {
    case streamStart, streamEnd
    /// With the version that a directive names.
    case documentStart(version: (major: Int, minor: Int)?)
    case documentEnd
    case alias(String)
    case scalar(text: String, isPlain: Bool, tag: String?, anchor: String?)
    case sequenceStart(tag: String?, anchor: String?)
    case sequenceEnd
    case mapStart(tag: String?, anchor: String?)
    case mapEnd
  }

  var kind: Kind
  var start: SourcePosition
  var end: SourcePosition
}

/// What libyaml finds wrong, at the place where the cause is.
struct YAMLProblem: Error {
  var code: DiagnosticCode
  var position: SourcePosition
  var message: String
  var hint: String?
}

/// libyaml's events of one text.
final class YAMLEventReader {
  private let parser = UnsafeMutablePointer<yaml_parser_t>.allocate(capacity: 1)
  private let text: SourceText
  // libyaml reads from it as long as it lives.
  private let input: UnsafeMutableBufferPointer<UInt8>
  /// The last quoted scalar that spans lines: if its quote was never meant to open there, libyaml
  /// notices only behind its end.
  private var lastLongQuote: (start: SourcePosition, end: SourcePosition)?
  /// Brackets that are open, outermost first.
  private var openBrackets: [SourcePosition] = []

  init(_ text: SourceText) {
    self.text = text
    input = .allocate(capacity: text.bytes.count)
    _ = input.initialize(from: text.bytes)
    yaml_parser_initialize(parser)
    yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING)
    yaml_parser_set_input_string(parser, input.baseAddress, input.count)
  }

  deinit {
    yaml_parser_delete(parser)
    parser.deallocate()
    input.deallocate()
  }

  func next() throws(YAMLProblem) -> YAMLEvent {
    var event = yaml_event_t()
    guard yaml_parser_parse(parser, &event) == 1 else { throw problem() }
    defer { yaml_event_delete(&event) }
    let start = YAMLEventReader.position(event.start_mark)
    let end = YAMLEventReader.position(event.end_mark)
    let kind = try kind(of: event)
    if event.type == YAML_SCALAR_EVENT, end.line > start.line {
      let style = event.data.scalar.style
      let isQuoted =
        style == YAML_SINGLE_QUOTED_SCALAR_STYLE || style == YAML_DOUBLE_QUOTED_SCALAR_STYLE
      if isQuoted { lastLongQuote = (start, end) }
    }
    track(event, kind, at: start)
    return YAMLEvent(kind: kind, start: start, end: end)
  }

  private func track(_ event: yaml_event_t, _ kind: YAMLEvent.Kind, at start: SourcePosition) {
    switch kind {
    case .sequenceStart:
      if event.data.sequence_start.style == YAML_FLOW_SEQUENCE_STYLE { openBrackets.append(start) }
    case .mapStart:
      if event.data.mapping_start.style == YAML_FLOW_MAPPING_STYLE { openBrackets.append(start) }
    case .sequenceEnd, .mapEnd:
      // Inside brackets everything is in brackets, so the innermost one is the one that ends.
      _ = openBrackets.popLast()
    default: break
    }
  }

  private func kind(of event: yaml_event_t) throws(YAMLProblem) -> YAMLEvent.Kind {
    switch event.type {
    case YAML_STREAM_START_EVENT: return .streamStart
    case YAML_DOCUMENT_START_EVENT:
      let version = event.data.document_start.version_directive.map {
        (major: Int($0.pointee.major), minor: Int($0.pointee.minor))
      }
      return .documentStart(version: version)
    case YAML_DOCUMENT_END_EVENT: return .documentEnd
    case YAML_ALIAS_EVENT:
      return .alias(YAMLEventReader.string(event.data.alias.anchor) ?? "")
    case YAML_SCALAR_EVENT:
      let scalar = event.data.scalar
      let bytes = UnsafeBufferPointer(start: scalar.value, count: scalar.length)
      return .scalar(
        text: String(decoding: bytes, as: UTF8.self),
        isPlain: scalar.style == YAML_PLAIN_SCALAR_STYLE,
        tag: YAMLEventReader.string(scalar.tag), anchor: YAMLEventReader.string(scalar.anchor))
    case YAML_SEQUENCE_START_EVENT:
      let start = event.data.sequence_start
      return .sequenceStart(
        tag: YAMLEventReader.string(start.tag), anchor: YAMLEventReader.string(start.anchor))
    case YAML_SEQUENCE_END_EVENT: return .sequenceEnd
    case YAML_MAPPING_START_EVENT:
      let start = event.data.mapping_start
      return .mapStart(
        tag: YAMLEventReader.string(start.tag), anchor: YAMLEventReader.string(start.anchor))
    case YAML_MAPPING_END_EVENT: return .mapEnd
    default: return .streamEnd
    }
  }

  private static func position(_ mark: yaml_mark_t) -> SourcePosition {
    SourcePosition(line: mark.line + 1, column: mark.column + 1)
  }

  private static func string(_ text: UnsafeMutablePointer<yaml_char_t>?) -> String? {
    text.map { String(cString: $0) }
  }

  // MARK: - Problems

  private func problem() -> YAMLProblem {
    let problem = parser.pointee.problem.map { String(cString: $0) } ?? "unknown problem"
    let context = parser.pointee.context.map { String(cString: $0) }
    var position = YAMLEventReader.position(parser.pointee.problem_mark)
    if parser.pointee.error == YAML_READER_ERROR {
      position = text.position(parser.pointee.problem_offset)
    }
    if problem == "found incompatible YAML document" {
      return .version(at: position)
    }
    if context == "while scanning a quoted scalar", problem.hasPrefix("found unexpected") {
      return YAMLProblem(
        code: .yamlSyntax, position: YAMLEventReader.position(parser.pointee.context_mark),
        message: "the quote is never closed", hint: "add the closing quote")
    }
    if problem == "found invalid Unicode character escape code", isSurrogate(line: position.line) {
      return YAMLProblem(
        code: .textSurrogate, position: position,
        message: "half of a surrogate pair is no character")
    }
    if let bracket = openBrackets.last, text.isBlank(from: position) {
      return YAMLProblem(
        code: .yamlSyntax, position: bracket, message: "this is never closed",
        hint: "add the closing bracket")
    }
    if let quote = lastLongQuote, position.line == quote.end.line,
      context == "while parsing a block mapping" || context == "while parsing a flow mapping"
        || context == "while parsing a flow sequence"
    {
      return YAMLProblem(
        code: .yamlSyntax, position: quote.start,
        message: "the quote seems never closed: it ends on line \(position.line)",
        hint: "\(sentence(problem, context)) there")
    }
    return YAMLProblem(
      code: .yamlSyntax, position: position, message: sentence(problem, context), hint: nil)
  }

  private func sentence(_ problem: String, _ context: String?) -> String {
    guard let context else { return problem }
    return "\(problem) \(context)"
  }

  private func isSurrogate(line: Int) -> Bool {
    let start = text.offset(SourcePosition(line: line, column: 1))
    let end = text.offset(SourcePosition(line: line, column: .max))
    let content = String(decoding: text.bytes[start..<end], as: UTF8.self).lowercased()
    return ["8", "9", "a", "b", "c", "d", "e", "f"].contains {
      content.contains("\\ud\($0)") || content.contains("\\u0000d\($0)")
    }
  }
}

extension YAMLProblem {
  static func version(at position: SourcePosition) -> YAMLProblem {
    YAMLProblem(
      code: .yamlVersion, position: position, message: "the file asks for another YAML than 1.2",
      hint: "remove the %YAML line")
  }
}
