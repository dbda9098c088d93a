#include "cchecksum.h"

#include <pthread.h>
#include <string.h>

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

static uint32_t table[256];
static pthread_once_t table_made = PTHREAD_ONCE_INIT;

static void make_table(void) {
  for (uint32_t i = 0; i < 256; i++) {
    uint32_t crc = i;
    for (int bit = 0; bit < 8; bit++) crc = (crc >> 1) ^ (0x82f63b78u & (0u - (crc & 1)));
    table[i] = crc;
  }
}

static uint32_t crc_by_table(uint32_t crc, const unsigned char *bytes, size_t count) {
  pthread_once(&table_made, make_table);
  while (count--) crc = (crc >> 8) ^ table[(crc ^ *bytes++) & 0xff];
  return crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2")))
static uint32_t crc_by_sse42(uint32_t crc, const unsigned char *bytes, size_t count) {
  uint64_t wide = crc;
  while (count >= 8) {
    uint64_t word;
    memcpy(&word, bytes, 8);
    wide = _mm_crc32_u64(wide, word);
    bytes += 8;
    count -= 8;
  }
  crc = (uint32_t)wide;
  while (count--) crc = _mm_crc32_u8(crc, *bytes++);
  return crc;
}
#endif

uint32_t cchecksum_crc32c(uint32_t crc, const void *bytes, size_t count) {
  crc = ~crc;
#if defined(__x86_64__)
  if (__builtin_cpu_supports("sse4.2")) return ~crc_by_sse42(crc, bytes, count);
#endif
  return ~crc_by_table(crc, bytes, count);
}

static uint64_t mix(uint64_t hash, uint64_t word) {
  hash = (hash ^ word) * 0x9e3779b97f4a7c15ull;
  return hash ^ (hash >> 29);
}

uint64_t cchecksum_chain(uint64_t previous, const void *bytes, size_t count) {
  const unsigned char *at = bytes;
  // The constant keeps nothing, after nothing, from hashing to nothing.
  uint64_t hash = mix(previous ^ 0x2545f4914f6cdd1dull, (uint64_t)count);
  while (count >= 8) {
    uint64_t word;
    memcpy(&word, at, 8);
    hash = mix(hash, word);
    at += 8;
    count -= 8;
  }
  uint64_t last = 0;
  for (size_t i = 0; i < count; i++) last |= (uint64_t)at[i] << (8 * i);
  return mix(mix(hash, last), hash >> 32);
}
