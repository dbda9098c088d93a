import RaftLog
import Synchronization

/// What the disks of one world may do.
struct DiskFaults {
  var tearsWrites = true
  /// Of a thousand writes or syncs; all 0 but on the members that may be damaged.
  var misdirectedPermille = 0
  var lostPermille = 0
  var ioErrorPermille = 0
}

/// The log's files of one member: what was written is in the system's cache, what was synced is on
/// the disk, and a loss of power keeps an arbitrary part of the difference, torn at sectors.
///
/// It outlives the incarnations of its member; each gets a `view` that fails once it has crashed.
// Unchecked: the world is one thread.
final class SimulatedDisk: @unchecked Sendable {
  static let sectorBytes = 512

  final class Node {
    var current: [UInt8] = []
    var durable: [UInt8] = []
    var unsynced: [(offset: Int, bytes: [UInt8])] = []
  }

  private enum Change {
    case create(String, Node)
    case remove(String)
    case rename(String, String)
  }

  private var random: SeededRandom
  var faults = DiskFaults()
  private var files: [String: Node] = [:]
  private var durableFiles: [String: Node] = [:]
  /// Changes of the directory that are not synced, oldest first.
  private var changes: [Change] = []
  private(set) var incarnation = 0
  /// Changing operations until the process dies in the middle of one; nil for never.
  var operationsUntilDeath: Int?
  var isFull = false
  /// What was done to it that a member must notice.
  private(set) var injected = 0

  init(random: SeededRandom) { self.random = random }

  /// The disk as a new process sees it.
  func view() -> any Disk {
    incarnation += 1
    operationsUntilDeath = nil
    return View(disk: self, incarnation: incarnation)
  }

  /// The process is gone; what it wrote stays in the system's cache.
  func processDied() { incarnation += 1 }

  /// Power is gone: of what was not synced an arbitrary part is kept.
  func powerLost() {
    incarnation += 1
    var entries = durableFiles
    let kept = random.number(in: 0...changes.count)
    for change in changes.prefix(kept) { SimulatedDisk.apply(change, to: &entries) }
    files = entries
    durableFiles = entries
    changes = []
    for name in entries.keys.sorted() { if let node = entries[name] { settle(node) } }
  }

  private func settle(_ node: Node) {
    for write in node.unsynced where random.happens(permille: 500) {
      for sector in sectors(of: write) where !faults.tearsWrites || random.happens(permille: 700) {
        SimulatedDisk.put(sector.bytes, at: sector.offset, into: &node.durable)
      }
    }
    node.unsynced = []
    node.current = node.durable
  }

  private func sectors(
    of write: (offset: Int, bytes: [UInt8])
  ) -> [(offset: Int, bytes: [UInt8])] {
    var parts: [(offset: Int, bytes: [UInt8])] = []
    var at = 0
    while at < write.bytes.count {
      let end = ((write.offset + at) / SimulatedDisk.sectorBytes + 1) * SimulatedDisk.sectorBytes
      let length = min(end - write.offset - at, write.bytes.count - at)
      parts.append((write.offset + at, Array(write.bytes[at..<at + length])))
      at += length
    }
    return parts
  }

  /// Flips one bit of what is stored somewhere in the log: often of what was written last, where it is told apart from a
  /// torn write by a marker alone.
  func rot() {
    let names = files.keys.sorted().filter { $0.hasSuffix(".log") }
    let isNewest = random.happens(permille: 200)
    guard let name = isNewest ? names.last : random.pick(from: names), let node = files[name]
    else { return }
    let used = (node.durable.lastIndex { $0 != 0 } ?? -1) + 1
    guard used > 0 else { return }
    let first = isNewest ? max(0, used - SimulatedDisk.sectorBytes) : 0
    let offset = random.number(in: first...used - 1)
    let bit = UInt8(1 << random.number(in: 0...7))
    node.durable[offset] ^= bit
    if offset < node.current.count { node.current[offset] ^= bit }
    injected += 1
  }

  private static func put(_ bytes: [UInt8], at offset: Int, into content: inout [UInt8]) {
    let end = offset + bytes.count
    if content.count < end { content += [UInt8](repeating: 0, count: end - content.count) }
    content.replaceSubrange(offset..<end, with: bytes)
  }

  private static func apply(_ change: Change, to entries: inout [String: Node]) {
    switch change {
    case .create(let name, let node): entries[name] = node
    case .remove(let name): entries[name] = nil
    case .rename(let old, let new):
      entries[new] = entries[old]
      entries[old] = nil
    }
  }

  // MARK: - Operations of a view

  private func begin(_ operation: String, _ path: String, by view: Int) throws(LogError) {
    guard view == incarnation else { throw .io(operation: operation, path: path, errno: 5) }
    guard let left = operationsUntilDeath else { return }
    operationsUntilDeath = left - 1
    if left <= 0 {
      incarnation += 1
      throw .io(operation: operation, path: path, errno: 5)
    }
  }

  private func change(_ change: Change) {
    SimulatedDisk.apply(change, to: &files)
    changes.append(change)
  }

  private func write(_ bytes: ArraySlice<UInt8>, at offset: Int, to node: Node) {
    var offset = offset
    if random.happens(permille: faults.lostPermille) {
      injected += 1
      return
    }
    if random.happens(permille: faults.misdirectedPermille) {
      let shift = 4096 * random.number(in: 1...4)
      offset = offset >= shift ? offset - shift : offset + shift
      injected += 1
    }
    let copy = Array(bytes)
    SimulatedDisk.put(copy, at: offset, into: &node.current)
    node.unsynced.append((offset, copy))
  }

  private func sync(_ node: Node) {
    for write in node.unsynced {
      SimulatedDisk.put(write.bytes, at: write.offset, into: &node.durable)
    }
    node.unsynced = []
  }

  private func fails() -> Bool {
    let isFault = random.happens(permille: faults.ioErrorPermille)
    if isFault { injected += 1 }
    return isFault
  }

  // Unchecked: the world is one thread.
  private final class File: DiskFile, @unchecked Sendable {
    let disk: SimulatedDisk
    let node: Node
    let path: String
    let incarnation: Int

    init(_ disk: SimulatedDisk, _ node: Node, _ path: String, _ incarnation: Int) {
      self.disk = disk
      self.node = node
      self.path = path
      self.incarnation = incarnation
    }

    func write(_ bytes: ArraySlice<UInt8>, at offset: Int) throws(LogError) {
      try disk.begin("write", path, by: incarnation)
      if disk.isFull { throw .io(operation: "write", path: path, errno: 28) }
      disk.write(bytes, at: offset, to: node)
    }

    func readAll() throws(LogError) -> [UInt8] {
      guard incarnation == disk.incarnation else {
        throw .io(operation: "read", path: path, errno: 5)
      }
      return node.current
    }

    func sync() throws(LogError) {
      try disk.begin("fdatasync", path, by: incarnation)
      if disk.fails() {
        // What the kernel could not write counts as clean: it stays in the cache alone.
        node.unsynced = []
        throw .io(operation: "fdatasync", path: path, errno: 5)
      }
      disk.sync(node)
    }
  }

  private final class Hold: DirectoryHold {}

  private struct View: Disk {
    let disk: SimulatedDisk
    let incarnation: Int

    private func name(_ path: String) -> String {
      path.split(separator: "/").last.map(String.init) ?? ""
    }

    func makeDirectory(_ path: String) throws(LogError) {}

    func names(in directory: String) throws(LogError) -> [String] {
      guard incarnation == disk.incarnation else {
        throw .io(operation: "opendir", path: directory, errno: 5)
      }
      return disk.files.keys.sorted()
    }

    func open(_ path: String, _ mode: OpenMode) throws(LogError) -> any DiskFile {
      switch mode {
      case .existing:
        guard incarnation == disk.incarnation, let node = disk.files[name(path)] else {
          throw .io(operation: "open", path: path, errno: 2)
        }
        return File(disk, node, path, incarnation)
      case .new:
        try disk.begin("open", path, by: incarnation)
        if disk.isFull { throw .io(operation: "open", path: path, errno: 28) }
        guard disk.files[name(path)] == nil else {
          throw .io(operation: "open", path: path, errno: 17)
        }
        let node = Node()
        disk.change(.create(name(path), node))
        return File(disk, node, path, incarnation)
      }
    }

    func remove(_ path: String) throws(LogError) {
      try disk.begin("unlink", path, by: incarnation)
      try exists(path, "unlink")
      disk.change(.remove(name(path)))
    }

    func rename(_ path: String, to other: String) throws(LogError) {
      try disk.begin("rename", path, by: incarnation)
      try exists(path, "rename")
      disk.change(.rename(name(path), name(other)))
    }

    private func exists(_ path: String, _ operation: String) throws(LogError) {
      guard disk.files[name(path)] != nil else {
        throw .io(operation: operation, path: path, errno: 2)
      }
    }

    func syncDirectory(_ path: String) throws(LogError) {
      try disk.begin("fsync", path, by: incarnation)
      disk.durableFiles = disk.files
      disk.changes = []
    }

    func lock(directory: String) throws(LogError) -> any DirectoryHold { Hold() }
  }
}
