import Foundation

/// Copies of the descriptors by which this process has a file open, as a child has them between fork(2) and
/// execve(2); the caller closes them.
package func copiesOfDescriptors(of path: String) throws -> [Int32] {
  let file = URL(fileURLWithPath: path).resolvingSymlinksInPath().path
  return try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")
    .compactMap(Int32.init)
    .filter { descriptor in
      // Other threads open and close descriptors meanwhile.
      let link = "/proc/self/fd/\(descriptor)"
      return (try? FileManager.default.destinationOfSymbolicLink(atPath: link)) == file
    }
    .map { dup($0) }
}
