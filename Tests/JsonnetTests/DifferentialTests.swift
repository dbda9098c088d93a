import Foundation
import Jsonnet
import TestSupport
import Testing

/// The `jsonnet` program of Debian and this evaluator judge programs alike.
struct DifferentialTests {
  private static let variables = [
    (name: "namespace", value: "production"),
    (name: "file", value: "config/production/main.jsonnet"),
    (name: "source", value: "default"),
  ]
  private static let program = "/usr/bin/jsonnet"
  private static var isThere: Bool {
    FileManager.default.isExecutableFile(atPath: program) && JsonnetEvaluator.isAvailable
  }

  /// Where an overflow of the stack is noticed depends on what lies around the program.
  private static let isPlaceless = ["two libraries that import each other"]

  private func run(_ files: [(path: String, bytes: [UInt8])]) throws -> (
    output: String, error: String
  ) {
    let folder = try TemporaryFolder()
    for file in files {
      let url = URL(fileURLWithPath: folder.path).appendingPathComponent(file.path)
      try FileManager.default.createDirectory(
        at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
      try Data(file.bytes).write(to: url)
    }
    let process = Process()
    process.executableURL = URL(fileURLWithPath: Self.program)
    process.currentDirectoryURL = URL(fileURLWithPath: folder.path)
    process.arguments =
      Self.variables.flatMap { ["-V", "\($0.name)=\($0.value)"] } + [files[0].path]
    // Files, not pipes: neither can fill up.
    let (output, error) = (folder.path + "/stdout", folder.path + "/stderr")
    for path in [output, error] { try Data().write(to: URL(fileURLWithPath: path)) }
    process.standardOutput = FileHandle(forWritingAtPath: output)
    process.standardError = FileHandle(forWritingAtPath: error)
    try process.run()
    process.waitUntilExit()
    return (
      try String(contentsOfFile: output, encoding: .utf8),
      process.terminationStatus == 0 ? "" : try String(contentsOfFile: error, encoding: .utf8)
    )
  }

  private static func resolve(_ path: String, from folder: String) -> String {
    URL(fileURLWithPath: "/" + folder).appendingPathComponent(path).standardized.path
      .split(separator: "/").joined(separator: "/")
  }

  private static func loader(_ files: [(path: String, bytes: [UInt8])]) -> JsonnetLoader {
    { folder, path in
      let resolved = resolve(path, from: folder)
      guard !path.hasPrefix("/"), let file = files.first(where: { $0.path == resolved }) else {
        return .missing("no match locally or in the Jsonnet library paths.")
      }
      return .found(path: resolved, bytes: file.bytes)
    }
  }

  /// A failure as the program tells it: its first line and the first place in a file.
  private static func describe(_ error: String) -> String {
    let lines = error.split(separator: "\n", omittingEmptySubsequences: false)
      .filter { !$0.hasPrefix("TRACE: ") }
    guard !error.hasPrefix("STATIC ERROR: ") else { return normal(String(lines[0])) }
    let place = lines.first { $0.hasPrefix("\t") && !$0.hasPrefix("\tstd") && $0.contains(":") }
    let words = place.map { $0.split(separator: "\t")[0] } ?? ""
    return normal(lines[0] + " @ " + words)
  }

  /// Without the `..` that the program leaves in paths.
  private static func normal(_ text: String) -> String {
    text.replacing(/[\w.]+\/\.\.\//, with: "").replacing("./", with: "")
      // Why there is nothing to import each says in its own words.
      .replacing(/(couldn't open import "[^"]*": )[^@]*/, with: { "\($0.output.1)" })
  }

  private static func describe(_ failure: JsonnetFailure) -> String {
    let place = failure.places.first { !$0.file.hasPrefix("std") }
    var text = ""
    if let place {
      let (start, end) = (place.start, place.end)
      text =
        start.line != end.line
        ? "\(place.file):(\(start.line):\(start.column))-(\(end.line):\(end.column))"
        : end.column == start.column + 1
          ? "\(place.file):\(start.line):\(start.column)"
          : "\(place.file):\(start.line):\(start.column)-\(end.column)"
    }
    let message = failure.message.split(separator: "\n", omittingEmptySubsequences: false)[0]
    return failure.kind == .syntax
      ? "STATIC ERROR: \(text): \(message)" : "RUNTIME ERROR: \(message) @ \(text)"
  }

  @Test(.enabled(if: DifferentialTests.isThere, "the jsonnet program or configsync is not here"))
  func everyProgramIsJudgedAlike() throws {
    var count = 0
    for script in try Script.all(beside: #filePath) {
      for item in script.cases {
        let (output, error) = try run(item.files)
        let program = JsonnetProgram(
          name: item.files[0].path, source: item.files[0].bytes, variables: Self.variables)
        let result = JsonnetEvaluator.evaluate([program], load: Self.loader(item.files))
        count += 1
        switch result.first?.value {
        case .success(let json):
          #expect(error.isEmpty, "\(item.name)")
          #expect(String(decoding: json, as: UTF8.self) == output, "\(item.name)")
        case .failure(let failure):
          guard !Self.isPlaceless.contains(item.name) else {
            #expect(failure.message == "max stack frames exceeded.")
            continue
          }
          #expect(Self.normal(Self.describe(failure)) == Self.describe(error), "\(item.name)")
        case nil: Issue.record("no result for \(item.name)")
        }
      }
    }
    #expect(count >= 100)
  }

  @Test(.enabled(if: JsonnetEvaluator.isAvailable, "configsync is not beside the tests"))
  func programsThatAreEvaluatedTogetherGiveWhatTheyGiveAlone() throws {
    for script in try Script.all(beside: #filePath) {
      // Each under a name of its own, all in one call.
      let cases = script.cases.enumerated().filter { $0.offset % 5 == 0 }.map(\.element)
      let files = cases.enumerated().flatMap { index, item in
        item.files.map { (path: "p\(index)/" + $0.path, bytes: $0.bytes) }
      }
      let programs = cases.enumerated().map { index, item in
        JsonnetProgram(
          name: "p\(index)/" + item.files[0].path, source: item.files[0].bytes,
          variables: Self.variables)
      }
      let together = JsonnetEvaluator.evaluate(programs, load: Self.loader(files))
      for (index, (program, result)) in zip(programs, together).enumerated() {
        let alone = JsonnetEvaluator.evaluate([program], load: Self.loader(files))[0]
        let name = cases[index].name
        switch (result.value, alone.value) {
        case (.success(let left), .success(let right)):
          #expect(
            left.filter { $0 > 0x20 } == right.filter { $0 > 0x20 }, "\(name)")
        case (.failure(let left), .failure(let right)): #expect(left.message == right.message)
        default: Issue.record("\(name): one of them fails")
        }
      }
    }
  }
}
