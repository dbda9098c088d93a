#pragma once
#include <stddef.h>
#include <stdint.h>

/// CRC-32C (Castagnoli, RFC 3720 B.4) of `count` bytes, continuing from `crc` (0 to begin).
/// Uses SSE4.2 where the processor has it, a table elsewhere.
uint32_t cchecksum_crc32c(uint32_t crc, const void *bytes, size_t count);

/// A 64-bit running hash of everything hashed so far and `count` further bytes.
/// Detects lost, swapped and replayed records; it is no defence against an attacker.
uint64_t cchecksum_chain(uint64_t previous, const void *bytes, size_t count);
