import CNGHTTP2
import NIOCore

/// One client connection: bytes in and out of an HTTP/2 session, and its calls.
///
/// Lives on its event loop. What a call answers comes back to the loop; everything that one turn
/// of the loop produces leaves in one write.
final class GRPCConnection: ChannelInboundHandler, HTTP2SessionDelegate {
  typealias InboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  private let services: GRPCServices
  private let limits: GRPCLimits
  private let executor: EventLoopExecutor?
  private var session: HTTP2Session?
  private var context: ChannelHandlerContext?
  private var streams: [Int32: GRPCStream] = [:]
  private var isFlushScheduled = false
  /// Unary calls that began with the bytes that are being read.
  private var begun: [Int32] = []
  /// What all streams hold of requests.
  private var share: RequestShare
  private var pings: PingPolicy
  private var keepAlive: RepeatedTask?
  private var heardAt = NIODeadline.now()
  private var isGoingAway = false

  /// - Parameter executor: of this connection's loop.
  init(
    services: GRPCServices, limits: GRPCLimits, budget: RequestBudget,
    executor: EventLoopExecutor? = nil
  ) {
    share = RequestShare(of: budget, limits: limits)
    self.services = services
    self.executor = executor
    self.limits = limits
    pings = PingPolicy(limits: limits)
  }

  // MARK: - Channel

  func handlerAdded(context: ChannelHandlerContext) {
    self.context = context
    do {
      session = try HTTP2Session(limits: limits, delegate: self)
    } catch {
      context.close(promise: nil)
    }
    let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
    let interval = TimeAmount.seconds(limits.keepAliveSeconds)
    keepAlive = context.eventLoop.scheduleRepeatedTask(initialDelay: interval, delay: interval) {
      _ in bound.value.checkLife()
    }
  }

  /// Asks a client of which nothing was heard whether it is still there.
  private func checkLife() {
    guard let context, NIODeadline.now() - heardAt >= .seconds(limits.keepAliveSeconds) else {
      return
    }
    session?.ping()
    flush()
    let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
    let askedAt = NIODeadline.now()
    context.eventLoop.scheduleTask(in: .seconds(limits.keepAliveTimeoutSeconds)) {
      if bound.value.heardAt < askedAt { bound.value.context?.close(promise: nil) }
    }
  }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    guard event is DrainEvent else { return context.fireUserInboundEventTriggered(event) }
    isGoingAway = true
    session?.goAway(NGHTTP2_NO_ERROR, "the server stops")
    // Those that would go on for ever; the others are about to be answered.
    for call in streams.values where call.isStreaming {
      finish(call, GRPCStatus(.unavailable, "etcdserver: server stopped"))
    }
    flush()
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    let buffer = unwrapInboundIn(data)
    heardAt = .now()
    do {
      try buffer.withUnsafeReadableBytes { try session?.receive($0) }
    } catch {
      // What the session has to say about it (GOAWAY) still leaves.
      flush()
      context.close(promise: nil)
    }
  }

  func channelReadComplete(context: ChannelHandlerContext) {
    // Most requests come whole, and need nobody who loses patience.
    for stream in begun { if let call = streams[stream], !call.hasEnded { setPatience(of: call) } }
    begun = []
    flush()
  }

  func channelWritabilityChanged(context: ChannelHandlerContext) { flush() }

  func channelInactive(context: ChannelHandlerContext) {
    let open = streams.values
    streams = [:]
    share.giveBack()
    for stream in open { stream.end(GRPCStatus(.cancelled, "the connection is closed")) }
    keepAlive?.cancel()
    self.context = nil
    session = nil
    context.fireChannelInactive()
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    context.close(promise: nil)
  }

  private func flush() {
    guard let context, let session, context.channel.isWritable else { return }
    var output = context.channel.allocator.buffer(capacity: 4096)
    do {
      while context.channel.isWritable, let bytes = try session.nextOutput() {
        output.writeBytes(bytes)
        if output.readableBytes > limits.streamBufferBytes {
          context.writeAndFlush(wrapOutboundOut(output), promise: nil)
          output = context.channel.allocator.buffer(capacity: 4096)
        }
      }
    } catch {
      return context.close(promise: nil)
    }
    if output.readableBytes > 0 { context.writeAndFlush(wrapOutboundOut(output), promise: nil) }
    if session.isDone { context.close(promise: nil) }
  }

  /// Once for all answers that arrive in this turn of the loop.
  private func scheduleFlush() {
    guard !isFlushScheduled, let context else { return }
    isFlushScheduled = true
    let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
    context.eventLoop.execute {
      bound.value.isFlushScheduled = false
      bound.value.flush()
    }
  }

  // MARK: - What the session tells

  func began(stream: Int32) {
    // What came behind the end of the connection, with the same bytes, begins nothing.
    guard context != nil else { return }
    streams[stream] = streams[stream] ?? GRPCStream(id: stream)
  }

  func received(
    name: UnsafeBufferPointer<UInt8>, value: UnsafeBufferPointer<UInt8>, stream: Int32
  ) {
    guard let call = streams[stream] else { return }
    if !call.take(name, value, limit: limits.headerBytes) {
      session?.reset(stream: stream, error: NGHTTP2_ENHANCE_YOUR_CALM)
    }
  }

  func receivedHeaders(stream: Int32) {
    guard let call = streams[stream], call.method == nil, call.status == nil else { return }
    guard call.metadata["content-type"]?.hasPrefix("application/grpc") == true else {
      call.status = .ok
      session?.respond(stream: stream, headers: GRPCFields.unsupportedMedia, withData: false)
      return
    }
    switch services.method(at: call.path) {
    case .failure(let status): finish(call, status)
    case .success(let method):
      call.method = method
      call.reader.encoding = call.metadata["grpc-encoding"] ?? "identity"
      setDeadline(of: call)
      switch method {
      case .streaming(let body): start(call, body)
      case .unary: begun.append(stream)
      }
    }
  }

  func received(data: UnsafeBufferPointer<UInt8>, stream: Int32) {
    guard let call = streams[stream], call.status == nil else { return }
    count(data.count, of: call)
    call.reader.append(data)
    if let refusal = share.refusal(ofBytes: call.requestBytes) { return finish(call, refusal) }
    do {
      while let (message, wireBytes) = try call.reader.take(limit: limits.messageBytes) {
        // What follows has a time of its own.
        if call.isStreaming { call.endPatience() }
        count(message.count - wireBytes, of: call)
        try take(message, call)
      }
    } catch {
      finish(call, error)
    }
    // A message of a streaming call that has begun must become whole, too.
    if call.isStreaming, !call.reader.isEmpty, call.patience == nil { setPatience(of: call) }
  }

  /// Whatever more comes of it is not read.
  private func dropRequest(of call: GRPCStream) { share.add(-call.dropRequest()) }

  private func count(_ bytes: Int, of call: GRPCStream) {
    call.requestBytes += bytes
    share.add(bytes)
  }

  private func take(_ message: [UInt8], _ call: GRPCStream) throws(GRPCStatus) {
    if let requests = call.requests {
      count(-message.count, of: call)
      if !requests.offer(message) {
        throw GRPCStatus(.resourceExhausted, "too many requests wait on the stream")
      }
    } else if call.unaryRequest == nil {
      call.unaryRequest = message
    } else {
      throw GRPCStatus(.internalError, "a unary call has one request")
    }
  }

  func ended(stream: Int32) {
    streams[stream]?.hasEnded = true
    guard let call = streams[stream], call.status == nil else { return }
    call.requests?.finish()
    call.endPatience()
    let cut = GRPCStatus(.internalError, "the request ends before its message does")
    guard call.reader.isEmpty else { return finish(call, cut) }
    guard case .unary(let body, let place) = call.method else { return }
    guard let request = call.unaryRequest else { return finish(call, cut) }
    let isLight = place == .onEventLoop && request.count <= limits.lightRequestBytes
    // What runs has it from now on.
    call.unaryRequest = nil
    start(call, request, body, on: isLight ? executor : nil)
  }

  /// A call is over once it is answered, whatever the client might still send (RFC 9113, section 8.1).
  func sentEnd(stream: Int32) {
    guard let call = streams[stream], !call.hasEnded else { return }
    session?.reset(stream: stream, error: NGHTTP2_NO_ERROR)
  }

  func closed(stream: Int32) {
    guard let call = streams.removeValue(forKey: stream) else { return }
    dropRequest(of: call)
    call.end(GRPCStatus(.cancelled, "the client has gone"))
  }

  func provide(
    stream: Int32, into target: UnsafeMutablePointer<UInt8>, capacity: Int
  ) -> HTTP2Provided {
    guard let call = streams[stream] else { return .wait }
    let count = call.take(into: target, capacity: capacity)
    if call.outputBytes < limits.streamBufferBytes { call.resumeWriters() }
    if call.outputBytes == 0, let status = call.status {
      return .last(count, trailers: GRPCFields.trailers(status))
    }
    if count == 0 {
      call.isDeferred = true
      return .wait
    }
    return .bytes(count)
  }

  // MARK: - Calls

  private func setDeadline(of call: GRPCStream) {
    guard let timeout = call.metadata["grpc-timeout"].flatMap(parseTimeout) else { return }
    let late = GRPCStatus(.deadlineExceeded, "context deadline exceeded")
    call.deadline = finish(call, late, in: TimeAmount(bounding: timeout))
  }

  private func setPatience(of call: GRPCStream) {
    guard call.status == nil else { return }
    let time = limits.unaryRequestSeconds
    let late = GRPCStatus(.deadlineExceeded, "the request was not whole after \(time) s")
    call.patience = finish(call, late, in: .seconds(time))
  }

  /// Ends the call after a while, unless that is cancelled.
  private func finish(
    _ call: GRPCStream, _ status: GRPCStatus, in time: TimeAmount
  ) -> Scheduled<Void>? {
    guard let context else { return nil }
    let (bound, id) = (NIOLoopBound(self, eventLoop: context.eventLoop), call.id)
    return context.eventLoop.scheduleTask(in: time) {
      guard let call = bound.value.streams[id] else { return }
      bound.value.finish(call, status)
      bound.value.flush()
    }
  }

  private func start(
    _ call: GRPCStream, _ request: [UInt8], _ body: @escaping GRPCMethod.Unary,
    on executor: EventLoopExecutor?
  ) {
    guard let loop = context?.eventLoop else { return }
    let bound = NIOLoopBound(self, eventLoop: loop)
    let id = call.id
    let head = GRPCCall(path: call.path, metadata: call.metadata)
    // Owned by the stream, which cancels it when the client goes or the deadline passes.
    call.task = Task(executorPreference: executor) {
      let result = await body(head, request)
      if loop.inEventLoop {
        bound.value.answer(id, result)
      } else {
        loop.execute { bound.value.answer(id, result) }
      }
    }
  }

  private func answer(_ stream: Int32, _ result: Result<[UInt8], GRPCStatus>) {
    guard let call = streams[stream], call.status == nil else { return }
    switch result {
    case .success(let message):
      send(GRPCMessageReader.frame(message), on: call)
      finish(call, .ok)
    case .failure(let status): finish(call, status)
    }
  }

  private func start(_ call: GRPCStream, _ body: @escaping GRPCMethod.Streaming) {
    guard let loop = context?.eventLoop else { return }
    let bound = NIOLoopBound(self, eventLoop: loop)
    let id = call.id
    let head = GRPCCall(path: call.path, metadata: call.metadata)
    let requests = RequestQueue(limits: limits)
    call.requests = requests
    let writer = GRPCResponseWriter { messages in
      let framed = GRPCMessageReader.frame(messages)
      try await withCheckedThrowingContinuation { continuation in
        loop.execute { bound.value.write(framed, stream: id, continuation) }
      }
    }
    call.task = Task {
      let status = await body(head, requests.stream, writer)
      loop.execute {
        guard let call = bound.value.streams[id] else { return }
        bound.value.finish(call, status)
      }
    }
  }

  private func write(
    _ bytes: [UInt8], stream: Int32, _ continuation: CheckedContinuation<Void, any Error>
  ) {
    guard let call = streams[stream], call.status == nil else {
      return continuation.resume(throwing: GRPCStatus(.cancelled, "the call has ended"))
    }
    send(bytes, on: call)
    if call.outputBytes < limits.streamBufferBytes {
      continuation.resume()
    } else {
      call.writers.append(continuation)
    }
  }

  func pinged() {
    guard !isGoingAway, pings.isTooMany(at: .now(), hasCalls: !streams.isEmpty) else { return }
    isGoingAway = true
    session?.goAway(NGHTTP2_ENHANCE_YOUR_CALM, "too_many_pings")
    flush()
    context?.close(promise: nil)
  }

  private func send(_ bytes: [UInt8], on call: GRPCStream) {
    pings.answered()
    call.append(bytes)
    if !call.hasSentHeaders {
      call.hasSentHeaders = true
      session?.respond(stream: call.id, headers: GRPCFields.head, withData: true)
    }
    wake(call)
  }

  private func finish(_ call: GRPCStream, _ status: GRPCStatus) {
    guard call.status == nil else { return }
    pings.answered()
    dropRequest(of: call)
    call.status = status
    call.end(status)
    if call.hasSentHeaders {
      wake(call)
    } else {
      call.hasSentHeaders = true
      session?.respond(
        stream: call.id, headers: GRPCFields.head(endingWith: status), withData: false)
      scheduleFlush()
    }
  }

  private func wake(_ call: GRPCStream) {
    if call.isDeferred {
      call.isDeferred = false
      session?.resume(stream: call.id)
    }
    scheduleFlush()
  }
}
