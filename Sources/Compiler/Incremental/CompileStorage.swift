/// Where what files hold outlives the process.
///
/// A value is stored for a key that names all it was made of. Whoever keeps them gives back what was stored by the
/// same program with the same libraries, whole, or nothing: what comes back is taken for what the file holds.
public protocol CompileStorage: Sendable {
  /// nil if nothing is stored, or it is damaged.
  func value(for key: [UInt8]) -> [UInt8]?

  /// May keep it for later, or not at all.
  func store(_ value: [UInt8], for key: [UInt8])

  /// Everything that was stored is to be kept now.
  func flush()
}
