#ifndef WEFT_BYTESCAN_H
#define WEFT_BYTESCAN_H
#include <stddef.h>
#include <stdint.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

// Sixteen bytes at once, for the HTTP/1 codec. Of a search, bit i of the mask is set when byte i is one that the search
// is for; all sixteen bytes must be readable. Swift's own vector types compile to many times the instructions.

#ifdef __SSE2__

// Control characters other than TAB: what ends a field's value, or may not be in it.
static inline uint32_t cl_controls(const uint8_t *p) {
  __m128i x = _mm_loadu_si128((const __m128i *)p);
  __m128i low = _mm_cmpeq_epi8(_mm_min_epu8(x, _mm_set1_epi8(0x1f)), x);
  __m128i control = _mm_andnot_si128(_mm_cmpeq_epi8(x, _mm_set1_epi8(0x09)), low);
  return (uint32_t)_mm_movemask_epi8(_mm_or_si128(control, _mm_cmpeq_epi8(x, _mm_set1_epi8(0x7f))));
}

// Bytes that are neither letter, digit, '-' nor '.': what ends most names of fields and hosts.
static inline uint32_t cl_not_plain(const uint8_t *p) {
  __m128i x = _mm_loadu_si128((const __m128i *)p);
  __m128i letter = _mm_sub_epi8(_mm_or_si128(x, _mm_set1_epi8(0x20)), _mm_set1_epi8('a'));
  __m128i isLetter = _mm_cmpeq_epi8(_mm_min_epu8(letter, _mm_set1_epi8(25)), letter);
  // '-', '.', '/' and the digits follow one another.
  __m128i other = _mm_sub_epi8(x, _mm_set1_epi8('-'));
  __m128i isOther = _mm_cmpeq_epi8(_mm_min_epu8(other, _mm_set1_epi8('9' - '-')), other);
  __m128i plain = _mm_andnot_si128(_mm_cmpeq_epi8(x, _mm_set1_epi8('/')), _mm_or_si128(isLetter, isOther));
  return (uint32_t)_mm_movemask_epi8(plain) ^ 0xffff;
}

// The 32 hexadecimal digits of 128 bits, the highest first.
static inline void cl_hex(uint8_t *to, uint64_t high, uint64_t low) {
  __m128i x = _mm_set_epi64x((long long)__builtin_bswap64(low), (long long)__builtin_bswap64(high));
  __m128i upper = _mm_and_si128(_mm_srli_epi64(x, 4), _mm_set1_epi8(15));
  __m128i lower = _mm_and_si128(x, _mm_set1_epi8(15));
  for (int i = 0; i < 2; i++) {
    __m128i n = i == 0 ? _mm_unpacklo_epi8(upper, lower) : _mm_unpackhi_epi8(upper, lower);
    __m128i letters = _mm_and_si128(_mm_cmpgt_epi8(n, _mm_set1_epi8(9)), _mm_set1_epi8('a' - '0' - 10));
    __m128i text = _mm_add_epi8(_mm_add_epi8(n, letters), _mm_set1_epi8('0'));
    _mm_storeu_si128((__m128i *)(to + 16 * i), text);
  }
}

#else

// The same with words of eight bytes. No addition carries into the next byte, for none has its high bit set.
#define CL_ALL(c) ((c) * 0x0101010101010101ull)

static inline uint64_t cl_word(const uint8_t *p) {
  uint64_t x = 0;
  for (int i = 7; i >= 0; i--) x = x << 8 | p[i];
  return x;
}
// The high bits of eight bytes as eight bits.
static inline uint32_t cl_gather(uint64_t marks) { return (uint32_t)((marks >> 7) * 0x0102040810204080ull >> 56); }
// High bits of the bytes that are at least c; both below 0x80.
static inline uint64_t cl_at_least(uint64_t low, uint8_t c) { return low + CL_ALL(0x80u - c); }
static inline uint64_t cl_equals(uint64_t low, uint8_t c) { return ~((low ^ CL_ALL((uint64_t)c)) + CL_ALL(0x7full)); }

static inline uint64_t cl_control_marks(uint64_t x) {
  uint64_t low = x & CL_ALL(0x7full);
  uint64_t marks = (~cl_at_least(low, 0x20) & ~cl_equals(low, 0x09)) | cl_equals(low, 0x7f);
  return marks & ~x & CL_ALL(0x80ull);
}
static inline uint32_t cl_controls(const uint8_t *p) {
  return cl_gather(cl_control_marks(cl_word(p))) | cl_gather(cl_control_marks(cl_word(p + 8))) << 8;
}

static inline uint64_t cl_not_plain_marks(uint64_t x) {
  uint64_t low = x & CL_ALL(0x7full), folded = low | CL_ALL(0x20ull);
  uint64_t plain = (cl_at_least(folded, 'a') & ~cl_at_least(folded, 'z' + 1)) |
                   (cl_at_least(low, '-') & ~cl_at_least(low, '9' + 1) & ~cl_equals(low, '/'));
  return (~plain | x) & CL_ALL(0x80ull);
}
static inline uint32_t cl_not_plain(const uint8_t *p) {
  return cl_gather(cl_not_plain_marks(cl_word(p))) | cl_gather(cl_not_plain_marks(cl_word(p + 8))) << 8;
}

static inline void cl_hex(uint8_t *to, uint64_t high, uint64_t low) {
  for (int i = 0; i < 16; i++) {
    to[i] = (uint8_t)"0123456789abcdef"[high >> (60 - 4 * i) & 15];
    to[i + 16] = (uint8_t)"0123456789abcdef"[low >> (60 - 4 * i) & 15];
  }
}

#endif

// memcpy(3) without a call for the short runs that most names and values are.
static inline void cl_copy(uint8_t *to, const uint8_t *from, size_t n) {
  if (n > 32) {
    __builtin_memcpy(to, from, n);
  } else if (n >= 16) {
    unsigned char a[16], b[16];
    __builtin_memcpy(a, from, 16);
    __builtin_memcpy(b, from + n - 16, 16);
    __builtin_memcpy(to, a, 16);
    __builtin_memcpy(to + n - 16, b, 16);
  } else if (n >= 8) {
    uint64_t a, b;
    __builtin_memcpy(&a, from, 8);
    __builtin_memcpy(&b, from + n - 8, 8);
    __builtin_memcpy(to, &a, 8);
    __builtin_memcpy(to + n - 8, &b, 8);
  } else if (n >= 4) {
    uint32_t a, b;
    __builtin_memcpy(&a, from, 4);
    __builtin_memcpy(&b, from + n - 4, 4);
    __builtin_memcpy(to, &a, 4);
    __builtin_memcpy(to + n - 4, &b, 4);
  } else if (n > 0) {
    uint8_t a = from[0], b = from[n / 2], c = from[n - 1];
    to[0] = a;
    to[n / 2] = b;
    to[n - 1] = c;
  }
}

#endif
