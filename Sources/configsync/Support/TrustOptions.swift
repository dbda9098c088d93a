import ArgumentParser
import GitSource

/// Who is trusted to sign commits: said here, and not in the repository that is judged.
struct TrustOptions: ParsableArguments {
  @Option(
    help: "A file of the SSH keys that may sign commits, as ssh-keygen(1) calls allowed signers.")
  var sshSigners = environment("SSH_SIGNERS", "")

  @Option(help: "A file of the OpenPGP keys that may sign commits, as 'gpg --export' writes it.")
  var openpgpSigners = environment("OPENPGP_SIGNERS", "")

  var signers: TrustedSigners {
    TrustedSigners(
      sshFile: sshSigners.isEmpty ? nil : sshSigners,
      openPGPFile: openpgpSigners.isEmpty ? nil : openpgpSigners)
  }
}
