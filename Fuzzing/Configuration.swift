import ConfigModel

@testable import Compiler
@testable import JSONSchema

/// The input cut at bytes that no text of a kind holds.
private func parts(_ bytes: [UInt8], _ count: Int) -> [[UInt8]] {
  var parts = bytes.split(separator: 0, maxSplits: count - 1, omittingEmptySubsequences: false)
    .map(Array.init)
  while parts.count < count { parts.append([]) }
  return parts
}

private func parse(
  _ bytes: [UInt8], _ read: (SourceText, inout [Diagnostic]) -> ConfigValue?
) -> ConfigValue? {
  var diagnostics: [Diagnostic] = []
  guard let text = SourceText.decode(bytes, file: "in", &diagnostics) else { return nil }
  let value = read(text, &diagnostics)
  // libyaml ends lines at each of its line breaks.
  let scalars = String(decoding: bytes, as: UTF8.self).unicodeScalars
  let lines = scalars.count { "\n\r\u{85}\u{2028}\u{2029}".unicodeScalars.contains($0) } + 1
  for finding in diagnostics {
    precondition((1...lines + 1).contains(finding.span.start.line), "a finding is in the file")
    precondition(finding.span.start <= finding.span.end, "a finding has a beginning and an end")
  }
  return diagnostics.hasErrors ? nil : value
}

/// What is read is written as JSON that says the same.
private func checkRoundTrip(_ value: ConfigValue) {
  let json = value.canonicalJSON(nulls: .kept)
  let again = parse(json, JSONParser.parse)
  precondition(again?.canonicalJSON(nulls: .kept) == json, "what is written reads back")
}

func fuzzYAML(_ bytes: [UInt8]) { parse(bytes, YAMLComposer.parse).map(checkRoundTrip) }

func fuzzTOML(_ bytes: [UInt8]) { parse(bytes, TOMLParser.parse).map(checkRoundTrip) }

func fuzzJSONFile(_ bytes: [UInt8]) { parse(bytes, JSONParser.parse).map(checkRoundTrip) }

func fuzzGlob(_ bytes: [UInt8]) {
  let parts = parts(bytes, 2).map { String(decoding: $0, as: UTF8.self) }
  guard let glob = try? Glob(parts[0]) else { return }
  _ = glob.matches(parts[1])
}

/// Three files that refer to each other, one of them below a layer; the same twice.
func fuzzReference(_ bytes: [UInt8]) {
  let parts = parts(bytes, 3)
  let settings =
    "apiVersion: configsync/v1\nlayers: {p: [b]}\nfiles: [{match: d.json, encode: document}]\n"
  let tree = SourceTree(contents: [
    "configsync.yaml": Array(settings.utf8), "b/a.yaml": parts[0], "p/a.yaml": parts[1],
    "d.json": parts[2],
  ])
  let first = compileValues(tree)
  let second = compileValues(tree)
  precondition(first.diagnostics == second.diagnostics, "the same gives the same")
  precondition((first.keySpace == nil) == first.diagnostics.hasErrors, "no error is no refusal")
}

/// A tree compiled from the one before it, which has other files at some paths, or none.
func fuzzIncremental(_ bytes: [UInt8]) {
  let parts = parts(bytes, 10)
  let settings =
    "apiVersion: configsync/v1\nlayers: {p: [b]}\nfiles: [{match: d.json, encode: document}, "
    + "{match: 'p/a.yaml', schema: s.json}]\n"
  let paths = ["b/a.yaml", "p/a.yaml", "d.json", "q.toml", "s.json"]
  func tree(_ contents: some Sequence<[UInt8]>) -> SourceTree {
    let files =
      zip(paths, contents).filter { !$0.1.isEmpty } + [("configsync.yaml", Array(settings.utf8))]
    return SourceTree(
      files.map { path, bytes in
        SourceTree.File(
          path: path, objectID: bytes.map { String($0, radix: 16) }.joined(separator: "."),
          byteCount: bytes.count
        ) { bytes }
      })
  }
  let (old, new) = (tree(parts[..<5]), tree(parts[5...]))
  let cache = CompileCache()
  _ = compileValues(old, cache: cache)
  let (found, whole) = (compileValues(new, cache: cache), compileValues(new))
  precondition(found.diagnostics == whole.diagnostics, "the same findings")
  precondition(found.fileCount == whole.fileCount, "the same files")
  precondition((found.keySpace == nil) == (whole.keySpace == nil), "the same verdict")
  guard let left = found.keySpace, let right = whole.keySpace else { return }
  precondition(left.count == right.count, "as many keys")
  precondition(
    zip(left.items, right.items).allSatisfy { $0.key == $1.key && $0.value == $1.value },
    "the same keys")
}

/// What a directory may give back for a file.
func fuzzStored(_ bytes: [UInt8]) {
  if let file = try? StoredFile.file(bytes, at: "in"), let again = StoredFile.encode(file) {
    let read = try? StoredFile.file(again, at: "in")
    precondition(read.flatMap { StoredFile.encode($0) } == again, "what is written reads back")
  }
  _ = try? StoredFile.memory(bytes, at: ConfigPath(escaped: "in"))
}

func fuzzSchema(_ bytes: [UInt8]) {
  let parts = parts(bytes, 2)
  guard let schema = parse(parts[0], JSONParser.parse) else { return }
  let (program, problems) = SchemaProgram.compile(SchemaDocument(uri: "fuzz:///s", root: schema)) {
    $0.uri == "fuzz:///t" ? SchemaDocument(uri: $0.uri, root: schema) : nil
  }
  precondition(
    (program == nil) == problems.contains { $0.kind != .suspicious }, "a reason is given")
  guard let program, let value = parse(parts[1], JSONParser.parse) else { return }
  _ = program.check(value, steps: 100_000)
}

func fuzzPattern(_ bytes: [UInt8]) {
  let parts = parts(bytes, 2).map { String(decoding: $0, as: UTF8.self) }
  guard let pattern = try? Pattern(parts[0]) else { return }
  var steps = 100_000
  _ = pattern.isFound(in: parts[1], steps: &steps)
}
