import Foundation

/// Remotes to fetch from, on loopback: each serves the bare repository `repository.git` of a folder.
public enum GitServers {
  /// `git daemon`, without a word of who asks.
  public static func daemon(
    _ folder: String, scratch: String
  ) throws -> (url: String, port: Int, server: ServerProcess) {
    let port = try freePorts(1)[0]
    let server = try ServerProcess(
      "git",
      [
        "daemon", "--reuseaddr", "--export-all", "--base-path=\(folder)", "--listen=127.0.0.1",
        "--port=\(port)",
      ], port: port, log: scratch + "/daemon.log")
    return ("git://127.0.0.1:\(port)/repository.git", port, server)
  }

  /// nginx with TLS in front of `git http-backend`.
  public struct Secure {
    public var url: String
    /// The same repository behind a redirection of another host.
    public var redirectingURL: String
    /// The same for those alone who show a certificate.
    public var certifiedURL: String
    /// PEM: who has certified the server.
    public var authorities: String
    public var certificate: String
    public var certificateKey: String
    public var servers: [ServerProcess]
  }

  /// - Parameters:
  ///   - user: who may ask, with the password.
  public static func secure(
    _ folder: String, user: String, password: String, scratch: String
  ) throws -> Secure {
    let certificates = try makeCertificates(scratch)
    let hash = try execute("openssl", ["passwd", "-apr1", password]).output
      .trimmingCharacters(in: .whitespacesAndNewlines)
    try write("\(user):\(hash)\n", scratch + "/htpasswd")
    let socket = scratch + "/fcgi.sock"
    let gateway = try ServerProcess(
      "fcgiwrap", ["-s", "unix:" + socket, "-c", "4"],
      environment: [
        "GIT_PROJECT_ROOT": folder, "GIT_HTTP_EXPORT_ALL": "1", "GIT_CONFIG_GLOBAL": "/dev/null",
      ], socket: socket, log: scratch + "/fcgi.log")
    let ports = try freePorts(3)
    let configuration = configuration(
      folder, socket: socket, ports: ports, certificates, scratch: scratch)
    try write(configuration, scratch + "/nginx.conf")
    let nginx = try ServerProcess(
      "nginx", ["-c", scratch + "/nginx.conf", "-p", scratch, "-e", "stderr"], port: ports[0],
      log: scratch + "/nginx.log")
    func url(_ port: Int) -> String { "https://localhost:\(port)/repository.git" }
    return Secure(
      url: url(ports[0]), redirectingURL: "https://127.0.0.1:\(ports[1])/repository.git",
      certifiedURL: url(ports[2]), authorities: certificates.authorities,
      certificate: certificates.client, certificateKey: certificates.clientKey,
      servers: [gateway, nginx])
  }

  /// Of nginx: one port for who has a password, one that redirects, and one for who shows a certificate.
  private static func configuration(
    _ folder: String, socket: String, ports: [Int], _ certificates: Certificates, scratch: String
  ) -> String {
    let backend = """
      include /etc/nginx/fastcgi_params;
      fastcgi_pass unix:\(socket);
      fastcgi_param SCRIPT_FILENAME /usr/lib/git-core/git-http-backend;
      fastcgi_param GIT_PROJECT_ROOT \(folder);
      fastcgi_param GIT_HTTP_EXPORT_ALL 1;
      fastcgi_param PATH_INFO $uri;
      fastcgi_param GIT_PROTOCOL $http_git_protocol;
      """
    let tls =
      "ssl_certificate \(certificates.server); ssl_certificate_key \(certificates.serverKey);"
    return """
      daemon off; pid \(scratch)/nginx.pid; error_log stderr;
      \(getuid() == 0 ? "user root;" : "")
      events {}
      http {
        access_log off;
        client_body_temp_path \(scratch)/body; proxy_temp_path \(scratch)/proxy;
        fastcgi_temp_path \(scratch)/fastcgi; uwsgi_temp_path \(scratch)/uwsgi; scgi_temp_path \(scratch)/scgi;
        server {
          listen 127.0.0.1:\(ports[0]) ssl; \(tls)
          location / {
            auth_basic "configuration"; auth_basic_user_file \(scratch)/htpasswd;
            fastcgi_param REMOTE_USER $remote_user;
            \(backend)
          }
        }
        server {
          listen 127.0.0.1:\(ports[1]) ssl; \(tls)
          location / { return 302 https://localhost:\(ports[0])$request_uri; }
        }
        server {
          listen 127.0.0.1:\(ports[2]) ssl; \(tls)
          ssl_client_certificate \(certificates.authorities); ssl_verify_client on;
          location / { \(backend) }
        }
      }
      """
  }

  struct Certificates {
    var authorities: String
    var server: String
    var serverKey: String
    var client: String
    var clientKey: String
  }

  static func makeCertificates(_ scratch: String) throws -> Certificates {
    func path(_ name: String) -> String { scratch + "/" + name }
    let key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    try openssl(
      [
        "req", "-x509", "-subj", "/CN=test authority", "-days", "2", "-out", path("ca.pem"),
        "-keyout", path("ca.key"),
      ]
        + key)
    for (name, extensions) in [
      ("server", "subjectAltName=DNS:localhost,IP:127.0.0.1"),
      ("client", "extendedKeyUsage=clientAuth"),
    ] {
      try openssl(
        [
          "req", "-subj", "/CN=\(name)", "-out", path(name + ".csr"), "-keyout",
          path(name + ".key"),
        ] + key)
      try write(extensions + "\n", path(name + ".ext"))
      try openssl([
        "x509", "-req", "-in", path(name + ".csr"), "-CA", path("ca.pem"), "-CAkey", path("ca.key"),
        "-CAcreateserial", "-days", "2", "-out", path(name + ".pem"), "-extfile",
        path(name + ".ext"),
      ])
    }
    return Certificates(
      authorities: path("ca.pem"), server: path("server.pem"), serverKey: path("server.key"),
      client: path("client.pem"), clientKey: path("client.key"))
  }

  private static func openssl(_ arguments: [String]) throws {
    let (status, output) = try execute("openssl", arguments)
    guard status == 0 else { throw CommandError(arguments: arguments, output: output) }
  }

  /// sshd, for whoever has the key.
  public struct Shell {
    public var url: String
    /// A private key that is let in.
    public var key: String
    public var knownHosts: String
    public var server: ServerProcess
  }

  public static func shell(_ folder: String, scratch: String) throws -> Shell {
    let port = try freePorts(1)[0]
    for name in ["host", "client"] {
      let arguments = ["-q", "-t", "ed25519", "-N", "", "-f", scratch + "/" + name]
      let (status, output) = try execute("ssh-keygen", arguments)
      guard status == 0 else { throw CommandError(arguments: arguments, output: output) }
    }
    if getuid() == 0 {
      try FileManager.default.createDirectory(
        atPath: "/run/sshd", withIntermediateDirectories: true,
        attributes: [.posixPermissions: 0o755])
    }
    let configuration = """
      Port \(port)
      ListenAddress 127.0.0.1
      HostKey \(scratch)/host
      PidFile \(scratch)/sshd.pid
      AuthorizedKeysFile \(scratch)/client.pub
      StrictModes no
      UsePAM no
      PasswordAuthentication no
      PermitRootLogin prohibit-password

      """
    try write(configuration, scratch + "/sshd_config")
    let host = try String(contentsOfFile: scratch + "/host.pub", encoding: .utf8)
    try write("[127.0.0.1]:\(port) \(host)", scratch + "/known_hosts")
    let program = try execute("sh", ["-c", "PATH=$PATH:/usr/sbin command -v sshd"]).output
      .trimmingCharacters(in: .whitespacesAndNewlines)
    let server = try ServerProcess(
      program, ["-D", "-e", "-f", scratch + "/sshd_config"], port: port, log: scratch + "/sshd.log")
    return Shell(
      url: "ssh://\(NSUserName())@127.0.0.1:\(port)\(folder)/repository.git",
      key: scratch + "/client", knownHosts: scratch + "/known_hosts", server: server)
  }

  private static func write(_ text: String, _ path: String) throws {
    try Data(text.utf8).write(to: URL(fileURLWithPath: path))
  }

  /// Passes bytes on to a port, and does to them what `fault` says: `cut:N`, `stall:N` or `corrupt:N` after so many
  /// bytes of answers.
  public static func faultProxy(
    to target: Int, _ fault: String, scratch: String
  ) throws -> (port: Int, server: ServerProcess) {
    let port = try freePorts(1)[0]
    let program = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .appendingPathComponent("fault_proxy.py").path
    let server = try ServerProcess(
      "python3", [program, "\(port)", "\(target)", fault], port: port,
      log: scratch + "/proxy-\(port).log")
    return (port, server)
  }
}
