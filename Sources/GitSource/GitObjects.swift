import CLibGit2
import Synchronization

/// An open repository; trees that were read from it keep it open, since their bytes come on demand.
final class GitObjects: Sendable {
  /// A libgit2 handle: `state` is locked wherever it is used.
  private struct Handle: @unchecked Sendable { let pointer: OpaquePointer }

  /// Sizes of blobs that are remembered.
  private static let rememberedSizes = 1_000_000

  private struct State {
    let handle: Handle
    var sizes: [String: Int] = [:]
  }

  private let state: Mutex<State>

  /// Owns the handle from here on.
  init(_ repository: OpaquePointer) {
    state = Mutex(State(handle: Handle(pointer: repository)))
  }

  deinit { state.withLock { git_repository_free($0.handle.pointer) } }

  /// Runs `body` on the repository, alone.
  func withRepository<Value: Sendable>(
    _ body: (OpaquePointer) throws(GitError) -> Value
  ) throws(GitError) -> Value {
    let result: Result<Value, GitError> = withPointer { pointer in
      do throws(GitError) {
        return .success(try body(pointer))
      } catch {
        return .failure(error)
      }
    }
    return try result.get()
  }

  func withPointer<Value: Sendable>(_ body: (OpaquePointer) -> Value) -> Value {
    state.withLock { body($0.handle.pointer) }
  }

  /// Bytes of a blob.
  func size(ofBlob id: String) throws(GitError) -> Int {
    if let known = state.withLock({ $0.sizes[id] }) { return known }
    let size = try withRepository { repository throws(GitError) in
      var oid = git_oid()
      git_oid_fromstr(&oid, id)
      return try GitObjects.size(of: &oid, in: repository)
    }
    state.withLock { state in
      if state.sizes.count >= GitObjects.rememberedSizes { state.sizes.removeAll() }
      state.sizes[id] = size
    }
    return size
  }

  private static func size(
    of oid: UnsafePointer<git_oid>, in repository: OpaquePointer
  ) throws(GitError) -> Int {
    var database: OpaquePointer?
    try check(git_repository_odb(&database, repository), "open the object database")
    defer { git_odb_free(database) }
    var size = 0
    var type = GIT_OBJECT_ANY
    try check(git_odb_read_header(&size, &type, database, oid), "read an object's header")
    return size
  }

  /// Bytes of a commit, and of a folder, that are read at all: before that its size is asked for.
  static let commitLimit = 64 << 20
  static let treeLimit = 64 << 20

  /// - Throws: `GitError` if an object is larger than that.
  static func checkSize(
    of oid: UnsafePointer<git_oid>, atMost limit: Int, in repository: OpaquePointer
  ) throws(GitError) {
    let size = try size(of: oid, in: repository)
    guard size <= limit else {
      throw .failed(
        operation: "read \(GitRepository.hexadecimal(oid))",
        reason: "it has \(size) bytes, more than \(limit)")
    }
  }

  func blob(_ id: String) throws(GitError) -> [UInt8] {
    try withRepository { repository throws(GitError) in
      var oid = git_oid()
      var blob: OpaquePointer?
      git_oid_fromstr(&oid, id)
      try check(git_blob_lookup(&blob, repository, &oid), "read the blob \(id)")
      defer { git_blob_free(blob) }
      return [UInt8](
        UnsafeRawBufferPointer(
          start: git_blob_rawcontent(blob), count: Int(git_blob_rawsize(blob))))
    }
  }
}
