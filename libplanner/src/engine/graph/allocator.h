// How ggml's graph allocator lays the tensors of a graph out in one buffer, and so how large that buffer is.
//
// Inputs are placed first. Then the nodes in order: a node that may overwrite a source takes over the memory of the first source of the same layout
// that nobody needs any more; any other takes the smallest free block that is large enough, the end of the buffer failing that. Behind each node,
// sources whose last use it was are freed, and free neighbours are joined. The buffer is as large as the highest end of any block.
// Source: ggml/src/ggml-alloc.c (ggml-org/llama.cpp).
#pragma once

#include <cstdint>
#include <span>

#include "engine/graph/graph.h"

namespace planner::engine::graph {

inline constexpr std::int64_t kHostAlignment = 32;

/// Bytes of the buffer, whose blocks start at multiples of `alignment` (the buffer type's: 32 on the CPU, 128 with CUDA). `graph` is in order already;
/// linear in its nodes and in the few blocks that are free at a time.
[[nodiscard]] std::int64_t buffer_bytes(const Graph& graph, std::int64_t alignment = kHostAlignment);

/// The last repetition of a group of layers: from layer `begin` to before layer `end`.
struct Repeated {
  std::size_t begin, end;
};
/// The same with a buffer per place, each with its alignment: `bytes` of each are written to the other span, which is as long. True: each of the repetitions
/// leaves the tensors in the places where it found them. It would do so again and again: the buffers have these sizes however often the groups repeat.
bool buffer_bytes(const Graph& graph, std::span<const std::int64_t> alignments, std::span<std::int64_t> bytes, std::span<const Repeated> repeated);

}  // namespace planner::engine::graph
