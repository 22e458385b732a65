#include "engine/graph/allocator.h"

#include <algorithm>
#include <limits>
#include <vector>

namespace planner::engine::graph {
namespace {

constexpr std::int64_t kEndless = std::numeric_limits<std::int64_t>::max() / 2;

/// Free blocks of one growing buffer, by address; the last one has no end.
class Blocks {
 public:
  void reset() {
    free_.assign(1, {0, kEndless});
    highest_ = 0;
  }

  std::int64_t take(std::int64_t size) {
    std::size_t best = free_.size() - 1;
    std::int64_t best_size = kEndless;
    for (std::size_t i = 0; i + 1 < free_.size(); ++i) {
      // Of equal ones the last.
      if (free_[i].size >= size && free_[i].size <= best_size) {
        best = i;
        best_size = free_[i].size;
      }
    }
    const std::int64_t at = free_[best].at;
    free_[best].at += size;
    free_[best].size -= size;
    if (free_[best].size == 0) free_.erase(free_.begin() + static_cast<std::ptrdiff_t>(best));
    highest_ = std::max(highest_, at + size);
    return at;
  }

  void give(std::int64_t at, std::int64_t size) {
    for (std::size_t i = 0; i < free_.size(); ++i) {
      auto& block = free_[i];
      if (block.at + block.size == at) {
        block.size += size;
        if (i + 1 < free_.size() && block.at + block.size == free_[i + 1].at) {
          block.size += free_[i + 1].size;
          free_.erase(free_.begin() + static_cast<std::ptrdiff_t>(i) + 1);
        }
        return;
      }
      if (at + size == block.at) {
        block.at = at;
        block.size += size;
        if (i > 0 && free_[i - 1].at + free_[i - 1].size == at) {
          free_[i - 1].size += block.size;
          free_.erase(free_.begin() + static_cast<std::ptrdiff_t>(i));
        }
        return;
      }
    }
    const auto behind = std::find_if(free_.begin(), free_.end(), [&](const Block& b) { return b.at >= at; });
    free_.insert(behind, {at, size});
  }

  [[nodiscard]] std::int64_t highest() const { return highest_; }

 private:
  struct Block {
    std::int64_t at, size;
  };
  std::vector<Block> free_;
  std::int64_t highest_ = 0;
};

/// What is known of a tensor while the graph is walked.
struct State {
  std::int32_t uses = 0;   ///< nodes ahead that read it
  std::int32_t views = 0;  ///< views of it that are still needed
  std::int64_t at = 0;
  bool placed = false;
};

class Layout {
 public:
  /// One alignment and one set of blocks per place.
  Layout(const Graph& graph, std::span<const std::int64_t> alignments, std::vector<State>& states, std::span<Blocks> blocks)
      : g_(graph), alignments_(alignments), states_(states), blocks_(blocks) {
    states_.resize(graph.n_tensors());
    const auto& demand = graph.demand();
    for (std::size_t i = 0; i < states_.size(); ++i) states_[i] = {demand[i].uses, demand[i].views, 0, false};
    for (auto& b : blocks_) b.reset();
  }

  /// Tells apart what is free and what lies where, at any point of the order. Tensors are told by their order, in which a group repeats itself.
  [[nodiscard]] std::uint64_t fingerprint() const {
    std::uint64_t h = 0xcbf29ce484222325U;
    const auto mix = [&](std::int64_t n) {
      h = (h ^ static_cast<std::uint64_t>(n)) * 0x9e3779b97f4a7c15U;
      h ^= h >> 32;
    };
    for (std::size_t i = 0; i < states_.size(); ++i) {
      if (!states_[i].placed) continue;
      mix(states_[i].at);
      mix(g_.at(static_cast<Id>(i)).bytes * 64 + g_.at(static_cast<Id>(i)).place);
    }
    return h;
  }

  void run(std::span<const Repeated> repeated, bool& steady) {
    for (const Id leaf : g_.leaves()) place(leaf);
    const auto& order = g_.order();
    std::size_t at = 0;
    const auto walk_to = [&](std::size_t end) {
      for (; at < end; ++at) {
        place(order[at]);
        release_sources(g_.at(order[at]));
      }
    };
    for (const auto& group : repeated) {
      const auto begin = g_.cuts()[group.begin];
      const auto end = g_.cuts()[group.end];
      walk_to(begin);
      const auto before = fingerprint();
      walk_to(end);
      // Layers that put nothing in the order before the next ones ask for it (no mixer) show nothing here.
      steady = steady && end > begin && fingerprint() == before;
    }
    walk_to(order.size());
  }

 private:
  State& state(Id id) { return states_[static_cast<std::size_t>(id)]; }
  /// Alignments are powers of two.
  [[nodiscard]] std::int64_t size(const Tensor& t) const {
    const auto alignment = alignments_[static_cast<std::size_t>(t.place)];
    return (t.bytes + alignment - 1) & -alignment;
  }
  Blocks& blocks(const Tensor& t) { return blocks_[static_cast<std::size_t>(t.place)]; }

  void place(Id node) {
    const auto& t = g_.at(node);
    auto& s = state(node);
    if (s.placed || t.view_of != kNone || t.external) return;
    s.placed = true;
    if (t.in_place && overwrite_source(t, s)) return;
    s.at = blocks(t).take(size(t));
  }

  /// Views are never overwritten: the engine's bookkeeping has them as placed by somebody else, even those of tensors that nobody needs any more.
  bool overwrite_source(const Tensor& t, State& s) {
    for (int i = 0; i < t.n_sources; ++i) {
      const Id id = t.sources[static_cast<std::size_t>(i)];
      const auto& source = g_.at(id);
      auto& own = state(id);
      if (!own.placed || source.output || own.uses != 1 || own.views != 0) continue;
      if (source.element_bytes != t.element_bytes || source.shape != t.shape || source.strides != t.strides) continue;
      s.at = own.at;
      own.placed = false;
      return true;
    }
    return false;
  }

  void release_sources(const Tensor& t) {
    for (int i = 0; i < t.n_sources; ++i) {
      const Id id = t.sources[static_cast<std::size_t>(i)];
      auto& s = state(id);
      --s.uses;
      if (s.uses != 0 || s.views != 0) continue;
      const auto& source = g_.at(id);
      if (source.view_of != kNone) {
        auto& whole = state(source.view_of);
        --whole.views;
        if (whole.views == 0 && whole.uses == 0 && whole.placed) release(source.view_of);
      } else if (s.placed) {
        release(id);
      }
    }
  }

  void release(Id id) {
    const auto& t = g_.at(id);
    if (t.output) return;
    blocks(t).give(state(id).at, size(t));
    state(id).placed = false;
  }

  const Graph& g_;
  std::span<const std::int64_t> alignments_;
  std::vector<State>& states_;
  std::span<Blocks> blocks_;
};

}  // namespace

std::int64_t buffer_bytes(const Graph& graph, std::int64_t alignment) {
  std::int64_t bytes = 0;
  buffer_bytes(graph, std::span(&alignment, 1), std::span(&bytes, 1), {});
  return bytes;
}

bool buffer_bytes(const Graph& graph, std::span<const std::int64_t> alignments, std::span<std::int64_t> bytes, std::span<const Repeated> repeated) {
  // Kept from one graph to the next: no memory is asked for after the first.
  thread_local std::vector<State> states;
  thread_local std::vector<Blocks> blocks;
  if (blocks.size() < bytes.size()) blocks.resize(bytes.size());
  bool steady = true;
  Layout(graph, alignments, states, std::span(blocks).first(bytes.size())).run(repeated, steady);
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = blocks[i].highest();
  return steady;
}

}  // namespace planner::engine::graph
