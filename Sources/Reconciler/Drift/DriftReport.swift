public import ConfigModel

/// A key that is not as the store's commit wants it.
public struct DriftedKey: Hashable, Sendable {
  public var path: ConfigPath
  /// The revision of the foreign change; nil where the key is gone.
  public var revision: Int64?

  public init(path: ConfigPath, revision: Int64?) {
    self.path = path
    self.revision = revision
  }
}

/// What somebody else had changed, and what became of it.
public struct DriftReport: Hashable, Sendable {
  /// Keys that were put back, and at which revisions.
  public var corrected: [DriftedKey] = []
  public var revisions: [Int64] = []
  /// Keys that were left as they are, since that is asked for.
  public var reported: [DriftedKey] = []
  /// Keys that were left since they were put back too often: somebody fights for them.
  public var contested: [DriftedKey] = []

  public init() {}

  /// Keys that are named in a message.
  private static let examples = 5

  /// What is still different; nil if nothing is.
  var openMessage: String? {
    if !contested.isEmpty {
      return
        "\(DriftReport.list(contested)): put back \(DriftCorrection.mostAnHour) times within an hour, and changed "
        + "again each time; left as it is until an hour after the first of them"
    }
    return reported.isEmpty ? nil : "changed by somebody else: \(DriftReport.list(reported))"
  }

  private static func list(_ keys: [DriftedKey]) -> String {
    let shown = keys.prefix(examples).map { key in
      key.revision.map { "\(key.path) (revision \($0))" } ?? "\(key.path) (deleted)"
    }.joined(separator: ", ")
    return keys.count > examples ? "\(shown) and \(keys.count - examples) more" : shown
  }
}
