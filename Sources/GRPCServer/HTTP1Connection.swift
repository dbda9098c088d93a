import NIOCore
import NIOHTTP1

/// One HTTP/1.1 connection: a request at a time, answered by the handler. Lives on its event loop.
final class HTTP1Connection: ChannelInboundHandler {
  typealias InboundIn = HTTPServerRequestPart
  typealias OutboundOut = HTTPServerResponsePart

  private let handler: HTTPHandler
  private let limits: GRPCLimits
  private var head: HTTPRequestHead?
  private var body: [UInt8] = []
  private var context: ChannelHandlerContext?
  private var task: Task<Void, Never>?
  private var writers: [CheckedContinuation<Void, any Error>] = []
  /// Closes a connection on which no whole request arrives in time.
  private var patience: Scheduled<Void>?

  init(handler: @escaping HTTPHandler, limits: GRPCLimits) {
    self.handler = handler
    self.limits = limits
  }

  func handlerAdded(context: ChannelHandlerContext) {
    self.context = context
    expectRequest(within: limits.requestSeconds)
  }

  private func expectRequest(within seconds: Int64) {
    guard let context else { return }
    let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
    patience?.cancel()
    patience = context.eventLoop.scheduleTask(in: .seconds(seconds)) {
      bound.value.context?.close(promise: nil)
    }
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    switch unwrapInboundIn(data) {
    case .head(let head):
      self.head = head
      body = []
      expectRequest(within: limits.requestSeconds)
    case .body(let part):
      guard head != nil else { return }
      guard body.count + part.readableBytes <= limits.messageBytes else { return refuse() }
      body += part.readableBytesView
    case .end:
      guard let head else { return }
      self.head = nil
      patience?.cancel()
      start(head, body)
      body = []
    }
  }

  private func refuse() {
    head = nil
    guard let context else { return }
    let headers: HTTPHeaders = ["content-length": "0", "connection": "close"]
    context.write(
      wrapOutboundOut(
        .head(HTTPResponseHead(version: .http1_1, status: .payloadTooLarge, headers: headers))),
      promise: nil)
    let channel = context.channel
    context.writeAndFlush(wrapOutboundOut(.end(nil))).whenComplete { _ in
      channel.close(promise: nil)
    }
  }

  private func start(_ head: HTTPRequestHead, _ body: [UInt8]) {
    guard let loop = context?.eventLoop else { return }
    let bound = NIOLoopBound(self, eventLoop: loop)
    let parts = head.uri.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
    let request = HTTPRequest(
      method: head.method, path: String(parts.first ?? ""),
      query: parts.count > 1 ? String(parts[1]) : "", headers: head.headers, body: body)
    let writer = HTTPResponseWriter { part, continuation in
      loop.execute { bound.value.write(part, continuation) }
    }
    task = Task { [handler] in await handler(request, writer) }
  }

  private func write(
    _ part: HTTPResponseWriter.Part, _ continuation: CheckedContinuation<Void, any Error>
  ) {
    guard let context else {
      return continuation.resume(throwing: GRPCStatus(.cancelled, "the client has gone"))
    }
    switch part {
    case .head(let status, let headers):
      let head = HTTPResponseHead(version: .http1_1, status: status, headers: headers)
      context.write(wrapOutboundOut(.head(head)), promise: nil)
    case .body(let bytes):
      context.writeAndFlush(
        wrapOutboundOut(.body(.byteBuffer(ByteBuffer(bytes: bytes)))), promise: nil)
    case .end:
      context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
      task = nil
      expectRequest(within: limits.idleSeconds)
    }
    if context.channel.isWritable {
      continuation.resume()
    } else {
      writers.append(continuation)
    }
  }

  func channelWritabilityChanged(context: ChannelHandlerContext) {
    guard context.channel.isWritable else { return }
    let waiting = writers
    writers = []
    for writer in waiting { writer.resume() }
  }

  func channelInactive(context: ChannelHandlerContext) {
    self.context = nil
    patience?.cancel()
    task?.cancel()
    let waiting = writers
    writers = []
    for writer in waiting {
      writer.resume(throwing: GRPCStatus(.cancelled, "the client has gone"))
    }
    context.fireChannelInactive()
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    context.close(promise: nil)
  }
}
