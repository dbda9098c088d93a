import Foundation

/// A file that holds one secret: a password, a token, or what webhooks are signed with.
public enum SecretFile {
  private static let maximumBytes = 64 << 10

  /// The text of a file without the line feeds at its end, as it is now.
  ///
  /// - Throws: `GitError.failed` if there is none, or if it has control characters.
  public static func read(_ path: String) throws(GitError) -> String {
    guard let data = FileManager.default.contents(atPath: path), data.count <= maximumBytes,
      let text = String(validating: data, as: UTF8.self)
    else {
      throw .failed(operation: "read '\(path)'", reason: "there is no such file, or it is no text")
    }
    let secret = text.trimmingCharacters(in: .newlines)
    guard !secret.isEmpty,
      !secret.unicodeScalars.contains(where: { $0.value < 0x20 || $0.value == 0x7f })
    else {
      throw .failed(operation: "read '\(path)'", reason: "it holds no password on one line")
    }
    return secret
  }
}
