import ConfigModel
import Jsonnet

/// The files of a tree, as Jsonnet imports them.
final class JsonnetSources {
  private let tree: SourceTree
  /// Texts that are there without a file, by the path by which they are imported.
  private let extra: [String: [UInt8]]
  private(set) var texts: [ConfigPath: SourceText] = [:]
  /// A file that could not be read: what was evaluated without it says nothing of the repository.
  private(set) var unread: Diagnostic?

  init(_ tree: SourceTree, extra: [String: [UInt8]] = [:]) {
    self.tree = tree
    self.extra = extra
  }

  /// The text of a file; nil with a finding if it is none.
  func read(_ file: SourceTree.File, _ diagnostics: inout [Diagnostic]) -> [UInt8]? {
    let path = ConfigPath(escaped: file.path)
    if let known = texts[path] { return known.bytes }
    guard file.kind == .file else {
      diagnostics.append(
        Diagnostic(
          file.kind == .symlink ? .fileSymlink : .fileSubmodule, at: SourceSpan(file: file.path),
          "a link can't be evaluated", hint: "put the file itself here"))
      return nil
    }
    guard let bytes = FileParser.load(file, &diagnostics) else {
      unread = unread ?? diagnostics.first { $0.code == .fileUnreadable }
      return nil
    }
    guard let text = SourceText.decode(bytes, file: file.path, &diagnostics) else { return nil }
    texts[path] = text
    return text.bytes
  }

  /// Names what stands at a path: a link is not the file that has the same bytes.
  func objectID(at path: ConfigPath) -> String? {
    tree.file(at: path.text).flatMap { file in
      file.objectID.map { file.kind == .file ? $0 : "link \($0)" }
    }
  }

  /// The file that an import means; nil if there is none.
  func path(of request: JsonnetResult.ImportRequest) -> ConfigPath? {
    guard let path = RepositoryPath.resolve(request.path, from: request.folder),
      tree.file(at: path) != nil
    else { return nil }
    return ConfigPath(escaped: path)
  }

  func load(_ folder: String, _ path: String) -> JsonnetImport {
    if folder.isEmpty, let bytes = extra[path] { return .found(path: path, bytes: bytes) }
    guard !path.hasPrefix("/") else {
      return .missing("a path is relative to the file that imports")
    }
    guard let resolved = RepositoryPath.resolve(path, from: folder) else {
      return .missing("it is not in the repository")
    }
    guard let file = tree.file(at: resolved) else {
      return .missing("there is no file '\(resolved)' in the repository")
    }
    var diagnostics: [Diagnostic] = []
    guard let bytes = read(file, &diagnostics) else {
      return .missing(diagnostics.first?.message ?? "it can't be read")
    }
    return .found(path: resolved, bytes: bytes)
  }
}
