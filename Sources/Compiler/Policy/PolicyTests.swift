public import ConfigModel
import Jsonnet

/// What became of one test of the repository.
public struct PolicyTestResult: Sendable {
  public var file: String
  /// Empty where a file is one test, or could not be evaluated.
  public var name: String
  /// nil if it passed.
  public var failure: Diagnostic?
}

/// Runs the repository's own tests: files that end in `_test.jsonnet`.
///
/// Such a file evaluates to an object, each field of which is a test: `true`, or `{actual, expected}` with two equal
/// values. A list of tests, or a single one, will do as well.
public enum PolicyTests {
  public static func isTest(_ path: String) -> Bool {
    ConfigPath.name(path, endsIn: "_test.jsonnet")
  }

  /// - Complexity: that of evaluating every test.
  public static func run(_ tree: SourceTree) -> [PolicyTestResult] {
    let sources = JsonnetSources(tree)
    var results: [PolicyTestResult] = []
    let deadline = JsonnetDeadline()
    let files = tree.files.filter { file in
      isTest(file.path) && !ConfigPath.segments(of: file.path).contains { $0.hasPrefix(".") }
    }
    for file in files {
      var diagnostics: [Diagnostic] = []
      guard let source = sources.read(file, &diagnostics) else {
        results.append(PolicyTestResult(file: file.path, name: "", failure: diagnostics.first))
        continue
      }
      let program = JsonnetProgram(
        name: file.path, source: source,
        variables: [("namespace", ""), ("file", file.path), ("source", "")])
      for result in JsonnetEvaluator.evaluate([program], by: deadline, load: sources.load) {
        results += read(result, of: file.path, sources)
      }
    }
    return results
  }

  private static func read(
    _ result: JsonnetResult, of file: String, _ sources: JsonnetSources
  ) -> [PolicyTestResult] {
    switch result.value {
    case .failure(let failure):
      let report = JsonnetReport(sources: sources, imports: result.imports)
      return [
        PolicyTestResult(file: file, name: "", failure: report.diagnostic(of: failure, in: file))
      ]
    case .success(let json):
      let output = JsonnetOutput.read(json, file: file)
      guard let value = output.value else {
        return [PolicyTestResult(file: file, name: "", failure: output.diagnostics.first)]
      }
      return tests(in: value, file: file)
    }
  }

  private static func tests(in value: ConfigValue, file: String) -> [PolicyTestResult] {
    switch value.content {
    case .map(let members) where value["actual"] == nil || value["expected"] == nil:
      guard !members.isEmpty else {
        return [failed("the file has no tests", file, "")]
      }
      return members.map { verdict(on: $0.value, named: $0.key, file: file) }
    case .sequence(let items):
      guard !items.isEmpty else { return [failed("the file has no tests", file, "")] }
      return items.enumerated().map {
        verdict(on: $0.element, named: "\($0.offset + 1)", file: file)
      }
    default: return [verdict(on: value, named: "", file: file)]
    }
  }

  private static func verdict(
    on value: ConfigValue, named name: String, file: String
  ) -> PolicyTestResult {
    switch value.content {
    case .boolean(true): return PolicyTestResult(file: file, name: name, failure: nil)
    case .boolean(false): return failed("it is false", file, name)
    case .map:
      guard let actual = value["actual"], let expected = value["expected"] else { break }
      let (found, wanted) = (
        actual.canonicalJSON(nulls: .kept), expected.canonicalJSON(nulls: .kept)
      )
      if found == wanted { return PolicyTestResult(file: file, name: name, failure: nil) }
      return failed(
        "expected \(String(decoding: wanted, as: UTF8.self)), found "
          + String(decoding: found, as: UTF8.self), file, name)
    default: break
    }
    return failed("a test is true or false, or {actual: …, expected: …}", file, name)
  }

  private static func failed(_ message: String, _ file: String, _ name: String) -> PolicyTestResult
  {
    PolicyTestResult(
      file: file, name: name,
      failure: Diagnostic(.policyViolation, at: SourceSpan(file: file), message))
  }
}
