import Foundation

/// The configuration that Git runs with, and nothing else: neither the system's nor the user's is read.
struct GitClientFile {
  private var sections: [(name: String, entries: [(key: String, value: String)])] = []
  /// What does not stand in the file, which might be left behind: variables of the environment that Git reads.
  private(set) var secrets: [String: String] = [:]

  /// What keeps a remote from doing anything but sending objects.
  init(for remote: GitRemote) {
    add("protocol", [("allow", "never")])
    add("protocol \"\(remote.protocolName)\"", [("allow", "always")])
    add("core", [("hooksPath", "/dev/null"), ("fsmonitor", "false")])
    add("credential", [("helper", "")])
    // A tree that names something twice, or reaches out of it, does not come in.
    add("fetch", [("fsckObjects", "true"), ("writeCommitGraph", "false")])
    add("gc", [("autoDetach", "false")])
    add(
      "http",
      [
        // Credentials go to the host that was named, and to no other.
        ("followRedirects", "false"), ("lowSpeedLimit", "1000"), ("lowSpeedTime", "30"),
        ("sslVerify", "true"), ("cookieFile", ""),
      ])
  }

  private mutating func add(_ name: String, _ entries: [(String, String)]) {
    sections.append((name, entries.map { (key: $0.0, value: $0.1) }))
  }

  /// - Throws: `GitError` if a file that the credentials name can't be read, or they would be sent unprotected.
  mutating func add(_ credentials: GitCredentials, for remote: GitRemote) throws(GitError) {
    switch remote.kind {
    case .https, .http: try addHTTP(credentials, remote)
    case .ssh: try addSSH(credentials)
    case .git: break
    }
  }

  private mutating func addHTTP(_ credentials: GitCredentials, _ remote: GitRemote) throws(GitError)
  {
    var entries: [(String, String)] = []
    if let file = credentials.passwordFile {
      guard remote.kind == .https else {
        throw .failed(
          operation: "fetch from \(remote.host)",
          reason: "a password would cross the network unprotected: use https")
      }
      let password = try SecretFile.read(file)
      let pair = Data("\(credentials.user):\(password)".utf8).base64EncodedString()
      secrets = [
        "GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "http.extraHeader",
        "GIT_CONFIG_VALUE_0": "Authorization: Basic \(pair)",
      ]
    }
    for (key, file) in [
      ("sslCAInfo", credentials.authoritiesFile), ("sslCert", credentials.certificateFile),
      ("sslKey", credentials.certificateKeyFile),
    ] {
      guard let file else { continue }
      entries.append((key, try GitClientFile.readable(file)))
    }
    add("http", entries)
  }

  private mutating func addSSH(_ credentials: GitCredentials) throws(GitError) {
    var words = [
      "ssh", "-F", "none", "-oBatchMode=yes", "-oStrictHostKeyChecking=yes", "-oConnectTimeout=15",
      "-oServerAliveInterval=15", "-oServerAliveCountMax=2", "-oForwardAgent=no",
      "-oPermitLocalCommand=no",
    ]
    if let file = credentials.sshKeyFile {
      words += ["-oIdentitiesOnly=yes", "-i", try GitClientFile.readable(file)]
    }
    if let file = credentials.knownHostsFile {
      words += [
        // ssh takes a percent sign for the beginning of a name of its own.
        "-oUserKnownHostsFile=\"\(try GitClientFile.readable(file).replacing("%", with: "%%"))\"",
        "-oGlobalKnownHostsFile=/dev/null",
      ]
    }
    // A shell reads it.
    let command = words.map { "'" + $0.replacing("'", with: "'\\''") + "'" }.joined(separator: " ")
    add("core", [("sshCommand", command)])
  }

  /// The path, absolute, of a file that can be read.
  private static func readable(_ path: String) throws(GitError) -> String {
    guard FileManager.default.isReadableFile(atPath: path) else {
      throw .failed(
        operation: "read '\(path)'", reason: "there is no such file, or it can't be read")
    }
    return URL(fileURLWithPath: path).standardizedFileURL.path
  }

  /// As git-config(1) reads it: a value in quotes, with `"` and `\` escaped.
  var text: String {
    sections.map { section in
      "[\(section.name)]\n"
        + section.entries.map { entry in
          let value = entry.value.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"")
          return "\t\(entry.key) = \"\(value)\"\n"
        }.joined()
    }.joined()
  }
}
