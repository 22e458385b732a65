// Numbers out of raw bytes of either byte order, aligned or not.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

namespace planner {

/// The number whose bytes begin at `at`. Arithmetic types of 1 to 8 bytes; bool has no business here.
template <typename T>
[[nodiscard]] T load_number(const std::byte* at, bool big_endian) {
  static_assert(std::is_arithmetic_v<T> && !std::is_same_v<T, bool>);
  T value;
  if (big_endian == (std::endian::native == std::endian::big)) {
    std::memcpy(&value, at, sizeof(T));
  } else {
    std::byte reversed[sizeof(T)];
    for (std::size_t i = 0; i < sizeof(T); ++i) reversed[i] = at[sizeof(T) - 1 - i];
    std::memcpy(&value, reversed, sizeof(T));
  }
  return value;
}

}  // namespace planner
