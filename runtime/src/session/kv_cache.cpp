#include "session/kv_cache.h"

#include <algorithm>
#include <cstring>
#include <new>

namespace planner::runtime {
namespace {

constexpr std::int64_t kAlignment = 64;

}  // namespace

std::vector<KvCache::LayerCache> KvCache::lay_out(const Weights& weights, std::int64_t context, std::int64_t ubatch, CacheType keys, CacheType values,
                                                  std::int64_t* sequence_bytes) {
  std::vector<LayerCache> layers;
  std::int64_t at = 0;
  const auto take = [&](std::int64_t bytes) {
    const auto begin = at;
    at += (bytes + kAlignment - 1) / kAlignment * kAlignment;
    return begin;
  };
  for (const auto& layer : weights.layers) {
    LayerCache c;
    // The tokens of a ubatch are written first, then attended from: the earliest of them still needs its whole window.
    c.capacity = layer.window > 0 ? std::min(context, layer.window + ubatch - 1) : context;
    c.n_heads = layer.n_kv_heads;
    c.key_bytes = cache_row_bytes(keys, layer.head_dim);
    c.value_bytes = layer.values_in_keys ? 0 : cache_row_bytes(values, layer.head_dim_v);
    c.keys_at = take(c.capacity * c.n_heads * c.key_bytes);
    c.values_at = take(c.capacity * c.n_heads * c.value_bytes);
    layers.push_back(c);
  }
  *sequence_bytes = at;
  return layers;
}

KvCache::KvCache(const Weights& weights, std::int64_t context, std::int64_t n_sequences, std::int64_t ubatch, CacheType keys, CacheType values)
    : key_type_(keys), value_type_(values), layers_(lay_out(weights, context, ubatch, keys, values, &sequence_bytes_)) {
  memory_.reset(static_cast<std::byte*>(::operator new[](static_cast<std::size_t>(sequence_bytes_ * n_sequences), std::align_val_t{kAlignment})));
}

void KvCache::Free::operator()(std::byte* memory) const { ::operator delete[](memory, std::align_val_t{kAlignment}); }

std::int64_t KvCache::bytes(const Weights& weights, std::int64_t context, std::int64_t n_sequences, std::int64_t ubatch, CacheType keys, CacheType values) {
  std::int64_t bytes = 0;
  static_cast<void>(lay_out(weights, context, ubatch, keys, values, &bytes));
  return bytes * n_sequences;
}

CacheRows KvCache::keys(std::size_t layer, std::int64_t sequence, std::int64_t head) const {
  const auto& c = layers_[layer];
  return {memory_.get() + sequence * sequence_bytes_ + c.keys_at + head * c.capacity * c.key_bytes, c.key_bytes, key_type_};
}

CacheRows KvCache::values(std::size_t layer, std::int64_t sequence, std::int64_t head) const {
  const auto& c = layers_[layer];
  if (c.value_bytes == 0) return keys(layer, sequence, head);
  return {memory_.get() + sequence * sequence_bytes_ + c.values_at + head * c.capacity * c.value_bytes, c.value_bytes, value_type_};
}

std::byte* KvCache::key_row(std::size_t layer, std::int64_t sequence, std::int64_t head, std::int64_t position) {
  const auto& c = layers_[layer];
  return memory_.get() + sequence * sequence_bytes_ + c.keys_at + (head * c.capacity + position % c.capacity) * c.key_bytes;
}

std::byte* KvCache::value_row(std::size_t layer, std::int64_t sequence, std::int64_t head, std::int64_t position) {
  const auto& c = layers_[layer];
  return memory_.get() + sequence * sequence_bytes_ + c.values_at + (head * c.capacity + position % c.capacity) * c.value_bytes;
}

void KvCache::copy(std::int64_t from, std::int64_t to) {
  std::memcpy(memory_.get() + to * sequence_bytes_, memory_.get() + from * sequence_bytes_, static_cast<std::size_t>(sequence_bytes_));
}

}  // namespace planner::runtime
