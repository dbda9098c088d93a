package import Cluster
import NIOCore
import NIOPosix

extension ClusterEnvironment {
  /// This machine, on which members and clients are heard on event loops: there the member loop is run after
  /// all that was read at once, so that a burst of calls is one turn, one write and one message.
  package static func eventLoops() -> ClusterEnvironment {
    var environment = machine()
    environment.runSoon = { work in
      if let loop = MultiThreadedEventLoopGroup.currentEventLoop {
        loop.execute(work)
      } else {
        work()
      }
    }
    return environment
  }
}
