// The lattices of the IQ formats. An entry packs the codes of 8 weights, 2 bits each (IQ1, IQ2), or of 4 weights, 3 bits each (IQ3), the first
// weight lowest. Made from the tables of ggml/src/ggml-common.h (https://github.com/ggml-org/llama.cpp); the sign bytes of those tables, seven
// bits and their parity, are computed.
#pragma once

#include <cstdint>

namespace planner::runtime {

extern const std::uint16_t kIq2Xxs[256];   ///< codes 0, 1, 2: magnitudes 8, 25, 43
extern const std::uint16_t kIq2Xs[512];    ///< the same
extern const std::uint16_t kIq2S[1024];    ///< the same
extern const std::uint16_t kIq3Xxs[256];   ///< codes 0 .. 7: magnitudes 4, 12, 20, 28, 36, 44, 52, 62
extern const std::uint16_t kIq3S[512];     ///< codes 0 .. 7: magnitudes 1, 3 .. 15
extern const std::uint16_t kIq1S[2048];    ///< codes 0, 1, 2: -1, 0, 1

/// kIq1S as eight bytes each, 0, 8 or 16: so many that loads are quicker than look-ups in registers.
struct OctetTable {
  std::uint64_t of[2048];
};
extern const OctetTable kIq1SOctets;

/// Bytes of ones where a bit of the index is set.
struct ByteMasks {
  std::uint64_t of[256];
};
extern const ByteMasks kByteMasks;

}  // namespace planner::runtime
