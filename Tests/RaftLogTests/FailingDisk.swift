import Synchronization

@testable import RaftLog

/// The file system, whose changing calls fail from a given one on: what a crash there leaves behind.
final class FailingDisk: Disk {
  private let files = FileDisk()
  private let counter: Counter

  init(failsAt step: Int) { counter = Counter(step) }

  /// One that works, and tells what was synced.
  init() { counter = Counter(.max) }
  var synced: [String] { counter.synced.withLock { $0 } }

  final class Counter: Sendable {
    private let left: Mutex<Int>
    /// Files and directories that were synced.
    let synced = Mutex<[String]>([])
    init(_ steps: Int) { left = Mutex(steps) }

    func count(_ operation: String) throws(LogError) {
      let remaining = left.withLock { left in
        left -= 1
        return left
      }
      if remaining < 0 { throw .io(operation: operation, path: "failing", errno: 5) }
    }
  }

  final class File: DiskFile {
    let file: any DiskFile
    let counter: Counter
    let path: String

    init(_ file: any DiskFile, _ counter: Counter, path: String) {
      self.file = file
      self.counter = counter
      self.path = path
    }

    func write(_ bytes: ArraySlice<UInt8>, at offset: Int) throws(LogError) {
      try counter.count("write")
      try file.write(bytes, at: offset)
    }
    func readAll() throws(LogError) -> [UInt8] { try file.readAll() }
    func sync() throws(LogError) {
      try counter.count("sync")
      try file.sync()
      counter.synced.withLock { $0.append(path) }
    }
  }

  func makeDirectory(_ path: String) throws(LogError) { try files.makeDirectory(path) }
  func names(in directory: String) throws(LogError) -> [String] {
    try files.names(in: directory)
  }
  func open(_ path: String, _ mode: OpenMode) throws(LogError) -> any DiskFile {
    if mode == .new { try counter.count("open") }
    return File(try files.open(path, mode), counter, path: path)
  }
  func remove(_ path: String) throws(LogError) {
    try counter.count("remove")
    try files.remove(path)
  }
  func rename(_ path: String, to other: String) throws(LogError) {
    try counter.count("rename")
    try files.rename(path, to: other)
  }
  func syncDirectory(_ path: String) throws(LogError) {
    try counter.count("sync")
    try files.syncDirectory(path)
    counter.synced.withLock { $0.append(path) }
  }
  func lock(directory: String) throws(LogError) -> any DirectoryHold {
    try files.lock(directory: directory)
  }
}
