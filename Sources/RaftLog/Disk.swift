/// The files of a log: real ones, or those of a simulation that forgets, tears, rots and fills up.
///
/// Paths are texts with `/`. Every call throws `LogError.io` with the operation and the path; after a
/// failed `write` or `sync` nothing may be assumed durable. One caller at a time.
package protocol Disk: Sendable {
  /// Creates a directory with access for its owner alone; one that is there is fine.
  func makeDirectory(_ path: String) throws(LogError)
  /// The names in a directory, ascending.
  func names(in directory: String) throws(LogError) -> [String]
  func open(_ path: String, _ mode: OpenMode) throws(LogError) -> any DiskFile
  func remove(_ path: String) throws(LogError)
  /// Atomic; durable once the directory is synced.
  func rename(_ path: String, to other: String) throws(LogError)
  /// Makes creations, renames and removals in a directory durable.
  func syncDirectory(_ path: String) throws(LogError)
  /// Takes the directory, made if missing, for this process, as long as the result lives.
  ///
  /// - Throws: also `.locked`.
  func lock(directory: String) throws(LogError) -> any DirectoryHold
}

package enum OpenMode: Sendable {
  case existing
  /// Created; an error if it is there.
  case new
}

package protocol DiskFile: AnyObject, Sendable {
  func write(_ bytes: ArraySlice<UInt8>, at offset: Int) throws(LogError)
  func readAll() throws(LogError) -> [UInt8]
  /// Makes what was written durable. A failure must end the process: what the kernel still holds
  /// of the failed write is undefined.
  func sync() throws(LogError)
}

package protocol DirectoryHold: AnyObject, Sendable {}
