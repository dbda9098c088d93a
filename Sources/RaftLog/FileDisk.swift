import Glibc

/// The text of an `errno`.
func errorText(_ code: Int32) -> String { String(cString: strerror(code)) }

/// The file system.
package struct FileDisk: Disk {
  package init() {}

  package func makeDirectory(_ path: String) throws(LogError) {
    if mkdir(path, 0o700) != 0, errno != EEXIST {
      throw .io(operation: "mkdir", path: path, errno: errno)
    }
  }

  package func names(in directory: String) throws(LogError) -> [String] {
    guard let listing = opendir(directory) else {
      throw .io(operation: "opendir", path: directory, errno: errno)
    }
    defer { closedir(listing) }
    var names: [String] = []
    while let item = readdir(listing) {
      names.append(
        withUnsafePointer(to: &item.pointee.d_name) {
          $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
        })
    }
    return names.sorted()
  }

  package func open(_ path: String, _ mode: OpenMode) throws(LogError) -> any DiskFile {
    switch mode {
    case .existing: try FileDescriptor(path: path, flags: O_RDWR)
    case .new: try FileDescriptor(path: path, flags: O_RDWR | O_CREAT | O_EXCL)
    }
  }

  package func remove(_ path: String) throws(LogError) {
    guard unlink(path) == 0 else { throw .io(operation: "unlink", path: path, errno: errno) }
  }

  package func rename(_ path: String, to other: String) throws(LogError) {
    guard Glibc.rename(path, other) == 0 else {
      throw .io(operation: "rename", path: path, errno: errno)
    }
  }

  package func syncDirectory(_ path: String) throws(LogError) {
    let descriptor = Glibc.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { throw .io(operation: "open", path: path, errno: errno) }
    defer { close(descriptor) }
    guard fsync(descriptor) == 0 else { throw .io(operation: "fsync", path: path, errno: errno) }
  }

  package func lock(directory: String) throws(LogError) -> any DirectoryHold {
    try makeDirectory(directory)
    return try FileLock(directory: directory)
  }
}

/// The advisory lock of a directory, free for others once nothing refers to it.
final class FileLock: DirectoryHold {
  private let descriptor: Int32

  /// - Throws: `.locked` if it is held, by this process or another.
  init(directory: String) throws(LogError) {
    let path = directory + "/LOCK"
    descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
    if descriptor < 0 { throw .io(operation: "open", path: path, errno: errno) }
    guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
      let code = errno
      close(descriptor)
      if code == EWOULDBLOCK { throw .locked(path: directory) }
      throw .io(operation: "flock", path: path, errno: code)
    }
  }

  /// Closing alone would not do: a program that another thread is about to start has a copy of the descriptor
  /// until it runs, and with it the lock (flock(2)).
  deinit {
    flock(descriptor, LOCK_UN)
    close(descriptor)
  }
}

/// An open file, closed with its last reference.
final class FileDescriptor: DiskFile {
  private let path: String
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

  func sync() throws(LogError) {
    guard fdatasync(descriptor) == 0 else {
      throw .io(operation: "fdatasync", path: path, errno: errno)
    }
  }
}
