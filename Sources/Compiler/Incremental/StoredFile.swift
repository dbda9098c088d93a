import BinaryCoding
import ConfigModel
import Jsonnet

/// What is stored of files: their values with every place, as bytes.
///
/// Only what was read without a finding is stored. A format of its own, since a file's text is read at most once
/// by a process, and a million values are too many for a general one.
enum StoredFile {
  private static let structured: UInt8 = 1
  private static let evaluated: UInt8 = 2

  // MARK: - Keys

  static func key(ofPath path: String, objectID: String) -> [UInt8] {
    var writer = ByteWriter()
    writer.write(structured)
    writer.write(objectID)
    writer.write(path)
    return writer.bytes
  }

  static func key(of key: JsonnetStage.Key) -> [UInt8] {
    var writer = ByteWriter()
    writer.write(evaluated)
    writer.write(key.objectID)
    for text in [key.path.text, key.namespace.text, key.source] { writer.write(text) }
    return writer.bytes
  }

  // MARK: - Structured files

  /// nil for what is not stored.
  static func encode(_ file: ParsedFile) -> [UInt8]? {
    guard file.diagnostics.isEmpty else { return nil }
    var writer = ValueWriter()
    switch file.content {
    case .raw: return nil
    case .nothing: writer.write(optional: nil)
    case .value(let value): writer.write(optional: value)
    }
    writer.write(optional: file.unwritten)
    writer.write(file.schema)
    writer.write(file.references)
    return writer.bytes
  }

  static func file(_ bytes: [UInt8], at path: String) throws(DecodingFailure) -> ParsedFile {
    var reader = ValueReader(bytes, file: path)
    var file = ParsedFile()
    file.content = try reader.optionalValue().map { .value($0) } ?? .nothing
    file.unwritten = try reader.optionalValue()
    file.schema = try reader.schema()
    file.references = try reader.references()
    try reader.bytes.expectEnd()
    return file
  }

  // MARK: - Jsonnet

  /// nil for what is not stored.
  static func encode(_ memory: JsonnetStage.Memory) -> [UInt8]? {
    guard memory.value.diagnostics.isEmpty, let value = memory.value.value else { return nil }
    var writer = ValueWriter()
    let imports = memory.imports.sorted { left, right in
      let (first, second) = (left.key, right.key)
      if !first.folder.utf8.elementsEqual(second.folder.utf8) {
        return first.folder.utf8.lexicographicallyPrecedes(second.folder.utf8)
      }
      return first.path.utf8.lexicographicallyPrecedes(second.path.utf8)
    }
    writer.bytesWritten.write(UInt32(imports.count))
    for (request, path) in imports {
      writer.bytesWritten.write(request.folder)
      writer.bytesWritten.write(request.path)
      writer.bytesWritten.write(path != nil)
      if let path { writer.bytesWritten.write(path.text) }
    }
    writer.bytesWritten.write(UInt32(memory.objects.count))
    for (path, object) in memory.objects.sorted(by: { $0.key < $1.key }) {
      writer.bytesWritten.write(path.text)
      writer.bytesWritten.write(object)
    }
    writer.write(value)
    return writer.bytes
  }

  static func memory(
    _ bytes: [UInt8], at path: ConfigPath
  ) throws(DecodingFailure) -> JsonnetStage.Memory {
    var reader = ValueReader(bytes, file: path.text)
    var memory = JsonnetStage.Memory(imports: [:], objects: [:], value: JsonnetValue())
    for _ in 0..<(try reader.bytes.readCount(minimumSize: 9)) {
      let request = JsonnetResult.ImportRequest(
        folder: try reader.bytes.readString(), path: try reader.bytes.readString())
      let found = try reader.bytes.readBool() ? try reader.bytes.readString() : nil
      memory.imports.updateValue(found.map { ConfigPath(escaped: $0) }, forKey: request)
    }
    for _ in 0..<(try reader.bytes.readCount(minimumSize: 8)) {
      let path = ConfigPath(escaped: try reader.bytes.readString())
      memory.objects[path] = try reader.bytes.readString()
    }
    memory.value.value = try reader.value()
    try reader.bytes.expectEnd()
    return memory
  }
}

/// Writes values; every place is in the same file.
private struct ValueWriter {
  var bytesWritten = ByteWriter(reservingCapacity: 1024)
  var bytes: [UInt8] { bytesWritten.bytes }

  mutating func write(_ position: SourcePosition) {
    bytesWritten.write(UInt32(position.line))
    bytesWritten.write(UInt32(position.column))
  }

  mutating func write(_ span: SourceSpan) {
    write(span.start)
    write(span.end)
  }

  mutating func write(optional value: ConfigValue?) {
    bytesWritten.write(value != nil)
    if let value { write(value) }
  }

  mutating func write(_ value: ConfigValue) {
    write(value.span)
    switch value.content {
    case .null: bytesWritten.write(0 as UInt8)
    case .boolean(let flag):
      bytesWritten.write(1 as UInt8)
      bytesWritten.write(flag)
    case .number(let digits):
      bytesWritten.write(2 as UInt8)
      bytesWritten.write(digits)
    case .string(let text):
      bytesWritten.write(3 as UInt8)
      bytesWritten.write(text)
    case .sequence(let items):
      bytesWritten.write(4 as UInt8)
      bytesWritten.write(UInt32(items.count))
      for item in items { write(item) }
    case .map(let members):
      bytesWritten.write(5 as UInt8)
      bytesWritten.write(UInt32(members.count))
      for member in members {
        bytesWritten.write(member.key)
        write(member.keySpan)
        write(member.value)
      }
    }
  }

  mutating func write(_ schema: NamedSchema?) {
    guard let schema else { return bytesWritten.write(0 as UInt8) }
    switch schema.target {
    case .file(let path):
      bytesWritten.write(1 as UInt8)
      bytesWritten.write(path.text)
    case .uri(let uri):
      bytesWritten.write(2 as UInt8)
      bytesWritten.write(uri)
    case .nowhere: bytesWritten.write(3 as UInt8)
    }
    bytesWritten.write(schema.text)
    write(schema.span)
  }

  mutating func write(_ references: ReferencePlaces) {
    bytesWritten.write(UInt32(references.count))
    for (span, places) in references.sorted(by: { $0.key.isBefore($1.key) }) {
      write(span)
      bytesWritten.write(UInt32(places.count))
      for place in places { write(place) }
    }
  }
}

extension SourceSpan {
  /// In the same file.
  fileprivate func isBefore(_ other: SourceSpan) -> Bool {
    (start, end) < (other.start, other.end)
  }
}

private struct ValueReader {
  var bytes: ByteReader
  private let file: String
  private var depth = 0

  init(_ bytes: [UInt8], file: String) {
    self.bytes = ByteReader(bytes)
    self.file = file
  }

  private mutating func position() throws(DecodingFailure) -> SourcePosition {
    SourcePosition(line: Int(try bytes.read(UInt32.self)), column: Int(try bytes.read(UInt32.self)))
  }

  private mutating func span() throws(DecodingFailure) -> SourceSpan {
    SourceSpan(file: file, start: try position(), end: try position())
  }

  mutating func optionalValue() throws(DecodingFailure) -> ConfigValue? {
    try bytes.readBool() ? try value() : nil
  }

  mutating func value() throws(DecodingFailure) -> ConfigValue {
    depth += 1
    defer { depth -= 1 }
    guard depth <= 2 * CompilerLimits.depth else { throw DecodingFailure("a value is too deep") }
    let span = try span()
    switch try bytes.readByte() {
    case 0: return ConfigValue(.null, at: span)
    case 1: return ConfigValue(.boolean(try bytes.readBool()), at: span)
    case 2: return ConfigValue(.number(try bytes.readString()), at: span)
    case 3: return ConfigValue(.string(try bytes.readString()), at: span)
    case 4:
      var items: [ConfigValue] = []
      for _ in 0..<(try bytes.readCount(minimumSize: 17)) { items.append(try value()) }
      return ConfigValue(.sequence(items), at: span)
    case 5:
      var members: [ConfigValue.Member] = []
      for _ in 0..<(try bytes.readCount(minimumSize: 37)) {
        let key = try bytes.readString()
        members.append(.init(key: key, keySpan: try self.span(), value: try value()))
      }
      return ConfigValue(.map(members), at: span)
    default: throw DecodingFailure("a value is of no known kind")
    }
  }

  mutating func schema() throws(DecodingFailure) -> NamedSchema? {
    let target: NamedSchema.Target
    switch try bytes.readByte() {
    case 0: return nil
    case 1: target = .file(ConfigPath(escaped: try bytes.readString()))
    case 2: target = .uri(try bytes.readString())
    case 3: target = .nowhere
    default: throw DecodingFailure("a schema is of no known kind")
    }
    return NamedSchema(target: target, text: try bytes.readString(), span: try span())
  }

  mutating func references() throws(DecodingFailure) -> ReferencePlaces {
    var references: ReferencePlaces = [:]
    for _ in 0..<(try bytes.readCount(minimumSize: 20)) {
      let span = try span()
      var places: [SourceSpan] = []
      for _ in 0..<(try bytes.readCount(minimumSize: 16)) { places.append(try self.span()) }
      references[span] = places
    }
    return references
  }
}
