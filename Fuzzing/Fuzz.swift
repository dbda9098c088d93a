// Bytes from outside, as a fuzzer makes them up, for every decoder that reads such. `FUZZ_TARGET` names one;
// whatever it is given, a decoder ends with a value or an error: it neither traps nor hangs nor takes memory
// without bound.

import Foundation

let fuzzTargets: [String: @Sendable ([UInt8]) -> Void] = [
  "http2": fuzzHTTP2, "grpc": fuzzMessages, "requests": fuzzRequests, "json": fuzzJSON,
  "peer": fuzzPeerFrames, "command": fuzzCommands, "log": fuzzLog, "snapshot": fuzzSnapshot,
  "yaml": fuzzYAML, "toml": fuzzTOML, "jsonfile": fuzzJSONFile, "glob": fuzzGlob,
  "reference": fuzzReference, "schema": fuzzSchema, "pattern": fuzzPattern,
  "incremental": fuzzIncremental, "stored": fuzzStored,
]

private let target: @Sendable ([UInt8]) -> Void = {
  let name = ProcessInfo.processInfo.environment["FUZZ_TARGET"] ?? ""
  guard let found = fuzzTargets[name] else {
    fatalError("FUZZ_TARGET is one of \(fuzzTargets.keys.sorted().joined(separator: ", "))")
  }
  return found
}()

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  target(Array(UnsafeBufferPointer(start: bytes, count: count)))
  return 0
}
