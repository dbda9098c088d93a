import Cluster
import EtcdProtos
import Foundation
import SwiftProtobuf

/// A request about permissions, or under them.
enum AuthRequest {
  case enable, disable, status
  case login(Etcdserverpb_AuthenticateRequest)
  case addUser(Etcdserverpb_AuthUserAddRequest)
  case getUser(Etcdserverpb_AuthUserGetRequest)
  case listUsers
  case deleteUser(Etcdserverpb_AuthUserDeleteRequest)
  case changePassword(Etcdserverpb_AuthUserChangePasswordRequest)
  case giveRole(Etcdserverpb_AuthUserGrantRoleRequest)
  case takeRole(Etcdserverpb_AuthUserRevokeRoleRequest)
  case addRole(Etcdserverpb_AuthRoleAddRequest)
  case getRole(Etcdserverpb_AuthRoleGetRequest)
  case listRoles
  case deleteRole(Etcdserverpb_AuthRoleDeleteRequest)
  case grant(Etcdserverpb_AuthRoleGrantPermissionRequest)
  case revoke(Etcdserverpb_AuthRoleRevokePermissionRequest)
  case keys(AnyRequest)
}

/// Draws changes of permissions, and requests of users who have them or not.
///
/// Left out is where this server is stricter than etcd 3.5.1 on purpose: transactions in transactions, and
/// previous values and leases in their puts; leases, alarms and compaction of strangers.
struct RandomAuthRequests {
  private var random: SeededNames

  init(seed: UInt64) { random = SeededNames(state: seed) }

  private mutating func number(_ range: ClosedRange<Int>) -> Int {
    Int.random(in: range, using: &random)
  }
  private mutating func happens(_ percent: Int) -> Bool { number(1...100) <= percent }
  private mutating func any<Value>(_ values: [Value]) -> Value {
    values[number(0...values.count - 1)]
  }

  static let users = ["root", "ann", "bob", "cid"]

  /// What has to be there for permissions to be switched on.
  static let beginning: [AuthRequest] = [
    .addUser(
      .with {
        $0.name = "root"
        $0.password = "pw"
      }),
    .giveRole(
      .with {
        $0.user = "root"
        $0.role = "root"
      }),
    .enable,
    .login(
      .with {
        $0.name = "root"
        $0.password = "pw"
      }),
  ]

  /// - Returns: a request, and whose it is; nil for a stranger's.
  mutating func next() -> (request: AuthRequest, user: String?) {
    if happens(15) { return (login(), nil) }
    if happens(40) {
      return (change(), any(["root", "root", "root", "root", "ann", nil]))
    }
    return (.keys(keys()), any(["root", "ann", "ann", "bob", "bob", "cid", nil]))
  }

  private mutating func login() -> AuthRequest {
    .login(
      .with {
        $0.name = any(RandomAuthRequests.users + ["dan", ""])
        $0.password = any(["pw", "pw", "pw", "wrong", ""])
      })
  }

  private mutating func user() -> String {
    any(RandomAuthRequests.users.dropFirst() + ["ann", "bob", happens(20) ? "root" : "dan"])
  }

  private mutating func role() -> String { any(["r1", "r1", "r2", "r3", "root"]) }

  private mutating func change() -> AuthRequest {
    switch number(1...100) {
    case ...3: return .enable
    case ...4: return .disable
    case ...8: return .status
    case ...20:
      return .addUser(
        .with {
          $0.name = happens(3) ? "" : user()
          $0.password = "pw"
        })
    case ...26: return .getUser(.with { $0.name = user() })
    case ...29: return .listUsers
    case ...32: return .deleteUser(.with { $0.name = user() })
    case ...35:
      return .changePassword(
        .with {
          $0.name = user()
          $0.password = "pw"
        })
    case ...52:
      return .giveRole(
        .with {
          $0.user = user()
          $0.role = happens(95) ? any(["r1", "r2", "r3"]) : "root"
        })
    case ...56:
      return .takeRole(
        .with {
          $0.name = user()
          $0.role = role()
        })
    case ...66: return .addRole(.with { $0.name = happens(3) ? "" : role() })
    case ...72: return .getRole(.with { $0.role = role() })
    case ...75: return .listRoles
    case ...77: return .deleteRole(.with { $0.role = role() })
    case ...94:
      return .grant(
        .with {
          $0.name = role()
          if happens(97) { $0.perm = permission() }
        })
    default:
      let permission = permission()
      return .revoke(
        .with {
          $0.role = role()
          $0.key = permission.key
          $0.rangeEnd = permission.rangeEnd
        })
    }
  }

  /// Never an empty range: what that grants is no rule of etcd's, but chance.
  private mutating func range() -> (key: Data, end: Data) {
    let keys = ["a", "b", "c", "d"]
    let start = number(0...3)
    switch number(1...10) {
    case ...4: return (Data(keys[start].utf8), Data())
    case 5: return (Data(keys[start].utf8), Data([0]))
    default: return (Data(keys[start].utf8), Data((keys + ["e"])[number(start + 1...4)].utf8))
    }
  }

  /// Of several ranges with one start etcd 3.5.1 can grant one twice: each start has one end here.
  private mutating func permission() -> Authpb_Permission {
    let ranges: [(String, [UInt8])] = [
      ("a", Array("c".utf8)), ("b", []), ("bb", Array("d".utf8)), ("c", [0]), ("d", []),
    ]
    let (key, end) = any(ranges)
    return .with {
      $0.permType = any([.read, .write, .readwrite])
      $0.key = Data(key.utf8)
      $0.rangeEnd = Data(end)
    }
  }

  private mutating func keys() -> AnyRequest {
    switch number(1...10) {
    case ...3: return .range(readRequest())
    case ...6: return .put(putRequest())
    case ...8: return .delete(deleteRequest())
    default: return .transaction(transaction())
    }
  }

  private mutating func readRequest() -> Etcdserverpb_RangeRequest {
    let (key, end) = range()
    return .with {
      $0.key = key
      $0.rangeEnd = end
      $0.countOnly = happens(20)
      $0.serializable = happens(20)
    }
  }

  private mutating func putRequest() -> Etcdserverpb_PutRequest {
    .with {
      $0.key = range().key
      $0.value = Data("\(number(1...9))".utf8)
      $0.prevKv = happens(30)
    }
  }

  private mutating func deleteRequest() -> Etcdserverpb_DeleteRangeRequest {
    let (key, end) = range()
    return .with {
      $0.key = key
      $0.rangeEnd = end
      $0.prevKv = happens(30)
    }
  }

  private mutating func transaction() -> Etcdserverpb_TxnRequest {
    var request = Etcdserverpb_TxnRequest()
    if happens(50) {
      let (key, end) = range()
      request.compare = [
        .with {
          $0.key = key
          $0.rangeEnd = end
          $0.target = .version
          $0.result = .greater
        }
      ]
    }
    // One that asks for nothing etcd answers to anybody.
    for _ in 0..<number(1...2) { request.success.append(operation()) }
    for _ in 0..<number(0...2) { request.failure.append(operation()) }
    return request
  }

  private mutating func operation() -> Etcdserverpb_RequestOp {
    var operation = Etcdserverpb_RequestOp()
    switch number(1...3) {
    case 1: operation.requestRange = readRequest()
    case 2:
      operation.requestPut = putRequest()
      operation.requestPut.prevKv = false
    default: operation.requestDeleteRange = deleteRequest()
    }
    return operation
  }
}
