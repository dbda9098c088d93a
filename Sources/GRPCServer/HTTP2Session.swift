import CNGHTTP2

/// What an HTTP/2 session tells its connection.
protocol HTTP2SessionDelegate: AnyObject {
  func began(stream: Int32)
  func received(name: UnsafeBufferPointer<UInt8>, value: UnsafeBufferPointer<UInt8>, stream: Int32)
  func receivedHeaders(stream: Int32)
  func received(data: UnsafeBufferPointer<UInt8>, stream: Int32)
  func ended(stream: Int32)
  /// The last frame of the server's side has left.
  func sentEnd(stream: Int32)
  /// The client asks whether the connection is alive.
  func pinged()
  func closed(stream: Int32)
  /// Fills `target`; `.wait` puts the stream to sleep until `resume`.
  func provide(
    stream: Int32, into target: UnsafeMutablePointer<UInt8>, capacity: Int
  ) -> HTTP2Provided
}

enum HTTP2Provided {
  case bytes(Int)
  /// The last bytes; trailers follow.
  case last(Int, trailers: HTTP2Fields)
  case wait
}

struct HTTP2Error: Error {
  var code: Int32
  var description: String { String(cString: nghttp2_strerror(code)) }
}

/// Header fields that are the same in many responses, laid out for nghttp2 once.
final class HTTP2Fields: Sendable {
  // Written in `init` alone.
  nonisolated(unsafe) private let bytes: UnsafeMutablePointer<UInt8>
  nonisolated(unsafe) fileprivate let fields: UnsafeMutableBufferPointer<nghttp2_nv>

  init(_ headers: [(String, String)]) {
    let size = headers.reduce(0) { $0 + $1.0.utf8.count + $1.1.utf8.count }
    bytes = .allocate(capacity: max(1, size))
    fields = .allocate(capacity: headers.count)
    var at = bytes
    func place(_ text: String) -> (UnsafeMutablePointer<UInt8>, Int) {
      let start = at
      for byte in text.utf8 {
        at.initialize(to: byte)
        at += 1
      }
      return (start, text.utf8.count)
    }
    for (index, (name, value)) in headers.enumerated() {
      var field = nghttp2_nv()
      (field.name, field.namelen) = place(name)
      (field.value, field.valuelen) = place(value)
      fields.initializeElement(at: index, to: field)
    }
  }

  deinit {
    fields.deallocate()
    bytes.deallocate()
  }
}

/// A server's side of one HTTP/2 connection, on nghttp2 (RFC 9113); not thread-safe.
final class HTTP2Session {
  /// Settings acknowledgements and stream resets that a client may cause before it is cut off.
  private static let outboundAcknowledgements = 10_000
  private static let resetBurst: UInt64 = 2_000
  private static let resetsPerSecond: UInt64 = 500

  private var session: OpaquePointer?
  /// Outlives the session: the connection owns both.
  private unowned let delegate: any HTTP2SessionDelegate

  init(limits: GRPCLimits, delegate: some HTTP2SessionDelegate) throws {
    self.delegate = delegate
    var callbacks: OpaquePointer?
    var option: OpaquePointer?
    guard nghttp2_session_callbacks_new(&callbacks) == 0, nghttp2_option_new(&option) == 0 else {
      throw HTTP2Error(code: NGHTTP2_ERR_NOMEM.rawValue)
    }
    defer {
      nghttp2_session_callbacks_del(callbacks)
      nghttp2_option_del(option)
    }
    nghttp2_option_set_max_outbound_ack(option, HTTP2Session.outboundAcknowledgements)
    nghttp2_option_set_stream_reset_rate_limit(
      option, HTTP2Session.resetBurst, HTTP2Session.resetsPerSecond)
    // etcdctl 3.4 sends `:authority: http://HOST:PORT`, which newer releases of nghttp2 refuse as it is
    // no authority. The connection checks the headers that it uses, and ignores the others.
    nghttp2_option_set_no_http_messaging(option, 1)
    HTTP2Session.setCallbacks(callbacks)
    let own = Unmanaged.passUnretained(self).toOpaque()
    try check(nghttp2_session_server_new2(&session, callbacks, own, option))
    let settings = [
      nghttp2_settings_entry(
        settings_id: Int32(NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS.rawValue),
        value: limits.concurrentStreams),
      nghttp2_settings_entry(
        settings_id: Int32(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE.rawValue),
        value: UInt32(limits.streamWindowBytes)),
      nghttp2_settings_entry(
        settings_id: Int32(NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE.rawValue),
        value: UInt32(limits.headerBytes)),
    ]
    try check(
      nghttp2_submit_settings(session, UInt8(NGHTTP2_FLAG_NONE.rawValue), settings, settings.count))
    try check(
      nghttp2_session_set_local_window_size(
        session, UInt8(NGHTTP2_FLAG_NONE.rawValue), 0, limits.connectionWindowBytes))
  }

  deinit { nghttp2_session_del(session) }

  private func check(_ code: Int32) throws {
    if code != 0 { throw HTTP2Error(code: code) }
  }

  func receive(_ bytes: UnsafeRawBufferPointer) throws {
    let base = bytes.bindMemory(to: UInt8.self).baseAddress
    let taken = nghttp2_session_mem_recv(session, base, bytes.count)
    if taken < 0 { throw HTTP2Error(code: Int32(taken)) }
  }

  /// The next bytes to write, valid until the next call; nil if there are none.
  func nextOutput() throws -> UnsafeBufferPointer<UInt8>? {
    var pointer: UnsafePointer<UInt8>?
    let count = nghttp2_session_mem_send(session, &pointer)
    if count < 0 { throw HTTP2Error(code: Int32(count)) }
    return count == 0 ? nil : UnsafeBufferPointer(start: pointer, count: count)
  }

  /// Nothing is left to read or write: the connection may be closed.
  var isDone: Bool {
    nghttp2_session_want_read(session) == 0 && nghttp2_session_want_write(session) == 0
  }

  /// Answers with headers, and the data that the delegate provides; without, the stream ends.
  func respond(stream: Int32, headers: HTTP2Fields, withData: Bool) {
    var provider = nghttp2_data_provider()
    provider.read_callback = { _, stream, target, capacity, flags, _, context in
      guard let context, let target, let flags else { return 0 }
      let session = Unmanaged<HTTP2Session>.fromOpaque(context).takeUnretainedValue()
      return session.provide(stream, into: target, capacity: capacity, flags: flags)
    }
    // nghttp2 copies the fields.
    let code = withUnsafePointer(to: &provider) {
      nghttp2_submit_response(
        session, stream, headers.fields.baseAddress, headers.fields.count, withData ? $0 : nil)
    }
    if code != 0 { reset(stream: stream, error: NGHTTP2_INTERNAL_ERROR) }
  }

  func resume(stream: Int32) { nghttp2_session_resume_data(session, stream) }

  func ping() { nghttp2_submit_ping(session, UInt8(NGHTTP2_FLAG_NONE.rawValue), nil) }

  /// Takes no further streams; those that are open go on.
  func goAway(_ error: nghttp2_error_code, _ text: String) {
    let bytes = Array(text.utf8)
    nghttp2_submit_goaway(
      session, UInt8(NGHTTP2_FLAG_NONE.rawValue), nghttp2_session_get_last_proc_stream_id(session),
      error.rawValue, bytes, bytes.count)
  }

  func reset(stream: Int32, error: nghttp2_error_code) {
    nghttp2_submit_rst_stream(
      session, UInt8(NGHTTP2_FLAG_NONE.rawValue), stream, error.rawValue)
  }

  private func provide(
    _ stream: Int32, into target: UnsafeMutablePointer<UInt8>, capacity: Int,
    flags: UnsafeMutablePointer<UInt32>
  ) -> Int {
    switch delegate.provide(stream: stream, into: target, capacity: capacity) {
    case .bytes(let count): return count
    case .wait: return Int(NGHTTP2_ERR_DEFERRED.rawValue)
    case .last(let count, let trailers):
      flags.pointee |= NGHTTP2_DATA_FLAG_EOF.rawValue | NGHTTP2_DATA_FLAG_NO_END_STREAM.rawValue
      nghttp2_submit_trailer(
        session, stream, trailers.fields.baseAddress, trailers.fields.count)
      return count
    }
  }

  // C callbacks capture nothing: the session travels as their context.
  private static func setCallbacks(_ callbacks: OpaquePointer?) {
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks) { _, frame, context in
      guard let frame, let context else { return 0 }
      Unmanaged<HTTP2Session>.fromOpaque(context).takeUnretainedValue()
        .delegate.began(stream: frame.pointee.hd.stream_id)
      return 0
    }
    nghttp2_session_callbacks_set_on_header_callback(callbacks) {
      _, frame, name, nameLength, value, valueLength, _, context in
      guard let frame, let context else { return 0 }
      Unmanaged<HTTP2Session>.fromOpaque(context).takeUnretainedValue()
        .delegate.received(
          name: UnsafeBufferPointer(start: name, count: nameLength),
          value: UnsafeBufferPointer(start: value, count: valueLength),
          stream: frame.pointee.hd.stream_id)
      return 0
    }
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks) {
      _, _, stream, bytes, count, context in
      guard let context else { return 0 }
      Unmanaged<HTTP2Session>.fromOpaque(context).takeUnretainedValue()
        .delegate.received(data: UnsafeBufferPointer(start: bytes, count: count), stream: stream)
      return 0
    }
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks) { _, frame, context in
      guard let header = frame?.pointee.hd, let context else { return 0 }
      let delegate = Unmanaged<HTTP2Session>.fromOpaque(context).takeUnretainedValue().delegate
      let isHeaders = UInt32(header.type) == NGHTTP2_HEADERS.rawValue
      let isData = UInt32(header.type) == NGHTTP2_DATA.rawValue
      let isAcknowledgement = UInt32(header.flags) & NGHTTP2_FLAG_ACK.rawValue != 0
      if UInt32(header.type) == NGHTTP2_PING.rawValue, !isAcknowledgement { delegate.pinged() }
      if isHeaders { delegate.receivedHeaders(stream: header.stream_id) }
      let endsStream = UInt32(header.flags) & NGHTTP2_FLAG_END_STREAM.rawValue != 0
      if endsStream, isHeaders || isData { delegate.ended(stream: header.stream_id) }
      return 0
    }
    nghttp2_session_callbacks_set_on_frame_send_callback(callbacks) { _, frame, context in
      guard let header = frame?.pointee.hd, let context else { return 0 }
      let carriesEnd =
        UInt32(header.type) == NGHTTP2_HEADERS.rawValue
        || UInt32(header.type) == NGHTTP2_DATA.rawValue
      if carriesEnd, UInt32(header.flags) & NGHTTP2_FLAG_END_STREAM.rawValue != 0 {
        Unmanaged<HTTP2Session>.fromOpaque(context).takeUnretainedValue()
          .delegate.sentEnd(stream: header.stream_id)
      }
      return 0
    }
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks) { _, stream, _, context in
      guard let context else { return 0 }
      Unmanaged<HTTP2Session>.fromOpaque(context).takeUnretainedValue()
        .delegate.closed(stream: stream)
      return 0
    }
  }
}
