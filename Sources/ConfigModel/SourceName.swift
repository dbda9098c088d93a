/// What a source may be called: a part of the keys of its records.
public enum SourceName {
  public static let rule = "a text of letters, digits, '-', '_' and '.'"

  public static func isValid(_ name: String) -> Bool {
    !name.isEmpty && name != "." && name != ".."
      && name.utf8.allSatisfy { byte in
        (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte)
          || "-_.".utf8.contains(byte)
      }
  }
}
