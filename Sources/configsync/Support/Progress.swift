import Foundation

/// One line on standard error that tells how far long work is, where that is a terminal.
final class ProgressLine {
  private let isShown = isatty(STDERR_FILENO) == 1
  private let label: String
  private var total = 0
  private var done = 0
  private var lastShown = 0

  init(_ label: String) { self.label = label }

  func begin(_ total: Int) { self.total = total }

  func advance() {
    done += 1
    guard isShown, total > 1, done - lastShown >= max(1, total / 200) || done == total else {
      return
    }
    lastShown = done
    let line = "\r\(label) \(done)/\(total) (\(done * 100 / total) %)"
    writeToStandardError(line)
  }

  /// Clears the line, so that what is printed next stands alone.
  func clear() {
    guard isShown, lastShown > 0 else { return }
    writeToStandardError("\r\u{1b}[K")
  }
}
