import NIOCore
import NIOHTTP1

/// Tells HTTP/2 from HTTP/1.1 by the connection's first bytes (RFC 9113, section 3.4), and puts the
/// right handlers in its place.
final class ProtocolChoice: ChannelInboundHandler, RemovableChannelHandler {
  typealias InboundIn = ByteBuffer
  private static let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)

  private let services: GRPCServices
  private let http: HTTPHandler?
  private let limits: GRPCLimits
  private let budget: RequestBudget
  private let executor: EventLoopExecutor?
  private var received = ByteBuffer()
  private var patience: Scheduled<Void>?

  init(
    services: GRPCServices, http: HTTPHandler?, limits: GRPCLimits, budget: RequestBudget,
    executor: EventLoopExecutor?
  ) {
    self.budget = budget
    self.services = services
    self.executor = executor
    self.http = http
    self.limits = limits
  }

  func handlerAdded(context: ChannelHandlerContext) {
    let channel = context.channel
    patience = context.eventLoop.scheduleTask(in: .seconds(limits.requestSeconds)) {
      channel.close(promise: nil)
    }
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    var bytes = unwrapInboundIn(data)
    received.writeBuffer(&bytes)
    let begin = received.readableBytesView.prefix(ProtocolChoice.preface.count)
    let isHTTP2 = begin.elementsEqual(ProtocolChoice.preface.prefix(begin.count))
    // A few bytes that both may begin with.
    if isHTTP2, begin.count < ProtocolChoice.preface.count { return }
    patience?.cancel()
    do {
      if isHTTP2 {
        try context.pipeline.syncOperations.addHandler(
          GRPCConnection(
            services: services, limits: limits, budget: budget, executor: executor))
      } else if let http {
        try context.pipeline.syncOperations.configureHTTPServerPipeline(
          withPipeliningAssistance: true, withErrorHandling: true)
        try context.pipeline.syncOperations.addHandler(
          HTTP1Connection(handler: http, limits: limits, budget: budget))
      } else {
        return context.close(promise: nil)
      }
    } catch {
      return context.close(promise: nil)
    }
    context.fireChannelRead(NIOAny(received))
    context.fireChannelReadComplete()
    context.pipeline.syncOperations.removeHandler(self, promise: nil)
  }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    // Nothing was asked yet.
    if event is DrainEvent { context.close(promise: nil) }
    context.fireUserInboundEventTriggered(event)
  }

  func channelInactive(context: ChannelHandlerContext) {
    patience?.cancel()
    context.fireChannelInactive()
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    context.close(promise: nil)
  }
}
