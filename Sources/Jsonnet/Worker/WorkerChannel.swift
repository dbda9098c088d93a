import Glibc

/// Messages between the compiler and an evaluator, over a socket.
///
/// A message is a byte that says its kind, the number of its fields, and for each its length and its bytes;
/// numbers are 32 bits, little end first.
struct WorkerMessage: Sendable {
  enum Kind: UInt8, Sendable {
    /// To the evaluator: name, source, and pairs of name and value.
    case evaluate = 1
    /// To the evaluator: path and bytes.
    case found = 2
    /// To the evaluator: why not.
    case missing = 3
    /// From the evaluator: JSON.
    case value = 4
    /// From the evaluator: the text of the error.
    case failure = 5
    /// From the evaluator: folder and path.
    case imports = 6
  }

  var kind: Kind
  var fields: [[UInt8]]

  static let maximumFields = 64
}

/// One end of the socket.
struct WorkerChannel {
  enum Failure: Error { case closed, late, malformed, tooLarge }

  let descriptor: Int32

  /// - Throws: `closed` if the other end is gone, `late` at the deadline, `tooLarge`.
  func send(_ message: WorkerMessage, by deadline: ContinuousClock.Instant?) throws {
    var bytes: [UInt8] = [message.kind.rawValue]
    WorkerChannel.append(message.fields.count, to: &bytes)
    for field in message.fields {
      guard field.count <= JsonnetLimits.frameBytes else { throw Failure.tooLarge }
      WorkerChannel.append(field.count, to: &bytes)
      bytes += field
    }
    var sent = 0
    while sent < bytes.count {
      try wait(for: Int16(POLLOUT), by: deadline)
      let count = bytes[sent...].withUnsafeBytes { buffer in
        Glibc.send(descriptor, buffer.baseAddress, buffer.count, Int32(MSG_NOSIGNAL))
      }
      if count < 0, errno == EINTR || errno == EAGAIN { continue }
      guard count > 0 else { throw Failure.closed }
      sent += count
    }
  }

  func receive(by deadline: ContinuousClock.Instant?) throws -> WorkerMessage {
    guard let kind = WorkerMessage.Kind(rawValue: try read(1, deadline)[0]) else {
      throw Failure.malformed
    }
    let count = try number(deadline)
    guard count <= WorkerMessage.maximumFields else { throw Failure.malformed }
    var message = WorkerMessage(kind: kind, fields: [])
    for _ in 0..<count {
      let length = try number(deadline)
      guard length <= JsonnetLimits.frameBytes else { throw Failure.tooLarge }
      message.fields.append(try read(length, deadline))
    }
    return message
  }

  private static func append(_ number: Int, to bytes: inout [UInt8]) {
    withUnsafeBytes(of: UInt32(number).littleEndian) { bytes += $0 }
  }

  private func number(_ deadline: ContinuousClock.Instant?) throws -> Int {
    try read(4, deadline).reversed().reduce(0) { $0 << 8 | Int($1) }
  }

  /// Takes what has come: nothing is set aside for a length that is only claimed.
  private func read(_ count: Int, _ deadline: ContinuousClock.Instant?) throws -> [UInt8] {
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: min(count, 1 << 16))
    while bytes.count < count {
      try wait(for: Int16(POLLIN), by: deadline)
      let wanted = min(buffer.count, count - bytes.count)
      let got = buffer.withUnsafeMutableBytes { recv(descriptor, $0.baseAddress, wanted, 0) }
      if got < 0, errno == EINTR || errno == EAGAIN { continue }
      guard got > 0 else { throw Failure.closed }
      bytes += buffer[..<got]
    }
    return bytes
  }

  private func wait(for event: Int16, by deadline: ContinuousClock.Instant?) throws {
    var item = pollfd(fd: descriptor, events: event, revents: 0)
    while true {
      var milliseconds: Int32 = -1
      if let deadline {
        let left = ContinuousClock.now.duration(to: deadline)
        guard left > .zero else { throw Failure.late }
        milliseconds = Int32(min(left / .milliseconds(1), 60_000)) + 1
      }
      let ready = poll(&item, 1, milliseconds)
      if ready > 0 { return }
      if ready < 0, errno != EINTR { throw Failure.closed }
    }
  }
}
