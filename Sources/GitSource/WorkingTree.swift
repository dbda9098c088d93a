import CLibGit2
public import ConfigModel
import Foundation

extension GitRepository {
  /// The files of the working tree, uncommitted ones too, without what Git ignores.
  public func workingTree() throws(GitError) -> SourceTree {
    guard let root = workingDirectory else {
      throw .failed(
        operation: "read the working tree", reason: "the repository is bare; name a revision")
    }
    var files: [SourceTree.File] = []
    try collect(root, under: "", depth: 0, into: &files)
    return SourceTree(files)
  }

  private func collect(
    _ root: String, under folder: String, depth: Int, into files: inout [SourceTree.File]
  ) throws(GitError) {
    guard depth < 128 else {
      throw .failed(operation: "read \(folder)", reason: "its folders are too deep")
    }
    let names: [String]
    do {
      names = try FileManager.default.contentsOfDirectory(atPath: root + folder)
    } catch {
      throw .failed(operation: "read \(root)\(folder)", reason: "\(error)")
    }
    for name in names.sorted() where name != ".git" {
      let path = folder + name
      let full = root + path
      var status = stat()
      guard lstat(full, &status) == 0 else { continue }
      let type = status.st_mode & S_IFMT
      if try isIgnored(type == S_IFDIR ? path + "/" : path) { continue }
      if type == S_IFDIR {
        if FileManager.default.fileExists(atPath: full + "/.git") {
          files.append(SourceTree.File(path: path, kind: .submodule, byteCount: 0) { [] })
        } else {
          try collect(root, under: path + "/", depth: depth + 1, into: &files)
        }
      } else if type == S_IFREG || type == S_IFLNK {
        files.append(
          SourceTree.File(
            path: path, kind: type == S_IFLNK ? .symlink : .file, byteCount: Int(status.st_size)
          ) {
            [UInt8](try Data(contentsOf: URL(fileURLWithPath: full)))
          })
      }
    }
  }

  private func isIgnored(_ path: String) throws(GitError) -> Bool {
    try withRepository { repository throws(GitError) in
      var ignored: Int32 = 0
      try check(git_ignore_path_is_ignored(&ignored, repository, path), "read .gitignore")
      return ignored == 1
    }
  }
}
