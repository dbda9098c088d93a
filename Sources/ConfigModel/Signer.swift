/// Who made a signature that is trusted.
public struct Signer: Hashable, Sendable {
  /// The kind of the key and its fingerprint, for people and records.
  public var key: String
  /// The addresses that the key stands for, by what the trusted keys say of it.
  public var addresses: [String]

  public init(key: String, addresses: [String]) {
    self.key = key
    self.addresses = addresses
  }

  /// As records name a signer.
  public var name: String { (addresses + [key]).joined(separator: " ") }
}

/// What is known of a commit's signature.
public enum SignatureVerdict: Hashable, Sendable {
  case trusted(Signer)
  case missing
  /// It may be good, and is by nobody who is trusted now: why.
  case untrusted(String)
  /// It is not of this commit, or can't be read: why.
  case bad(String)
  /// There is one, and nobody said who is trusted.
  case unchecked
}
