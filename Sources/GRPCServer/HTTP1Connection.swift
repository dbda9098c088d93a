import NIOCore
import NIOHTTP1

/// One HTTP/1.1 connection: a request at a time, answered by the handler. Lives on its event loop.
final class HTTP1Connection: ChannelInboundHandler {
  typealias InboundIn = HTTPServerRequestPart
  typealias OutboundOut = HTTPServerResponsePart

  private let handler: HTTPHandler
  private let limits: GRPCLimits
  /// What the body has that comes, or is being answered.
  private var share: RequestShare
  private var head: HTTPRequestHead?
  private var body: [UInt8] = []
  private var context: ChannelHandlerContext?
  private var task: Task<Void, Never>?
  /// Of the request that is being answered.
  private var answering: HTTPRequestHead?
  private var started = 0
  private var writers: [CheckedContinuation<Void, any Error>] = []
  /// Closes a connection on which no whole request arrives in time.
  private var patience: Scheduled<Void>?
  private var isGoingAway = false

  init(handler: @escaping HTTPHandler, limits: GRPCLimits, budget: RequestBudget) {
    share = RequestShare(of: budget, limits: limits)
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
      guard body.count + part.readableBytes <= limits.messageBytes else {
        return refuse(.payloadTooLarge)
      }
      share.add(part.readableBytes)
      if share.refusal(ofBytes: body.count + part.readableBytes) != nil {
        return refuse(.tooManyRequests)
      }
      body += part.readableBytesView
    case .end:
      guard let head else { return }
      self.head = nil
      patience?.cancel()
      start(head, body)
      body = []
    }
  }

  private func refuse(_ status: HTTPResponseStatus) {
    head = nil
    body = []
    share.giveBack()
    guard let context else { return }
    let headers: HTTPHeaders = ["content-length": "0", "connection": "close"]
    context.write(
      wrapOutboundOut(
        .head(HTTPResponseHead(version: .http1_1, status: status, headers: headers))),
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
    answering = head
    started += 1
    let number = started
    task = Task { [handler] in
      await handler(request, writer)
      loop.execute { bound.value.handlerReturned(number) }
    }
  }

  /// A handler that has ended without an end has failed in the middle.
  private func handlerReturned(_ number: Int) {
    if answering != nil, started == number { context?.close(promise: nil) }
  }

  private func write(
    _ part: HTTPResponseWriter.Part, _ continuation: CheckedContinuation<Void, any Error>
  ) {
    guard let context, let request = answering else {
      return continuation.resume(throwing: GRPCStatus(.cancelled, "the client has gone"))
    }
    switch part {
    case .head(let status, let headers):
      var head = HTTPResponseHead(version: request.version, status: status, headers: headers)
      if closes(after: request) { head.headers.replaceOrAdd(name: "connection", value: "close") }
      context.write(wrapOutboundOut(.head(head)), promise: nil)
    // The length was told, and that is all that HEAD asks for (RFC 9110, section 9.3.2).
    case .body where request.method == .HEAD: break
    case .body(let bytes):
      context.writeAndFlush(
        wrapOutboundOut(.body(.byteBuffer(ByteBuffer(bytes: bytes)))), promise: nil)
    case .end:
      // Before the end leaves: with it the next request may come in, and begin.
      task = nil
      answering = nil
      share.giveBack()
      expectRequest(within: limits.idleSeconds)
      let channel = context.channel
      let closes = closes(after: request)
      context.writeAndFlush(wrapOutboundOut(.end(nil))).whenComplete { _ in
        if closes { channel.close(promise: nil) }
      }
    }
    if context.channel.isWritable {
      continuation.resume()
    } else {
      writers.append(continuation)
    }
  }

  /// Also after what NIO's decoder takes for the end of HTTP on the connection.
  private func closes(after request: HTTPRequestHead) -> Bool {
    isGoingAway || !request.isKeepAlive || request.headers.contains(name: "upgrade")
      || request.method == .CONNECT
  }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    guard event is DrainEvent else { return context.fireUserInboundEventTriggered(event) }
    isGoingAway = true
    if answering == nil { context.close(promise: nil) }
  }

  func channelWritabilityChanged(context: ChannelHandlerContext) {
    guard context.channel.isWritable else { return }
    let waiting = writers
    writers = []
    for writer in waiting { writer.resume() }
  }

  func channelInactive(context: ChannelHandlerContext) {
    self.context = nil
    answering = nil
    share.giveBack()
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
