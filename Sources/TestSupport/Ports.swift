public import Foundation
import Synchronization

/// Ports of loopback that nobody listens on, each handed out once by this process.
///
/// They lie below the range that Linux takes the ports of outgoing connections from (32768 and up by
/// default): otherwise a connection of a test beside this one takes the port before its server does.
public func freePorts(_ count: Int) throws -> [Int] {
  try (0..<count).map { _ in
    for _ in portRange {
      let port = nextPort.withLock { next in
        defer { next = next + 1 < portRange.upperBound ? next + 1 : portRange.lowerBound }
        return next
      }
      if isFree(port) { return port }
    }
    throw CommandError(arguments: ["bind"], output: "no free port")
  }
}

private let portRange = 10_000..<32_768

/// Processes begin at different places.
private let nextPort = Mutex(portRange.lowerBound + Int(getpid()) * 97 % portRange.count)

private func isFree(_ port: Int) -> Bool {
  let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
  defer { close(descriptor) }
  return withLoopbackAddress(port: port) { bind(descriptor, $0, $1) } == 0
}

/// A port of loopback as the socket calls want it.
public func withLoopbackAddress<Value>(
  port: Int, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Value
) -> Value {
  var address = sockaddr_in()
  address.sin_family = sa_family_t(AF_INET)
  address.sin_port = UInt16(port).bigEndian
  address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
  return withUnsafePointer(to: address) { pointer in
    pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
      body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
    }
  }
}
