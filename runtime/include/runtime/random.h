/// Pseudo-random numbers that are the same on every machine: weights of synthetic models, blocks of tests, sampling.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <numbers>

namespace planner::runtime {

/// xoshiro256**, a generator of the standard library's kind (may be given to its distributions). Copies go on independently of each other.
/// Source: David Blackman and Sebastiano Vigna, "Scrambled linear pseudorandom number generators", https://prng.di.unimi.it/
class Random {
 public:
  using result_type = std::uint64_t;

  explicit Random(std::uint64_t seed = 1) {
    for (auto& word : state_) {  // SplitMix64, as its authors advise
      seed += 0x9e3779b97f4a7c15U;
      std::uint64_t z = seed;
      z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
      z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
      word = z ^ (z >> 31);
    }
  }

  static constexpr result_type min() { return 0; }
  static constexpr result_type max() { return std::numeric_limits<result_type>::max(); }

  result_type operator()() {
    const std::uint64_t result = rotate(state_[1] * 5, 7) * 9;
    const std::uint64_t t = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= t;
    state_[3] = rotate(state_[3], 45);
    return result;
  }

  /// Uniform in [0, 1), 24 bits.
  float uniform() { return static_cast<float>((*this)() >> 40) * 0x1p-24F; }
  /// Uniform in [0, n); n > 0.
  std::uint64_t below(std::uint64_t n) { return (*this)() % n; }
  /// Normal distribution, mean 0 and deviation 1 (Box-Muller, one of the pair).
  float normal() {
    const float u = 1.0F - uniform();
    return std::sqrt(-2.0F * std::log(u)) * std::cos(2.0F * std::numbers::pi_v<float> * uniform());
  }
  /// Fills bytes.
  void fill(std::byte* bytes, std::size_t n) {
    for (; n >= sizeof(result_type); bytes += sizeof(result_type), n -= sizeof(result_type)) {
      const result_type word = (*this)();
      std::memcpy(bytes, &word, sizeof word);
    }
    const result_type word = (*this)();
    std::memcpy(bytes, &word, n);
  }

 private:
  static std::uint64_t rotate(std::uint64_t x, int k) { return (x << k) | (x >> (64 - k)); }
  std::uint64_t state_[4];
};

}  // namespace planner::runtime
