public import ConfigModel

/// A file that holds a schema, parsed.
public struct SchemaDocument: Sendable {
  /// The URI that it is found at: the base of its references until an `$id` says otherwise.
  public var uri: String
  public var root: ConfigValue

  public init(uri: String, root: ConfigValue) {
    self.uri = uri
    self.root = root
  }
}

/// What a schema refers to outside of itself.
public struct SchemaRequest: Hashable, Sendable {
  /// Absolute, without a fragment.
  public var uri: String
  /// As it is written, without a fragment.
  public var reference: String
  /// The document that refers.
  public var source: String
}

/// Which draft a document without `$schema` is read as.
public enum UndeclaredDraft: Sendable {
  case draft2020
  /// That of the schema which refers to it.
  case inherited
}

/// Whether `format` decides (2020-12 validation §7.2).
public enum FormatAssertion: Sendable {
  case always
  /// Where the schema's own metaschema asks for it.
  case byVocabulary
}

/// What is wrong with a schema itself.
public struct SchemaProblem: Hashable, Sendable {
  public enum Kind: Hashable, Sendable {
    /// It is no schema.
    case malformed
    /// A reference leads nowhere.
    case unresolved
    /// Its draft is not one of those that are understood.
    case draft
    /// It asks for more than the limits allow.
    case limit
    /// A keyword that means nothing, and is like one that does; the schema counts.
    case suspicious
  }

  public var kind: Kind
  public var span: SourceSpan
  public var message: String
  public var hint: String?
}

/// What a value does not keep of its schema.
public struct SchemaFinding: Hashable, Sendable {
  public enum Kind: Hashable, Sendable, CaseIterable {
    case type, value, range, length, pattern, format, items, unknownKey, missingKey, mismatch
    /// It could not be found out within the limits.
    case limit
  }

  /// A step from a value to one inside it.
  public enum Step: Hashable, Sendable {
    case key(String)
    case item(Int)
  }

  public var kind: Kind
  /// In the checked file.
  public var span: SourceSpan
  /// The keyword, in the schema.
  public var keyword: SourceSpan
  /// From the root to the value.
  public var path: [Step]
  public var message: String
  public var hint: String?
}
