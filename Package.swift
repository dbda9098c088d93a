// swift-tools-version: 6.2
import PackageDescription

/// What every hand-written Swift target is built with: one list, so that none is more lenient.
let strict: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
  .treatAllWarnings(as: .error),
]

/// A module and its tests, so that neither exists alone; `testing` is what only the tests need.
func module(
  _ name: String, _ dependencies: [Target.Dependency] = [], testing: [Target.Dependency] = []
) -> [Target] {
  [
    .target(name: name, dependencies: dependencies, swiftSettings: strict),
    .testTarget(
      name: name + "Tests",
      dependencies: dependencies + testing + [.target(name: name), "TestSupport"],
      exclude: ["Fixtures"], swiftSettings: strict),
  ]
}

func systemLibrary(_ name: String, pkgConfig: String, apt: String) -> Target {
  .systemLibrary(
    name: name, path: "Sources/C/\(name)", pkgConfig: pkgConfig, providers: [.apt([apt])])
}

let asyncHTTPClient = Target.Dependency.product(
  name: "AsyncHTTPClient", package: "async-http-client")
let nioSSL = Target.Dependency.product(name: "NIOSSL", package: "swift-nio-ssl")
let nioEmbedded = Target.Dependency.product(name: "NIOEmbedded", package: "swift-nio")
let argumentParser = Target.Dependency.product(
  name: "ArgumentParser", package: "swift-argument-parser")
let deque = Target.Dependency.product(name: "DequeModule", package: "swift-collections")
let heap = Target.Dependency.product(name: "HeapModule", package: "swift-collections")
let ordered = Target.Dependency.product(name: "OrderedCollections", package: "swift-collections")
let crypto = Target.Dependency.product(name: "Crypto", package: "swift-crypto")
let sqlite = Target.Dependency.product(name: "GRDBSQLite", package: "GRDB.swift")
let grdb = Target.Dependency.product(name: "GRDB", package: "GRDB.swift")
let jwt = Target.Dependency.product(name: "JWTKit", package: "jwt-kit")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let lifecycle = Target.Dependency.product(
  name: "ServiceLifecycle", package: "swift-service-lifecycle")
let signals = Target.Dependency.product(
  name: "UnixSignals", package: "swift-service-lifecycle")
let nioCore = Target.Dependency.product(name: "NIOCore", package: "swift-nio")
let nioHTTP1 = Target.Dependency.product(name: "NIOHTTP1", package: "swift-nio")
let nioPosix = Target.Dependency.product(name: "NIOPosix", package: "swift-nio")
let subprocess = Target.Dependency.product(name: "Subprocess", package: "swift-subprocess")
let systemPackage = Target.Dependency.product(name: "SystemPackage", package: "swift-system")
let protobuf = Target.Dependency.product(name: "SwiftProtobuf", package: "swift-protobuf")
let grpcCore = Target.Dependency.product(name: "GRPCCore", package: "grpc-swift-2")
let grpcProtobuf = Target.Dependency.product(name: "GRPCProtobuf", package: "grpc-swift-protobuf")
let grpcTransport = Target.Dependency.product(
  name: "GRPCNIOTransportHTTP2", package: "grpc-swift-nio-transport")

var targets: [Target] = [
  systemLibrary("CNGHTTP2", pkgConfig: "libnghttp2", apt: "libnghttp2-dev"),
  systemLibrary("CZlib", pkgConfig: "zlib", apt: "zlib1g-dev"),
  systemLibrary("CLibGit2", pkgConfig: "libgit2", apt: "libgit2-dev"),
  systemLibrary("CCrypt", pkgConfig: "libxcrypt", apt: "libcrypt-dev"),
  systemLibrary("CYAML", pkgConfig: "yaml-0.1", apt: "libyaml-dev"),
  .systemLibrary(
    name: "CJsonnet", path: "Sources/C/CJsonnet", providers: [.apt(["libjsonnet-dev"])]),
  .target(name: "CTOML", path: "Sources/C/CTOML"),
  .target(name: "CChecksum", path: "Sources/C/CChecksum"),
  .target(name: "CBuildID", path: "Sources/C/CBuildID"),
  .target(
    name: "TestSupport",
    exclude: [
      "Remotes/fault_proxy.py", "Remotes/forge.py", "Remotes/server_process.py",
    ],
    swiftSettings: strict),
  .target(
    name: "EtcdProtos", dependencies: [protobuf, grpcCore, grpcProtobuf],
    swiftSettings: [.swiftLanguageMode(.v6)]),
]

// Layer 0: pure.
targets += module("BinaryCoding", ["CChecksum"])
targets += module("Raft", [deque])
targets += module("ConfigModel")
targets += module("JSONSchema", ["ConfigModel"], testing: ["Compiler"])
targets += module("Jsonnet", ["CJsonnet"])
targets += module(
  "Compiler", ["BinaryCoding", "ConfigModel", "JSONSchema", "Jsonnet", "CYAML", "CTOML"])

// Layer 1: storage.
targets += module("RaftLog", ["BinaryCoding", "Raft"])
targets += module("Store", ["BinaryCoding", deque, grdb, sqlite])
targets += module(
  "CacheStorage", ["BinaryCoding", "CBuildID", "Compiler", grdb],
  testing: ["ConfigModel", "Jsonnet"])

// Layer 2: shell.
targets += module("Cluster", ["BinaryCoding", "Raft", "RaftLog", "Store", heap, logging])
targets += module("Reconciler", ["Compiler", "ConfigModel"], testing: [ordered])

// Layer 3: edge.
targets += module("GRPCServer", ["CNGHTTP2", "CZlib", nioCore, nioHTTP1, nioPosix])
targets += module(
  "EtcdAPI", ["CCrypt", "Cluster", "Store", "EtcdProtos", "GRPCServer", crypto, jwt, protobuf])
targets += module("Gateway", ["EtcdAPI", "EtcdProtos", "GRPCServer", nioHTTP1, protobuf])
targets += module(
  "PeerTransport", ["BinaryCoding", "Cluster", "Raft", logging, nioCore, nioPosix],
  testing: [nioEmbedded])
targets += module(
  "ConfigSyncClient", ["EtcdProtos", protobuf, grpcCore, grpcProtobuf, grpcTransport, nioCore])
targets += module(
  "GitSource",
  [
    "ConfigModel", "CLibGit2", asyncHTTPClient, crypto, nioCore, nioHTTP1, nioSSL, subprocess,
    systemPackage,
  ])

// Layer 4: assemble.
targets += module(
  "Server",
  [
    "Cluster", "Compiler", "ConfigModel", "ConfigSyncClient", "EtcdAPI", "GRPCServer", "Gateway",
    "GitSource", "PeerTransport", "Raft", "RaftLog", "Reconciler", "Store",
    crypto, lifecycle, logging, nioHTTP1,
  ], testing: ["EtcdProtos", protobuf, grpcCore, grpcProtobuf, grpcTransport, grdb])

targets += module(
  "Simulator",
  [
    "BinaryCoding", "Cluster", "ConfigModel", "Raft", "RaftLog", "Reconciler", "Store", logging,
  ])

// Layer 5: run.
targets += [
  .executableTarget(
    name: "simulate", dependencies: ["Simulator", argumentParser], swiftSettings: strict),
  .executableTarget(
    name: "configsync",
    dependencies: [
      "CacheStorage", "Compiler", "ConfigModel", "ConfigSyncClient", "GitSource", "Jsonnet",
      "Reconciler", "Server",
      argumentParser, lifecycle, logging, signals,
    ],
    swiftSettings: strict),
  .executableTarget(
    name: "compile-bench",
    dependencies: ["CacheStorage", "Compiler", "ConfigModel", "GitSource"],
    path: "Benchmarks/CompileBench", swiftSettings: strict),
  .testTarget(
    name: "CLITests", dependencies: ["configsync", "ConfigSyncClient", "TestSupport"],
    swiftSettings: strict),
  .testTarget(name: "TidyTests", dependencies: ["TestSupport"], swiftSettings: strict),
]

let fuzzed: [Target.Dependency] = [
  "BinaryCoding", "CNGHTTP2", "Compiler", "ConfigModel", "EtcdAPI", "EtcdProtos", "GRPCServer",
  "Gateway", "JSONSchema", "PeerTransport", "Raft", "RaftLog", "Store", protobuf, nioCore,
  nioEmbedded,
]
// With `make fuzz` a program, since libFuzzer has a main of its own; else tests that give each a few inputs.
targets.append(
  Context.environment["FUZZ"] != nil
    ? .executableTarget(
      name: "fuzz", dependencies: fuzzed, path: "Fuzzing", exclude: ["FuzzingTests.swift"],
      swiftSettings: strict + [.unsafeFlags(["-parse-as-library"])])
    : .testTarget(
      name: "FuzzingTests", dependencies: fuzzed + ["TestSupport"], path: "Fuzzing",
      swiftSettings: strict))

// A fast inner loop: `ONLY=Raft swift test` builds that module, its tests, and what they need.
if let only = Context.environment["ONLY"] {
  var wanted: Set<String> = [only, only + "Tests"]
  for target in targets.reversed() where wanted.contains(target.name) {
    for dependency in target.dependencies {
      switch dependency {
      case .byNameItem(let name, _), .targetItem(let name, _): wanted.insert(name)
      default: break
      }
    }
  }
  targets.removeAll { !wanted.contains($0.name) }
}

let package = Package(
  name: "configsync",
  platforms: [.macOS(.v15)],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
    .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
    .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
    .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
    .package(url: "https://github.com/apple/swift-protobuf", from: "1.39.0"),
    .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
    .package(url: "https://github.com/grpc/grpc-swift-2", from: "2.4.3"),
    .package(url: "https://github.com/grpc/grpc-swift-nio-transport", from: "2.9.2"),
    .package(url: "https://github.com/grpc/grpc-swift-protobuf", from: "2.4.1"),
    .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
    .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    .package(url: "https://github.com/apple/swift-system", from: "1.8.1"),
    .package(url: "https://github.com/swiftlang/swift-subprocess", from: "1.0.2"),
    .package(url: "https://github.com/vapor/jwt-kit", from: "5.7.1"),
  ],
  targets: targets,
  cxxLanguageStandard: .cxx17
)
