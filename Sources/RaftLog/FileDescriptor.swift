import Glibc

/// The text of an `errno`.
func errorText(_ code: Int32) -> String { String(cString: strerror(code)) }

/// An open file, closed with its last reference.
///
/// Every call throws `LogError.io` with the operation and the path.
final class FileDescriptor: Sendable {
  let path: String
  private let descriptor: Int32

  init(path: String, flags: Int32) throws(LogError) {
    self.path = path
    descriptor = open(path, flags | O_CLOEXEC, 0o600)
    if descriptor < 0 { throw .io(operation: "open", path: path, errno: errno) }
  }

  deinit { close(descriptor) }

  func write(_ bytes: ArraySlice<UInt8>, at offset: Int) throws(LogError) {
    var written = 0
    while written < bytes.count {
      let count = bytes.withUnsafeBytes { buffer in
        pwrite(
          descriptor, buffer.baseAddress! + written, buffer.count - written,
          off_t(offset + written))
      }
      if count < 0 {
        if errno == EINTR { continue }
        throw .io(operation: "write", path: path, errno: errno)
      }
      written += count
    }
  }

  func readAll() throws(LogError) -> [UInt8] {
    var status = stat()
    guard fstat(descriptor, &status) == 0 else {
      throw .io(operation: "stat", path: path, errno: errno)
    }
    var bytes = [UInt8](repeating: 0, count: Int(status.st_size))
    var filled = 0
    while filled < bytes.count {
      let count = bytes.withUnsafeMutableBytes { buffer in
        pread(descriptor, buffer.baseAddress! + filled, buffer.count - filled, off_t(filled))
      }
      if count < 0 {
        if errno == EINTR { continue }
        throw .io(operation: "read", path: path, errno: errno)
      }
      if count == 0 { break }
      filled += count
    }
    bytes.removeLast(bytes.count - filled)
    return bytes
  }

  /// Makes what was written durable. A failure must end the process: what the kernel still holds
  /// of the failed write is undefined.
  func sync() throws(LogError) {
    guard fdatasync(descriptor) == 0 else {
      throw .io(operation: "fdatasync", path: path, errno: errno)
    }
  }

  /// Takes the advisory lock of the file, or throws `.locked`.
  func lock() throws(LogError) {
    guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
      if errno == EWOULDBLOCK { throw .locked(path: path) }
      throw .io(operation: "flock", path: path, errno: errno)
    }
  }
}

/// Makes creations, renames and removals in a directory durable.
package func syncDirectory(_ path: String) throws(LogError) {
  let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
  guard descriptor >= 0 else { throw .io(operation: "open", path: path, errno: errno) }
  defer { close(descriptor) }
  guard fsync(descriptor) == 0 else { throw .io(operation: "fsync", path: path, errno: errno) }
}

/// Makes a file's bytes durable that something else wrote.
package func syncFile(_ path: String) throws(LogError) {
  try FileDescriptor(path: path, flags: O_RDWR).sync()
}

/// Holds a data directory for one process, as long as the value lives.
package final class DirectoryLock: Sendable {
  private let file: FileDescriptor

  /// Creates the directory if it is missing, with access for its owner alone.
  package init(directory: String) throws(LogError) {
    if mkdir(directory, 0o700) != 0, errno != EEXIST {
      throw .io(operation: "mkdir", path: directory, errno: errno)
    }
    do {
      file = try FileDescriptor(path: directory + "/LOCK", flags: O_RDWR | O_CREAT)
      try file.lock()
    } catch LogError.locked {
      throw .locked(path: directory)
    }
  }
}
