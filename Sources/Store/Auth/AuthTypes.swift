/// The name of a user or a role, compared by its bytes: two spellings that look alike are two names.
public struct AuthName: Hashable, Comparable, Sendable, ExpressibleByStringLiteral,
  CustomStringConvertible
{
  public var bytes: [UInt8]
  public init(bytes: [UInt8]) { self.bytes = bytes }
  public init(_ text: String) { bytes = Array(text.utf8) }
  public init(stringLiteral text: String) { self.init(text) }
  public var description: String { String(decoding: bytes, as: UTF8.self) }
  public static func < (left: AuthName, right: AuthName) -> Bool {
    left.bytes.lexicographicallyPrecedes(right.bytes)
  }

  /// The user without whom permissions can't be switched on, and the role that may do everything.
  public static let root: AuthName = "root"
}

/// On whose behalf a request is made.
public enum Caller: Hashable, Sendable {
  /// The cluster itself: what members do on their own, and programs that hold one in their process.
  case cluster
  /// A client that has shown no token.
  case nobody
  /// - Parameter provenAt: the revision of the permissions at which they have proven who they are. What
  ///   was proven before their password was changed, or another user took their name, counts no more.
  case user(AuthName, provenAt: UInt64)
}

/// What a role lets its users do with the keys of a range.
public struct Permission: Hashable, Sendable {
  public enum Kind: UInt8, Hashable, Sendable {
    case read = 0
    case write = 1
    case readWrite = 2
    var reads: Bool { self != .write }
    var writes: Bool { self != .read }
  }
  public var kind: Kind
  public var range: KeyRange
  public init(_ kind: Kind, _ range: KeyRange) {
    self.kind = kind
    self.range = range
  }
}

/// A change of who may do what, or that somebody has proven who they are.
public enum AuthChange: Hashable, Sendable {
  case enable
  case disable
  /// A user without a hash can't prove who they are by a password.
  case addUser(AuthName, passwordHash: String?)
  case deleteUser(AuthName)
  case changePassword(AuthName, passwordHash: String)
  case giveRole(AuthName, to: AuthName)
  case takeRole(AuthName, from: AuthName)
  case addRole(AuthName)
  case deleteRole(AuthName)
  /// Replaces the permission of the same range, if there is one.
  case grant(Permission, to: AuthName)
  case revoke(KeyRange, from: AuthName)
  /// Every member knows the user by this token from now on. The token itself is nowhere in the log.
  ///
  /// - Parameter issuedAt: seconds since 1970, so that a member that hears of it much later lets it be.
  case admit(AuthName, provenAt: UInt64, token: TokenDigest, issuedAt: Int64)
}

/// The SHA-256 of a token.
public struct TokenDigest: Hashable, Sendable {
  public var bytes: [UInt8]
  public init(_ bytes: [UInt8]) { self.bytes = bytes }
}

/// A token that members accept from now on.
package struct AdmittedToken: Hashable, Sendable {
  package var digest: TokenDigest
  package var user: AuthName
  package var provenAt: UInt64
  /// Seconds since 1970.
  package var issuedAt: Int64
  /// The entry that says so.
  package var index: UInt64

}
