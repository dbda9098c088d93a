import Jsonnet
import Testing

/// What a hostile program can do.
struct EvaluatorTests {
  private func failure(_ source: String) -> JsonnetFailure? {
    let program = JsonnetProgram(name: "a.jsonnet", source: Array(source.utf8), variables: [])
    let result = JsonnetEvaluator.evaluate([program]) { _, _ in .missing("nothing is here") }
    if case .failure(let failure)? = result.first?.value { return failure }
    return nil
  }

  @Test(
    .enabled(if: JsonnetEvaluator.isAvailable, "configsync is not beside the tests"),
    arguments: [
      ("local f(x) = f(x + 1); f(0)", JsonnetFailure.Kind.runtime),
      ("std.foldl(function(x, y) x + x, std.range(1, 60), 'aaaaaaaa')", .limit),
      // The library ends the process on it.
      ("std.parseYaml('a: 0x1F')", .limit),
      ("importstr '/etc/passwd'", .importing),
      ("import '../../etc/passwd'", .importing),
    ])
  func whatItMayNotDoIsAFailure(source: String, kind: JsonnetFailure.Kind) {
    #expect(failure(source)?.kind == kind)
  }

  @Test(.enabled(if: JsonnetEvaluator.isAvailable, "configsync is not beside the tests"))
  func nestingThatBreaksTheParserEndsTheEvaluatorAlone() {
    let count = 300_000
    let source = String(repeating: "[", count: count) + String(repeating: "]", count: count)
    #expect(failure(source)?.kind == .limit)
    #expect(failure("1") == nil)
  }

  @Test(.enabled(if: JsonnetEvaluator.isAvailable, "configsync is not beside the tests"))
  func oneThatFailsDoesNotHarmTheOthers() throws {
    let sources = [
      "1", "error 'x'", "[1, 2]", "std.parseYaml('a: 0x1F')", "\"],[\\\"\"", "function(x=2) x",
    ]
    let programs = sources.enumerated().map { index, source in
      JsonnetProgram(name: "p\(index).jsonnet", source: Array(source.utf8), variables: [])
    }
    let results = JsonnetEvaluator.evaluate(programs) { _, path in
      guard let program = programs.first(where: { $0.name == path }) else {
        return .missing("nothing is here")
      }
      return .found(path: path, bytes: program.source)
    }
    let texts = results.map { result in
      if case .success(let json) = result.value {
        String(decoding: json.filter { $0 > 0x20 }, as: UTF8.self)
      } else {
        "failed"
      }
    }
    #expect(texts == ["1", "failed", "[1,2]", "failed", "\"],[\\\"\"", "2"])
  }

  /// What a library gives is evaluated once, and costs the second program that needs it no stack.
  @Test(.enabled(if: JsonnetEvaluator.isAvailable, "configsync is not beside the tests"))
  func whatIsEvaluatedBesideAProgramChangesNothing() {
    let files = [
      "lib": "local f(n) = if n == 0 then 0 else 1 + f(n - 1); local v = f(400); {x: v}",
      "a": "{x: (import 'lib').x}",
      "b":
        "local g(n) = if n == 0 then (import 'lib').x else 1 + g(n - 1); local w = g(200); {x: w}",
    ]
    let programs = ["a", "b"].map {
      JsonnetProgram(name: $0, source: Array((files[$0] ?? "").utf8), variables: [])
    }
    let results = JsonnetEvaluator.evaluate(programs) { _, path in
      files[path].map { .found(path: path, bytes: Array($0.utf8)) } ?? .missing("nothing")
    }
    let failed = results.map { if case .failure = $0.value { true } else { false } }
    #expect(failed == [false, true])
  }
}
