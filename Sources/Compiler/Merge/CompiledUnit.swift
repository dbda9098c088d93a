import ConfigModel

/// What one file gives, or a namespace with its layers: the part of a tree that is compiled alone.
struct CompiledUnit: Sendable {
  private(set) var items: [CompiledItem] = []
  /// Those that schemas are to check.
  private(set) var documents: [CheckedDocument] = []
  /// What came of that, document by document.
  var checks: [DocumentCheck] = []
  /// Of its keys and values, before references, as `CompilerLimits.keySpaceBytes` counts them.
  private(set) var bytes = 0

  init() {}

  init(_ file: CompiledFile) { add(file.items, file.checked) }

  mutating func add(_ items: [CompiledItem], _ document: CheckedDocument?) {
    // Shared with who remembers them, where they are all.
    if self.items.isEmpty { self.items = items } else { self.items += items }
    bytes += items.reduce(0) { sum, item in
      sum + item.path.text.utf8.count + item.value.count + CompilerLimits.keyOverheadBytes
    }
    if let document { documents.append(document) }
  }

  /// Checks its documents; those that hold references only where these can be resolved.
  mutating func check(
    _ schemas: inout SchemaStage, _ resolver: inout ReferenceResolver, isComplete: Bool = true
  ) {
    checks = documents.compactMap { checked in
      guard checked.isOpen else { return schemas.check(checked.document, key: checked.key) }
      guard isComplete, let resolved = resolver.resolved(checked.document) else { return nil }
      return schemas.check(resolved)
    }
  }

  /// Whether a value of it depends on other keys.
  var isOpen: Bool { items.contains { $0.open != nil } }

  /// A unit's name: the path of its file.
  static func name(ofFile path: String) -> ConfigPath { ConfigPath(escaped: path) }

  /// No path holds a NUL.
  static func name(ofNamespace namespace: String) -> ConfigPath {
    ConfigPath(escaped: "\0" + namespace)
  }
}

/// A document for the schemas that it names, ready to be checked.
struct CheckedDocument: Sendable {
  var document: Document
  /// Whether it is checked only once its references are resolved.
  var isOpen: Bool
  /// Names the document and all that it is made of; nil if nothing does.
  var key: CompileCache.Key?

  init(_ document: Document, key: CompileCache.Key? = nil) {
    isOpen = document.isOpen
    self.document = isOpen ? document : document.closed
    self.key = isOpen ? nil : key
  }
}

/// What the schemas found in one document, and which they were.
struct DocumentCheck: Sendable {
  var schemas: [LoadedSchema] = []
  /// Of the document alone, not of its schemas.
  var diagnostics: [Diagnostic] = []
  var steps = 0
}
