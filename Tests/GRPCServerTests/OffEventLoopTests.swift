import NIOCore
import NIOPosix
import Testing

@testable import GRPCServer

/// Where a call runs whose method runs on the event loop.
struct OffEventLoopTests {
  @Test func whatTakesLongIsDoneElsewhereAndThenTheCallGoesOnWhereItWas() async throws {
    let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    let loop = group.next()
    let executor = EventLoopExecutor(loop)
    let places = await Task(executorPreference: executor) {
      let before = loop.inEventLoop
      // One that waits for nothing, as a read of the store does.
      let during = await offEventLoop { loop.inEventLoop }
      let throwing = try? await offEventLoop { () throws -> Bool in
        try Task.checkCancellation()
        return loop.inEventLoop
      }
      return [before, during, throwing ?? true, loop.inEventLoop]
    }.value
    #expect(places == [true, false, false, true])
    executor.close()
    try await group.shutdownGracefully()
  }
}
