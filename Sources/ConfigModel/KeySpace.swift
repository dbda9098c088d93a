/// What a commit publishes: every key with its value and the place that it comes from.
public struct KeySpace: Sendable {
  public struct Item: Hashable, Sendable {
    public var value: [UInt8]
    public var origin: SourceSpan
    /// How the bytes are to be read.
    public var form: Form

    public enum Form: Hashable, Sendable {
      /// A text, or a raw file.
      case text
      /// JSON.
      case json
    }

    public init(value: [UInt8], origin: SourceSpan, form: Form = .text) {
      self.value = value
      self.origin = origin
      self.form = form
    }
  }

  /// Sorted by the bytes of the key.
  public let items: SortedMap<ConfigPath, Item>

  public init(items: SortedMap<ConfigPath, Item>) { self.items = items }

  /// Of items with the same key the first counts.
  public init(_ items: [(ConfigPath, Item)]) {
    self.init(items: SortedMap(items.map { (key: $0.0, value: $0.1) }))
  }

  public static let empty = KeySpace([])
  public var count: Int { items.count }
  public subscript(_ key: ConfigPath) -> Item? { items[key] }
}
