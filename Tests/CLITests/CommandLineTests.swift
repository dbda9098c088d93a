import Foundation
import TestSupport
import Testing

/// Runs the binary as a user does: what it prints, and how it ends.
struct CommandLineTests {
  private func run(_ arguments: String...) throws -> (status: Int32, output: String) {
    try execute(configsyncProgram, arguments, environment: ["NO_COLOR": "1"])
  }

  @Test func aValidRepositoryIsToldSo() throws {
    let git = try GitFixture()
    try git.commit(["a.yaml": "x: 1\ny: [2, 3]\n"], "first")
    let valid = try run("validate", "--repo", git.path)
    #expect(valid.status == 0)
    #expect(valid.output == "valid: 1 files, 2 keys\n")
    #expect(try run("build", "--repo", git.path).output == "/a/x = 1\n/a/y = [2,3]\n")
    let json = try run("build", "--repo", git.path, "-o", "json").output
    #expect(json == "{\"keys\":{\"/a/x\":\"1\",\"/a/y\":\"[2,3]\"}}\n")
    try git.write(["a.yaml": "\"\u{e9}\": 1\n\"e\u{301}\": 2\n"])
    let alike = try run("build", "--repo", git.path, "-o", "json").output
    #expect(
      Array(alike.utf8) == Array("{\"keys\":{\"/a/e\u{301}\":\"2\",\"/a/\u{e9}\":\"1\"}}\n".utf8))
  }

  @Test func everyFindingIsShownWithItsLine() throws {
    let git = try GitFixture()
    try git.write(["a.yaml": "x: 1\nx: 2\n", "b.json": "{\"k\": }\n"])
    let found = try run("validate", "--repo", git.path)
    #expect(found.status == 1)
    #expect(
      found.output == """
        a.yaml:2:1: error: the key 'x' stands twice in one map [key.duplicate]
            2 | x: 2
              | ^ remove one of them
          a.yaml:1:1: first here
            1 | x: 1
              | ^
        b.json:1:7: error: a value is expected [json.syntax]
            1 | {"k": }
              |       ^
        invalid: 2 errors

        """)
    let json = try run("validate", "--repo", git.path, "-o", "json")
    #expect(json.status == 1)
    #expect(json.output.contains("\"code\" : \"key.duplicate\""))
    #expect(json.output.contains("\"ok\" : false"))
  }

  /// The second run reads what the first has kept; what lies in the repository is nothing of it.
  @Test func aCacheChangesNothingOfWhatIsSaid() throws {
    let git = try GitFixture()
    let rule = "apiVersion: configsync/v1\nfiles: [{match: '**/*.sqlite', encode: raw}]\n"
    try git.commit(["configsync.yaml": rule, "a.yaml": "x: 1\ny: ${./x}\n"], "first")
    for directory in [git.path, git.path + "/kept"] {
      for _ in 0..<2 {
        let found = try run(
          "validate", "--repo", git.path, "--rev", "HEAD", "--cache-dir", directory)
        #expect(found.status == 0 && found.output == "valid: 1 files, 2 keys\n")
      }
      #expect(FileManager.default.fileExists(atPath: directory + "/configsync-cache/CACHEDIR.TAG"))
    }
    #expect(try git.run("status", "--porcelain") == "")
    let built = try run("build", "--repo", git.path, "--cache-dir", git.path)
    #expect(built.output == "/a/x = 1\n/a/y = 1\n")
    let refused = try run(
      "validate", "--repo", git.path, "--rev", "HEAD", "--cache-dir", "/dev/null")
    #expect(refused.status == 2 && refused.output.contains("the cache can't be kept in /dev/null"))
  }

  @Test func whatCantBeFoundOutEndsWithTwo() throws {
    let folder = try TemporaryFolder()
    let none = try run("validate", "--repo", folder.path)
    #expect(none.status == 2 && none.output.contains("is not a Git repository"))
    let git = try GitFixture()
    let unborn = try run("validate", "--repo", git.path, "--rev", "HEAD")
    #expect(unborn.status == 2 && unborn.output.contains("has no commit yet"))
    #expect(try run("validate", "--nonsense").status == 2)
    let away = try run("get", "/a", "--endpoints", "http://127.0.0.1:1")
    #expect(away.status == 2 && away.output.contains("can't be reached"))
    #expect(try run("help", "apply").status == 0)
  }

  /// By a shell, which gives the program its streams and environment.
  private func shell(_ command: String) throws -> (status: Int32, output: String) {
    try execute("sh", ["-c", command], environment: ["PROGRAM": configsyncProgram])
  }

  @Test func whatCantBeWrittenIsNoCrashAndNoAnswer() throws {
    let git = try GitFixture()
    try git.commit(["a.yaml": "x: 1\n"], "first")
    #expect(try shell("$PROGRAM validate --repo /nope 2>/dev/full").status == 2)
    #expect(try shell("$PROGRAM validate --repo /nope 2>&-").status == 2)
    for command in ["build -o json", "validate -o sarif"] {
      let lost = try shell("$PROGRAM \(command) --repo \(git.path) >/dev/full")
      #expect(lost.status == 2 && lost.output.contains("No space left on device"), "\(command)")
    }
    #expect(try shell("$PROGRAM build --repo \(git.path)").status == 0)
    try git.commit(["a.yaml": "x: [\n"], "second")
    for format in ["human", "json", "sarif"] {
      let command = "$PROGRAM validate -o \(format) --repo \(git.path)"
      #expect(try shell(command + " >/dev/full").status == 2 && shell(command).status == 1)
    }
  }

  @Test(arguments: [
    "QUOTA_BACKEND_BYTES=8GiB", "ELECTION_TIMEOUT=5s", "MAX_TXN_OPS=10k", "LOG_FORMAT=xml",
  ])
  func anEnvironmentThatCantBeMeantIsRefused(setting: String) throws {
    let folder = try TemporaryFolder()
    let refused = try shell("CONFIGSYNC_\(setting) $PROGRAM server --data-dir \(folder.path)")
    #expect(refused.status == 2 && refused.output.contains("CONFIGSYNC_\(setting.prefix(5))"))
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).isEmpty)
  }

  @Test func noSecretIsPrintedBack() throws {
    let git = try GitFixture()
    let folder = try TemporaryFolder()
    let file = folder.path + "/daemon.yaml"
    let begin = "apiVersion: configsync/v1\nsources: [{name: a, url: "
    for (index, text) in [
      begin + "'https://h/x.git', credentials: {password: s3cr3t}}]\n",
      begin + "'https://user:s3cr3t@h/x.git'}]\n", "s3cr3t\n",
      begin + "/x}]\nstatuses: [{kind: github, token: s3cr3t}]\n",
    ].enumerated() {
      try text.write(toFile: file, atomically: true, encoding: .utf8)
      let refused = try run("run", "--config", file)
      #expect(refused.status == 2 && !refused.output.contains("s3cr3t"), "\(index)")
    }
    for arguments in [
      ["validate", "--repo", "https://user:s3cr3t@h/x.git"],
      ["rollback", "HEAD", "--repo", "https://user:s3cr3t@h/x.git"],
      ["apply", "--repo", "user:s3cr3t@h:x.git"], ["apply", "--repo", "file://u:s3cr3t@h/x"],
      ["get", "/a", "--endpoints", "http://user:s3cr3t@127.0.0.1:1"],
    ] {
      let refused = try execute(configsyncProgram, arguments, environment: ["HOME": git.path])
      #expect(refused.status == 2 && !refused.output.contains("s3cr3t"), "\(arguments)")
    }
  }

  @Test func hostileFilesGetAnErrorAndNoHarm() throws {
    let git = try GitFixture()
    let bomb =
      "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
      + (1..<12).map { n in
        "a\(n): &a\(n) [\(Array(repeating: "*a\(n - 1)", count: 10).joined(separator: ", "))]\n"
      }.joined()
    try git.write([
      "bomb.yaml": bomb, "nul.yaml": "\"a\\0b\": 1\n",
      "escape.yaml": "a: \u{1b}[31mred\n",
      "deep.toml": "a = " + String(repeating: "[", count: 100_000) + "\n",
    ])
    let url = URL(fileURLWithPath: git.path)
    try Data([0x80, 0x03, 0xff, 0x00]).write(to: url.appendingPathComponent("binary.yaml"))
    let large = FileManager.default.createFile(
      atPath: git.path + "/large.yaml", contents: Data(count: 50 << 20))
    #expect(large)
    let found = try run("validate", "--repo", git.path)
    #expect(found.status == 1)
    for code in [
      "limit.aliases", "text.nul", "text.encoding", "limit.file-bytes", "yaml.syntax",
      "limit.depth",
    ] {
      #expect(found.output.contains("[\(code)]"), "\(code) in \(found.output.prefix(2000))")
    }
    #expect(!found.output.contains("\u{1b}"), "no escape reaches the terminal")
  }

  @Test func initMakesARepositoryThatIsValid() throws {
    let folder = try TemporaryFolder()
    let made = try run("init", folder.path + "/config")
    #expect(made.status == 0)
    let valid = try run("validate", "--repo", folder.path + "/config")
    #expect(valid.status == 0)
    #expect(valid.output == "valid: 4 files, 7 keys\n")
    let explained = try run(
      "build", "--repo", folder.path + "/config", "--explain", "/staging/api/log/level")
    #expect(
      explained.output == """
        /staging/api/log/level = debug
          config/staging/api.yaml:2:3  debug    wins
          config/base/api.yaml:4:3     warning  overridden

        """)
    #expect(
      try run("build", "--repo", folder.path + "/config", "--explain", "/no").status == 1)
  }
}
