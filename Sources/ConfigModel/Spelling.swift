/// Words that differ by a slip of the fingers.
public enum Spelling {
  /// Bytes of a word; nobody mistypes a longer one so that it can be told.
  private static let longest = 64
  /// Bytes by which two words may differ in length before they are compared.
  private static let difference = 8

  /// Whether two words differ by at most two slips (Levenshtein distance), one if the first is short.
  public static func isNear(_ left: String, _ right: String) -> Bool {
    distance(left, right) <= most(left)
  }

  /// The word with the fewest slips; nil if none is near, or `name` is too short or too long to tell.
  ///
  /// - Complexity: O(words × their bytes).
  public static func nearest(to name: String, among words: [String]) -> String? {
    guard name.utf8.count > 1, name.utf8.count <= longest else { return nil }
    let near = words.map { ($0, distance(name, $0)) }.filter { $0.1 <= most(name) }
    return near.min { $0.1 < $1.1 }?.0
  }

  private static func most(_ word: String) -> Int { word.utf8.count > 4 ? 2 : 1 }

  private static func distance(_ left: String, _ right: String) -> Int {
    guard abs(left.utf8.count - right.utf8.count) <= difference, right.utf8.count <= longest else {
      return Int.max
    }
    let (left, right) = (Array(left.lowercased().utf8), Array(right.lowercased().utf8))
    var row = Array(0...right.count)
    for (i, byte) in left.enumerated() {
      var previous = row[0]
      row[0] = i + 1
      for (j, other) in right.enumerated() {
        let cost = byte == other ? previous : previous + 1
        previous = row[j + 1]
        row[j + 1] = min(cost, row[j] + 1, row[j + 1] + 1)
      }
    }
    return row[right.count]
  }
}
