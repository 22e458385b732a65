// Keys and values of the tokens so far, per layer and sequence. The rows of a KV head lie one after the other, so that attention reads them as
// a stream; layers with a window keep no more than it, in a ring.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "transformer/weights.h"
#include "vector/vector.h"

namespace planner::runtime {

class KvCache {
 public:
  /// `ubatch`: tokens that are written before the first of them is attended from.
  KvCache(const Weights& weights, std::int64_t context, std::int64_t n_sequences, std::int64_t ubatch, CacheType keys, CacheType values);

  [[nodiscard]] static std::int64_t bytes(const Weights& weights, std::int64_t context, std::int64_t n_sequences, std::int64_t ubatch, CacheType keys,
                                          CacheType values);

  /// Positions that a layer keeps: position p is at slot p % capacity.
  [[nodiscard]] std::int64_t capacity(std::size_t layer) const { return layers_[layer].capacity; }
  [[nodiscard]] CacheRows keys(std::size_t layer, std::int64_t sequence, std::int64_t head) const;
  [[nodiscard]] CacheRows values(std::size_t layer, std::int64_t sequence, std::int64_t head) const;
  [[nodiscard]] std::byte* key_row(std::size_t layer, std::int64_t sequence, std::int64_t head, std::int64_t position);
  [[nodiscard]] std::byte* value_row(std::size_t layer, std::int64_t sequence, std::int64_t head, std::int64_t position);
  [[nodiscard]] CacheType key_type() const { return key_type_; }
  [[nodiscard]] CacheType value_type() const { return value_type_; }
  void copy(std::int64_t from, std::int64_t to);

 private:
  struct LayerCache {
    std::int64_t capacity = 0;
    std::int64_t key_bytes = 0, value_bytes = 0;  // of a row; no values where they are in the keys
    std::int64_t n_heads = 0;
    std::int64_t keys_at = 0, values_at = 0;  // in the memory of a sequence
  };
  [[nodiscard]] static std::vector<LayerCache> lay_out(const Weights& weights, std::int64_t context, std::int64_t ubatch, CacheType keys, CacheType values,
                                                       std::int64_t* sequence_bytes);

  CacheType key_type_, value_type_;
  std::int64_t sequence_bytes_ = 0;  // set while layers_ are laid out
  std::vector<LayerCache> layers_;
  struct Free {
    void operator()(std::byte* memory) const;
  };
  std::unique_ptr<std::byte[], Free> memory_;  // not touched before it is written: pages come as the cache fills
};

}  // namespace planner::runtime
