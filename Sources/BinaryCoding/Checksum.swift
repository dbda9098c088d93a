internal import CChecksum

/// CRC-32C (RFC 3720 B.4) of `bytes`, continuing from `previous`.
public func crc32c(_ bytes: ArraySlice<UInt8>, continuing previous: UInt32 = 0) -> UInt32 {
  bytes.withUnsafeBytes { cchecksum_crc32c(previous, $0.baseAddress, $0.count) }
}

/// A 64-bit hash of everything before and `bytes`: it tells lost and swapped records apart.
///
/// It is no defence against someone who writes records on purpose.
public func chainHash(_ bytes: ArraySlice<UInt8>, after previous: UInt64) -> UInt64 {
  bytes.withUnsafeBytes { cchecksum_chain(previous, $0.baseAddress, $0.count) }
}
