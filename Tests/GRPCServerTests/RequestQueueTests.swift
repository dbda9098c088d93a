import Testing

@testable import GRPCServer

struct RequestQueueTests {
  private func queue(count: Int = 3, bytes: Int = 100) -> RequestQueue {
    var limits = GRPCLimits()
    limits.waitingRequests = count
    limits.waitingRequestBytes = bytes
    return RequestQueue(limits: limits)
  }

  @Test func messagesComeInOrderAndThoseThatWaitAreReadAfterTheEnd() async {
    let queue = queue()
    #expect(queue.offer([1]) && queue.offer([2]))
    queue.finish()
    var read: [[UInt8]] = []
    for await message in queue.stream { read.append(message) }
    #expect(read == [[1], [2]])
    #expect(queue.offer([3]), "what comes after the end is dropped without a word")
  }

  @Test func bothLimitsHoldUntilSomethingIsRead() async {
    let few = queue(count: 2)
    #expect(few.offer([1]) && few.offer([2]) && !few.offer([3]))
    let small = queue(bytes: 10)
    let large = [UInt8](repeating: 0, count: 50)
    #expect(small.offer(large), "one alone may be as large as any")
    #expect(!small.offer([1]))
    var reader = small.stream.makeAsyncIterator()
    let read = await reader.next()
    #expect(read == large)
    #expect(small.offer([1]))
  }

  @Test func aReaderThatWaitsIsWokenByAMessageOrTheEnd() async {
    let queue = queue()
    async let first = RequestQueueTests.one(of: queue)
    #expect(queue.offer([7]))
    let message = await first
    async let none = RequestQueueTests.one(of: queue)
    queue.finish()
    let nothing = await none
    #expect(message == [7] && nothing == nil)
  }

  private static func one(of queue: RequestQueue) async -> [UInt8]? {
    var reader = queue.stream.makeAsyncIterator()
    return await reader.next()
  }
}
