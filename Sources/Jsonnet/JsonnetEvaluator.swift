/// Evaluates programs with libjsonnet, in a process that is limited in time and memory.
///
/// A program has no clock, environment, network or file but what `load` gives it. The same program with the same
/// imports gives the same value.
public struct JsonnetEvaluator {
  private var worker: WorkerProcess?
  private let load: JsonnetLoader
  private let deadline: JsonnetDeadline

  private init(by deadline: JsonnetDeadline, load: @escaping JsonnetLoader) {
    self.deadline = deadline
    self.load = load
  }

  /// Whether there is a program to evaluate with: this one is `configsync`, or that is beside it.
  public static var isAvailable: Bool { WorkerProcess.program() != nil }

  /// The results, in the order of the programs.
  ///
  /// An evaluation costs about 20 ms whatever its size, since the library reads its own standard library each
  /// time; so programs that speak neither of imports nor of variables are evaluated together, as one list. Those share
  /// nothing: what is imported is evaluated once, and costs the second who needs it no stack. If a list fails its
  /// programs are evaluated by themselves.
  ///
  /// - Parameter deadline: of everything that belongs to one commit.
  public static func evaluate(
    _ programs: [JsonnetProgram], by deadline: JsonnetDeadline = JsonnetDeadline(),
    load: @escaping JsonnetLoader
  ) -> [JsonnetResult] {
    var evaluator = JsonnetEvaluator(by: deadline, load: load)
    var results = [JsonnetResult?](repeating: nil, count: programs.count)
    for (index, program) in programs.enumerated() {
      results[index] = refusal(of: program).map { JsonnetResult(value: .failure($0), imports: []) }
    }
    let together = programs.indices.filter { index in
      results[index] == nil
        && ["extVar", "import"].allSatisfy {
          programs[index].source.firstRange(of: Array($0.utf8)) == nil
        }
    }
    for start in stride(from: 0, to: together.count, by: JsonnetLimits.batch) {
      let batch = together[start..<min(start + JsonnetLimits.batch, together.count)]
      evaluator.evaluate(batch, of: programs, into: &results)
    }
    for index in programs.indices where results[index] == nil {
      results[index] = evaluator.evaluate(programs[index], within: JsonnetLimits.seconds)
    }
    return results.compactMap(\.self)
  }

  // MARK: - Several at once

  private mutating func evaluate(
    _ batch: ArraySlice<Int>, of programs: [JsonnetProgram], into results: inout [JsonnetResult?]
  ) {
    guard batch.count > 1 else { return }
    let names = batch.map { "import " + JsonnetEvaluator.quoted(programs[$0].name) }
    let list = JsonnetProgram(
      name: "", source: Array("[\(names.joined(separator: ", "))]".utf8), variables: [])
    guard case .success(let json) = evaluate(list, within: JsonnetLimits.batchSeconds).value,
      let values = JSONListSplitter.split(json), values.count == batch.count
    else { return }
    for (index, value) in zip(batch, values) {
      results[index] = JsonnetResult(value: .success(value), imports: [])
    }
  }

  /// A text as Jsonnet reads it back.
  public static func quoted(_ text: String) -> String {
    var quoted = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"", "\\": quoted += "\\" + String(scalar)
      case _ where scalar.value < 0x20:
        let digits = String(scalar.value, radix: 16)
        quoted += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      case _ where scalar.value >= 0x40000: quoted += escape(scalar)
      default: quoted.unicodeScalars.append(scalar)
      }
    }
    return quoted + "\""
  }

  /// Why a program is not even begun; nil if nothing is in the way.
  private static func refusal(of program: JsonnetProgram) -> JsonnetFailure? {
    let texts = program.variables.map(\.value) + [program.name]
    if texts.contains(where: UnreadableText.isIn) {
      return JsonnetFailure(
        kind: .syntax, message: UnreadableText.explanationOfName, places: [])
    }
    return UnreadableText.offset(in: program.source).map { offset in
      JsonnetFailure(
        kind: .syntax, message: UnreadableText.explanation,
        places: [UnreadableText.place(offset, of: program.source, in: program.name)])
    }
  }

  // MARK: - One

  private mutating func evaluate(
    _ program: JsonnetProgram, within seconds: Int
  ) -> JsonnetResult {
    var imports: Set<JsonnetResult.ImportRequest> = []
    let load = load
    do {
      let process = try worker ?? WorkerProcess()
      worker = process
      let end = min(deadline.end, ContinuousClock.now + .seconds(seconds))
      let answer = try process.evaluate(program, by: end) { folder, path in
        imports.insert(JsonnetResult.ImportRequest(folder: folder, path: path))
        let found = load(folder, path)
        if case .found(let path, let bytes) = found,
          UnreadableText.isIn(path) || UnreadableText.offset(in: bytes) != nil
        {
          return .missing("it holds " + UnreadableText.explanation)
        }
        return found
      }
      return JsonnetResult(value: JsonnetEvaluator.result(answer), imports: imports)
    } catch {
      // Whatever it was doing it does no more.
      worker = nil
      return JsonnetResult(value: .failure(failure(error)), imports: imports)
    }
  }

  private static func result(_ answer: WorkerMessage) -> Result<[UInt8], JsonnetFailure> {
    let bytes = answer.fields.first ?? []
    switch answer.kind {
    case .value: return .success(bytes)
    default: return .failure(ErrorReport.read(bytes))
    }
  }

  private func failure(_ error: any Error) -> JsonnetFailure {
    if let failure = error as? JsonnetFailure { return failure }
    let message =
      switch error as? WorkerChannel.Failure {
      case .late where ContinuousClock.now >= deadline.end:
        "evaluating all Jsonnet of a commit takes more than \(JsonnetLimits.totalSeconds) seconds"
      case .late: "evaluating it takes more than \(JsonnetLimits.seconds) seconds"
      case .tooLarge: "it gives or imports more than \(JsonnetLimits.frameBytes) bytes"
      default:
        "it ended the evaluator: it needs more than \(JsonnetLimits.memoryBytes >> 20) MiB, or the library "
          + "failed on it"
      }
    return JsonnetFailure(kind: .limit, message: message, places: [])
  }
}
