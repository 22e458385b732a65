// PyTorch's caching allocator, as far as it decides what tensors that stay take.
#pragma once

#include <cstdint>
#include <vector>

namespace planner::engine {

/// Bytes that the allocator counts for tensors allocated in this order and kept, slack inside their blocks included.
///     up to 1 MiB: multiples of 512 bytes, from segments of 2 MiB
///     up to 10 MiB: from segments of 20 MiB; above: a segment of its own, rounded up to 2 MiB
///     of a block that is larger than needed, the rest is split off when it is more than 1 MiB (512 bytes of small ones), and stays in the block otherwise
/// Source: c10/cuda/CUDACachingAllocator.cpp of pytorch/pytorch (round_size, get_allocation_size, should_split; expandable segments off).
/// Example: a matrix of 35 MiB takes 36 (torch_allocator_test.cpp).
[[nodiscard]] std::int64_t torch_allocated_bytes(const std::vector<std::int64_t>& tensors);

}  // namespace planner::engine
