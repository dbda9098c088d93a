/// Evaluates programs with libjsonnet, in a process that is limited in time and memory.
///
/// A program has no clock, environment, network or file but what `load` gives it. The same program with the same
/// imports gives the same value.
public struct JsonnetEvaluator {
  private var worker: WorkerProcess?
  private let load: JsonnetLoader
  private let end = ContinuousClock.now + .seconds(JsonnetLimits.totalSeconds)

  private init(load: @escaping JsonnetLoader) { self.load = load }

  /// Whether there is a program to evaluate with: this one is `configsync`, or that is beside it.
  public static var isAvailable: Bool { WorkerProcess.program() != nil }

  /// The results, in the order of the programs.
  ///
  /// An evaluation costs about 20 ms whatever its size, since the library reads its own standard library each
  /// time; so programs that speak of no variables are evaluated together, as one list and without variables. If
  /// that fails they are evaluated in halves, and in the end by themselves: no result depends on the others.
  public static func evaluate(
    _ programs: [JsonnetProgram], load: @escaping JsonnetLoader
  ) -> [JsonnetResult] {
    var evaluator = JsonnetEvaluator(load: load)
    var results = [JsonnetResult?](repeating: nil, count: programs.count)
    let together = programs.indices.filter { index in
      programs[index].source.firstRange(of: Array("extVar".utf8)) == nil
    }
    for start in stride(from: 0, to: together.count, by: JsonnetLimits.batch) {
      let batch = together[start..<min(start + JsonnetLimits.batch, together.count)]
      evaluator.evaluate(batch, of: programs, into: &results)
    }
    for index in programs.indices where results[index] == nil {
      results[index] = evaluator.evaluate(programs[index])
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
    let found = evaluate(list)
    if case .success(let json) = found.value,
      let values = JSONListSplitter.split(json), values.count == batch.count
    {
      for (index, value) in zip(batch, values) {
        results[index] = JsonnetResult(value: .success(value), imports: found.imports)
      }
      return
    }
    let middle = batch.startIndex + batch.count / 2
    evaluate(batch[..<middle], of: programs, into: &results)
    evaluate(batch[middle...], of: programs, into: &results)
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
      default: quoted.unicodeScalars.append(scalar)
      }
    }
    return quoted + "\""
  }

  // MARK: - One

  private mutating func evaluate(_ program: JsonnetProgram) -> JsonnetResult {
    var imports: Set<JsonnetResult.ImportRequest> = []
    let load = load
    do {
      let process = try worker ?? WorkerProcess()
      worker = process
      let deadline = min(end, ContinuousClock.now + .seconds(JsonnetLimits.seconds))
      let answer = try process.evaluate(program, by: deadline) { folder, path in
        imports.insert(JsonnetResult.ImportRequest(folder: folder, path: path))
        return load(folder, path)
      }
      return JsonnetResult(value: JsonnetEvaluator.result(answer), imports: imports)
    } catch {
      // Whatever it was doing it does no more.
      worker = nil
      return JsonnetResult(value: .failure(JsonnetEvaluator.failure(error)), imports: imports)
    }
  }

  private static func result(_ answer: WorkerMessage) -> Result<[UInt8], JsonnetFailure> {
    let bytes = answer.fields.first ?? []
    switch answer.kind {
    case .value: return .success(bytes)
    default: return .failure(ErrorReport.read(bytes))
    }
  }

  private static func failure(_ error: any Error) -> JsonnetFailure {
    if let failure = error as? JsonnetFailure { return failure }
    let message =
      switch error as? WorkerChannel.Failure {
      case .late: "evaluating it takes more than \(JsonnetLimits.seconds) seconds"
      case .tooLarge: "it gives or imports more than \(JsonnetLimits.frameBytes) bytes"
      default:
        "it ended the evaluator: it needs more than \(JsonnetLimits.memoryBytes >> 20) MiB, or the library "
          + "failed on it"
      }
    return JsonnetFailure(kind: .limit, message: message, places: [])
  }
}
