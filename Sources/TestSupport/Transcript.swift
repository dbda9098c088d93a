public import Foundation

/// A fixture of commands and what they print, in the manner of etcd-io/raft's data-driven tests.
///
/// ```
/// # a comment, kept as it is
/// a command
/// another one
/// ----
/// what both print
/// ```
///
/// Blocks are separated by an empty line; a block of comments alone is kept. `UPDATE_FIXTURES=1`
/// writes what was printed into the file instead of comparing.
public struct Transcript: Sendable {
  public struct Block: Sendable {
    /// Comments and commands, as they stand in the file.
    public var lines: [String]
    public var expected: [String]
    /// Where the block begins in the file, from 1.
    public var line: Int

    public var commands: [String] { lines.filter { !$0.hasPrefix("#") } }
  }

  public let url: URL
  public private(set) var blocks: [Block] = []

  /// Every transcript beside a test file, in `Fixtures/`.
  public static func all(beside testFile: String) throws -> [Transcript] {
    let folder = URL(fileURLWithPath: testFile).deletingLastPathComponent()
      .appendingPathComponent("Fixtures")
    return try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
      .filter { $0.hasSuffix(".txt") }
      .map { try Transcript(url: folder.appendingPathComponent($0)) }
  }

  public init(url: URL) throws {
    self.url = url
    let lines = String(decoding: try Data(contentsOf: url), as: UTF8.self)
      .components(separatedBy: "\n")
    var block: Block?
    var isOutput = false
    for (number, line) in lines.enumerated() {
      if line.isEmpty {
        if let block { blocks.append(block) }
        block = nil
        isOutput = false
        continue
      }
      if block == nil { block = Block(lines: [], expected: [], line: number + 1) }
      if line == "----" {
        isOutput = true
      } else if isOutput {
        block?.expected.append(line)
      } else {
        block?.lines.append(line)
      }
    }
    if let block { blocks.append(block) }
  }

  /// Writes the transcript with other outputs, one list a block.
  public func update(_ outputs: [[String]]) throws {
    let texts = zip(blocks, outputs).map { block, output in
      var lines = block.lines
      if !block.commands.isEmpty { lines += ["----"] + output }
      return lines.map { $0 + "\n" }.joined()
    }
    try Data(texts.joined(separator: "\n").utf8).write(to: url)
  }
}
