// The encoding of a command in the log: a version byte, the request id, in version 2 the caller (who is
// the cluster in version 1), then the action as a tag byte and its fields in the order of their declaration; see `BinaryCoding` for integers,
// bytes and texts. A list is a 32-bit count and its items.

package import BinaryCoding

extension Command {
  private static let versionOfTheCluster: UInt8 = 1
  private static let versionWithCaller: UInt8 = 2

  package func encoded() -> [UInt8] {
    var writer = ByteWriter(reservingCapacity: 128)
    let isOfTheCluster = caller == .cluster
    writer.write(isOfTheCluster ? Command.versionOfTheCluster : Command.versionWithCaller)
    writer.write(request.member)
    writer.write(request.number)
    if !isOfTheCluster { writer.write(caller) }
    switch action {
    case .put(let put): writer.write(Operation.put(put))
    case .delete(let delete): writer.write(Operation.delete(delete))
    case .transaction(let transaction): writer.write(Operation.transaction(transaction))
    case .memberAttributes(let member):
      writer.write(UInt8(5))
      writer.write(member)
    case .memberChange(let change):
      writer.write(UInt8(6))
      writer.write(change)
    case .lease(let change):
      writer.write(UInt8(7))
      writer.write(change)
    case .compact(let revision):
      writer.write(UInt8(8))
      writer.write(revision.rawValue)
    case .alarm(let change):
      writer.write(UInt8(9))
      writer.write(change)
    case .auth(let change):
      writer.write(UInt8(10))
      writer.write(change)
    case .integrity(let change):
      writer.write(UInt8(11))
      writer.write(change)
    }
    return writer.bytes
  }

  /// The name of an encoded command, read without the rest.
  package static func request(of bytes: [UInt8]) -> RequestID? {
    var reader = ByteReader(bytes)
    guard let version = try? reader.readByte(),
      version == versionOfTheCluster || version == versionWithCaller,
      let member = try? reader.read(UInt64.self), let number = try? reader.read(UInt64.self)
    else { return nil }
    return RequestID(member: member, number: number)
  }

  /// Whether these are the bytes of a put that reads no value and writes a small one: it costs little to apply.
  ///
  /// - Complexity: O(1): nothing long is decoded.
  package static func isSmallPut(_ bytes: [UInt8]) -> Bool {
    guard bytes.count <= smallPutBytes, let command = try? Command(decoding: bytes),
      case .put(let put) = command.action, case .set = put.value
    else { return false }
    return !put.returnsPrevious
  }

  private static let smallPutBytes = 8 << 10

  package static func isValid(_ bytes: [UInt8]) -> Bool {
    (try? Command(decoding: bytes)) != nil
  }

  package init(decoding bytes: [UInt8]) throws(DecodingFailure) {
    var reader = ByteReader(bytes)
    let version = try reader.readByte()
    guard version == Command.versionOfTheCluster || version == Command.versionWithCaller else {
      throw DecodingFailure("a command of a later version")
    }
    request = RequestID(
      member: try reader.read(UInt64.self), number: try reader.read(UInt64.self))
    caller = version == Command.versionWithCaller ? try reader.readCaller() : .cluster
    let tag = try reader.readByte()
    switch tag {
    case 5: action = .memberAttributes(try reader.readAttributes())
    case 6: action = .memberChange(try reader.readMemberChange())
    case 7: action = .lease(try reader.readLeaseChange())
    case 8: action = .compact(Revision(try reader.read(Int64.self)))
    case 9: action = .alarm(try reader.readAlarmChange())
    case 10: action = .auth(try reader.readAuthChange())
    case 11: action = .integrity(try reader.readIntegrityChange())
    default:
      switch try reader.readOperation(tag: tag, depth: 0) {
      case .put(let put): action = .put(put)
      case .delete(let delete): action = .delete(delete)
      case .transaction(let transaction): action = .transaction(transaction)
      case .range: throw DecodingFailure("a read is no command")
      }
    }
    try reader.expectEnd()
  }
}

extension ByteWriter {
  mutating func write(_ range: KeyRange) {
    switch range {
    case .single(let key):
      write(UInt8(0))
      write(key.bytes)
    case .between(let start, let end):
      write(UInt8(1))
      write(start.bytes)
      write(end.bytes)
    case .from(let key):
      write(UInt8(2))
      write(key.bytes)
    }
  }

  fileprivate mutating func write(_ bounds: RangeQuery.Bounds) {
    write(bounds.minimum?.rawValue ?? 0)
    write(bounds.maximum?.rawValue ?? 0)
  }

  fileprivate mutating func write(_ operation: Operation) {
    switch operation {
    case .range(let query):
      write(UInt8(1))
      write(query.range)
      write(query.revision?.rawValue ?? 0)
      write(Int64(query.limit ?? 0))
      write(query.sort.map { $0.target.rawValue + 1 } ?? 0)
      write(query.sort?.order.rawValue ?? 0)
      write(query.content.rawValue)
      write(query.modBounds)
      write(query.createBounds)
    case .put(let put):
      write(UInt8(2))
      write(put.key.bytes)
      if case .set(let value) = put.value {
        write(true)
        write(value)
      } else {
        write(false)
      }
      if case .set(let lease) = put.lease {
        write(true)
        write(lease)
      } else {
        write(false)
      }
      write(put.returnsPrevious)
    case .delete(let delete):
      write(UInt8(3))
      write(delete.range)
      write(delete.returnsPrevious)
    case .transaction(let transaction):
      write(UInt8(4))
      write(UInt32(transaction.compares.count))
      for compare in transaction.compares { write(compare) }
      write(UInt32(transaction.success.count))
      for operation in transaction.success { write(operation) }
      write(UInt32(transaction.failure.count))
      for operation in transaction.failure { write(operation) }
    }
  }

  private mutating func write(_ compare: Compare) {
    write(compare.range)
    write(compare.relation.rawValue)
    switch compare.target {
    case .version(let version):
      write(UInt8(0))
      write(version)
    case .create(let revision):
      write(UInt8(1))
      write(revision.rawValue)
    case .mod(let revision):
      write(UInt8(2))
      write(revision.rawValue)
    case .value(let value):
      write(UInt8(3))
      write(value)
    case .lease(let lease):
      write(UInt8(4))
      write(lease)
    }
  }
}

extension ByteReader {
  mutating func readRange() throws(DecodingFailure) -> KeyRange {
    switch try readByte() {
    case 0: return .single(Key(try readBytes()))
    case 1: return .between(Key(try readBytes()), Key(try readBytes()))
    case 2: return .from(Key(try readBytes()))
    default: throw DecodingFailure("an unknown kind of range")
    }
  }

  private mutating func readBounds() throws(DecodingFailure) -> RangeQuery.Bounds {
    let minimum = try read(Int64.self)
    let maximum = try read(Int64.self)
    return RangeQuery.Bounds(
      minimum: minimum == 0 ? nil : Revision(minimum),
      maximum: maximum == 0 ? nil : Revision(maximum))
  }

  fileprivate mutating func readOperation(
    tag: UInt8, depth: Int
  ) throws(DecodingFailure) -> Operation {
    switch tag {
    case 1: return .range(try readQuery())
    case 2:
      let key = Key(try readBytes())
      let value: PutRequest.Value = try readBool() ? .set(try readBytes()) : .keep
      let lease: PutRequest.Lease = try readBool() ? .set(try read(Int64.self)) : .keep
      return .put(PutRequest(key, value, lease: lease, returnsPrevious: try readBool()))
    case 3:
      let range = try readRange()
      return .delete(DeleteRequest(range, returnsPrevious: try readBool()))
    case 4:
      guard depth < TransactionLimits.depth else { throw DecodingFailure("nested too deep") }
      var compares: [Compare] = []
      for _ in 0..<(try readCount(minimumSize: 7)) { compares.append(try readCompare()) }
      return .transaction(
        Transaction(
          compares: compares, success: try readOperations(depth: depth + 1),
          failure: try readOperations(depth: depth + 1)))
    default: throw DecodingFailure("an unknown operation")
    }
  }

  private mutating func readOperations(depth: Int) throws(DecodingFailure) -> [Operation] {
    var operations: [Operation] = []
    for _ in 0..<(try readCount(minimumSize: 7)) {
      operations.append(try readOperation(tag: try readByte(), depth: depth))
    }
    return operations
  }

  private mutating func readQuery() throws(DecodingFailure) -> RangeQuery {
    var query = RangeQuery(try readRange())
    let revision = try read(Int64.self)
    query.revision = revision == 0 ? nil : Revision(revision)
    let limit = Int(try read(Int64.self))
    query.limit = limit == 0 ? nil : limit
    let target = try readByte()
    let order = try readByte()
    if target > 0 {
      guard let target = RangeQuery.SortTarget(rawValue: target - 1),
        let order = RangeQuery.SortOrder(rawValue: order)
      else { throw DecodingFailure("an unknown order") }
      query.sort = RangeQuery.Sort(target, order)
    }
    guard let content = RangeQuery.Content(rawValue: try readByte()) else {
      throw DecodingFailure("an unknown content")
    }
    query.content = content
    query.modBounds = try readBounds()
    query.createBounds = try readBounds()
    return query
  }

  private mutating func readCompare() throws(DecodingFailure) -> Compare {
    let range = try readRange()
    guard let relation = Compare.Relation(rawValue: try readByte()) else {
      throw DecodingFailure("an unknown relation")
    }
    let target: Compare.Target
    switch try readByte() {
    case 0: target = .version(try read(Int64.self))
    case 1: target = .create(Revision(try read(Int64.self)))
    case 2: target = .mod(Revision(try read(Int64.self)))
    case 3: target = .value(try readBytes())
    case 4: target = .lease(try read(Int64.self))
    default: throw DecodingFailure("an unknown target")
    }
    return Compare(range, target, is: relation)
  }
}
