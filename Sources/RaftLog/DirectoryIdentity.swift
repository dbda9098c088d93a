import BinaryCoding
import Raft

/// Whose data directory it is, in a file of its own: a member keeps the ids with which it started,
/// whatever its settings say later.
///
/// The file `identity` is text, a line each: `configsync identity 1`, `cluster HEX`, `member HEX`,
/// `name TEXT`, and `crc HEX`, the CRC-32C of the lines before. It is written once, after the log's
/// first segment: so a directory with an identity and without a log has lost its log.
package struct DirectoryIdentity: Hashable, Sendable {
  package var ids: LogIdentity
  package var name: String

  package init(ids: LogIdentity, name: String) {
    self.ids = ids
    self.name = name
  }

  private static let file = "/identity"
  private static let title = "configsync identity 1"

  /// The identity that is written in `directory`; nil if it has none yet, or is not there.
  ///
  /// - Throws: `.damaged` if the file can't be read.
  package static func read(
    in directory: String, disk: any Disk = FileDisk()
  ) throws(LogError) -> DirectoryIdentity? {
    let path = directory + file
    let names: [String]
    do throws(LogError) { names = try disk.names(in: directory) } catch { return nil }
    guard names.contains("identity") else { return nil }
    let bytes = try disk.open(path, .existing).readAll()
    guard let found = DirectoryIdentity(text: String(decoding: bytes, as: UTF8.self)) else {
      throw .damaged(path: path, offset: 0, reason: "it names no member")
    }
    return found
  }

  /// Writes the identity down unless it is there already.
  ///
  /// - Throws: `.foreign` if another one is.
  package func keep(in directory: String, disk: any Disk) throws(LogError) {
    if let found = try DirectoryIdentity.read(in: directory, disk: disk) {
      guard found.ids == ids else {
        throw .foreign(path: directory, found: found.ids, expected: ids)
      }
      return
    }
    let path = directory + DirectoryIdentity.file
    if try disk.names(in: directory).contains("identity.new") { try disk.remove(path + ".new") }
    let created = try disk.open(path + ".new", .new)
    try created.write(Array(text.utf8)[...], at: 0)
    try created.sync()
    try disk.rename(path + ".new", to: path)
    try disk.syncDirectory(directory)
  }

  private var lines: String {
    """
    \(DirectoryIdentity.title)
    cluster \(String(ids.cluster, radix: 16))
    member \(ids.member)
    name \(name)

    """
  }

  private var text: String {
    lines + "crc \(String(crc32c(Array(lines.utf8)[...]), radix: 16))\n"
  }

  private init?(text: String) {
    let fields = text.split(separator: "\n").map { $0.split(separator: " ", maxSplits: 1) }
    guard fields.count == 5, fields[1...3].allSatisfy({ $0.count == 2 }),
      let cluster = UInt64(fields[1][1], radix: 16), let member = UInt64(fields[2][1], radix: 16)
    else { return nil }
    ids = LogIdentity(cluster: cluster, member: MemberID(member))
    name = String(fields[3][1])
    guard self.text == text else { return nil }
  }
}
