import Foundation

/// Prints a line to standard error.
func printError(_ line: String) { writeToStandardError(line + "\n") }

/// Writes a text to standard error, in one write where the system allows that.
///
/// Where it can't be written (the reader is gone, the disk is full) it is lost, and nothing else: a member does not
/// end for want of a log.
func writeToStandardError(_ text: String) {
  var rest = Array(text.utf8)[...]
  while !rest.isEmpty {
    let count = rest.withUnsafeBytes { write(STDERR_FILENO, $0.baseAddress, $0.count) }
    if count < 0, errno == EINTR { continue }
    guard count > 0 else { return }
    rest = rest.dropFirst(count)
  }
}

/// Ends a program that has printed its answer, if it could not be written: what a script has kept is no answer.
func checkStandardOutput() throws {
  guard fflush(nil) != 0 else { return }
  let code = errno
  // Whoever reads no further, as `head` does, wants to hear nothing of it.
  throw CommandFailure(
    .unknown, code == EPIPE ? "" : "can't write the output: \(String(cString: strerror(code)))")
}
