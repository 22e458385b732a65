// The pool of a server, cut into blocks.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/server.h"

namespace planner::memory {

/// The pool of all ranks: blocks of tokens, shared by what the layers cache.
class ServerPool {
 public:
  ServerPool(const Model& model, const Workload& workload, const ServerRules& rules, bool windows, const engine::Ranks& ranks,
             const engine::StepLimits& limits, const std::vector<engine::Stage>& stages);

  /// Bytes on a rank of this stage that `sequences` of `context` tokens each take from the pool.
  [[nodiscard]] std::int64_t needed_bytes(std::size_t stage, std::int64_t sequences, std::int64_t context) const;
  /// Bytes of states on a rank of this stage that lie beside the pool.
  [[nodiscard]] std::int64_t state_bytes(std::size_t stage, std::int64_t sequences) const;
  [[nodiscard]] std::int64_t block_tokens() const { return block_tokens_; }
  [[nodiscard]] bool is_empty() const { return groups_.empty(); }

  struct Capacity {
    std::int64_t tokens = 0;  ///< as the engine prints them
    double requests = 0;      ///< of `context` tokens each
  };
  /// What pools of these bytes, one for each stage, hold: the smallest decides.
  [[nodiscard]] Capacity capacity(const std::vector<std::int64_t>& bytes, std::int64_t context) const;

 private:
  /// Layers that share a block table.
  struct Group {
    std::int64_t block_tokens = 0;  ///< tokens of a block; 0: a page is one state
    std::int64_t window = 0;        ///< 0: all tokens
    std::vector<std::int64_t> layers_of_stage;
  };
  [[nodiscard]] std::int64_t request_blocks(std::int64_t context) const;

  const ServerRules& rules_;
  std::int64_t step_tokens_ = 0;
  std::int64_t block_tokens_ = 0;
  std::vector<Group> groups_;
  std::vector<std::int64_t> block_bytes_;  ///< of each stage: one block id over all its layers
  std::vector<std::int64_t> state_bytes_;  ///< of each stage and sequence, beside the pool
  // per_kind
  struct Linear {
    std::int64_t token_bytes = 0, window = 0;
  };
  std::vector<std::vector<Linear>> linear_;
};

}  // namespace planner::memory
