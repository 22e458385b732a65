#include "runtime/session.h"

#include <algorithm>
#include <bit>
#include <new>
#include <numeric>

#include "planner/error.h"
#include "session/attention.h"
#include "session/experts.h"
#include "session/kv_cache.h"
#include "session/step.h"
#include "transformer/weights.h"
#include "vector/vector.h"

namespace planner::runtime {
namespace {

[[noreturn]] void refuse(const std::string& problem) { throw Error(ErrorKind::usage, problem); }

constexpr std::int64_t kUsualContext = 8192;  // what libplanner estimates for, where nobody says
constexpr std::int64_t kMostContext = std::int64_t{1} << 31;
constexpr double kMostBytes = 1e15;  // far beyond any machine, far below overflow

CacheType cache_type(FormatId id, std::string_view which) {
  switch (id) {
    case FormatId::f32: return CacheType::f32;
    case FormatId::f16: return CacheType::f16;
    case FormatId::q8_0: return CacheType::q8_0;
    default: refuse("KV cache type " + std::string(tensor_format(id).name) + " for " + std::string(which) + " is not supported, expected F32, F16 or Q8_0");
  }
}

/// Options with the open ones filled in, checked against the model.
struct Plan {
  Plan(const Transformer& model, const SessionOptions& options) : n_sequences(options.n_sequences), path(options.path) {
    const auto limit = model.context_length();
    context = options.context != 0 ? options.context : limit > 0 ? std::min(limit, kUsualContext) : kUsualContext;
    if (context < 1 || context > kMostContext) refuse("a context of " + std::to_string(context) + " tokens, expected 1 to " + std::to_string(kMostContext));
    if (n_sequences < 1 || n_sequences > 4096) refuse(std::to_string(n_sequences) + " sequences, expected 1 to 4096");
    if (options.ubatch < 1 || options.ubatch > 65536) refuse("a ubatch of " + std::to_string(options.ubatch) + " tokens, expected 1 to 65536");
    ubatch = std::max(std::min(options.ubatch, context), n_sequences);  // append_each() takes a token of each
    keys = cache_type(options.kv_type_k, "keys");
    values = cache_type(options.kv_type_v, "values");
    for (const auto& layer : model.weights().layers) {
      const bool divides = (keys != CacheType::q8_0 || (layer.head_dim % 32 == 0 && (!layer.values_in_keys || layer.head_dim_v % 32 == 0))) &&
                           (values != CacheType::q8_0 || layer.values_in_keys || layer.head_dim_v % 32 == 0);
      if (!divides) {
        refuse("a KV cache of Q8_0 has blocks of 32 values, the heads of this model have " + std::to_string(layer.head_dim) + " and " +
               std::to_string(layer.head_dim_v));
      }
    }
    check_size(model.weights());
  }

  /// In floating point, which does not overflow.
  void check_size(const Weights& weights) const {
    double rows = 0;
    for (const auto& layer : weights.layers) rows += static_cast<double>(layer.n_kv_heads) * static_cast<double>(layer.head_dim + layer.head_dim_v);
    const double bytes = 4 * rows * static_cast<double>(context) * static_cast<double>(n_sequences);
    if (bytes > kMostBytes)
      refuse("no machine has memory for " + std::to_string(n_sequences) + " sequences of " + std::to_string(context) + " tokens of this model");
  }

  std::int64_t context = 0, n_sequences = 1, ubatch = 0;
  CacheType keys = CacheType::f16, values = CacheType::f16;
  Path path;
};

}  // namespace

struct Session::Impl {
  Impl(const Transformer& m, ThreadPool& p, const SessionOptions& options)
      : model(m),
        weights(m.weights()),
        plan(m, options),
        cache(weights, plan.context, plan.n_sequences, plan.ubatch, plan.keys, plan.values),
        step(weights, plan.context, plan.ubatch, p, plan.path),
        lengths(static_cast<std::size_t>(plan.n_sequences), 0),
        written(lengths) {}

  std::size_t checked(std::int64_t sequence) const {
    if (sequence < 0 || sequence >= plan.n_sequences) refuse("sequence " + std::to_string(sequence) + " of " + std::to_string(plan.n_sequences));
    return static_cast<std::size_t>(sequence);
  }

  void check(std::int64_t sequence, std::span<const TokenId> tokens) const {
    const auto length = lengths[checked(sequence)];
    if (length + static_cast<std::int64_t>(tokens.size()) > plan.context) {
      refuse(std::to_string(length) + " tokens and " + std::to_string(tokens.size()) + " more do not fit into a context of " + std::to_string(plan.context));
    }
    for (const auto id : tokens) {
      if (id < 0 || id >= weights.hp.vocab_size) refuse("token " + std::to_string(id) + " of a vocabulary of " + std::to_string(weights.hp.vocab_size));
    }
  }

  /// A row of logits that are numbers; else the file is to blame, or the model.
  void check_logits() const {
    constexpr std::uint32_t kExponent = 0x7F800000;
    std::uint32_t damaged = 0;
    for (const float x : logits) damaged |= (std::bit_cast<std::uint32_t>(x) & kExponent) == kExponent ? 1U : 0U;
    if (damaged == 0) return;
    model.file().check_blocks();
    throw Error(ErrorKind::invalid_file, model.file().header().path.string() + ": its weights give logits that are no finite numbers");
  }

  const Transformer& model;
  const Weights& weights;
  Plan plan;
  KvCache cache;
  Step step;
  std::vector<std::int64_t> lengths;
  std::vector<std::int64_t> written;  // per sequence: positions that were ever written since it was cleared
  std::vector<BatchToken> batch;
  std::vector<std::int64_t> wanted;
  std::vector<float> logits;
};

SessionMemory session_memory(const Transformer& model, const SessionOptions& options, int n_threads) {
  const Plan plan(model, options);
  const auto& w = model.weights();
  return {KvCache::bytes(w, plan.context, plan.n_sequences, plan.ubatch, plan.keys, plan.values), Step::bytes(w, plan.ubatch, n_threads) + 4 * w.hp.vocab_size};
}

Session::Session(const Transformer& model, ThreadPool& pool, const SessionOptions& options) {
  const auto needed = session_memory(model, options, pool.size());
  try {
    impl_ = std::make_unique<Impl>(model, pool, options);
  } catch (const std::bad_alloc&) {
    refuse("no memory for a KV cache of " + std::to_string(needed.kv_cache_bytes) + " bytes and buffers of " + std::to_string(needed.buffer_bytes));
  }
}
Session::~Session() = default;

std::int64_t Session::context() const { return impl_->plan.context; }
std::int64_t Session::length(std::int64_t sequence) const { return impl_->lengths[impl_->checked(sequence)]; }

SessionMemory Session::memory() const {
  const auto& p = impl_->plan;
  const auto& w = impl_->weights;
  return {KvCache::bytes(w, p.context, p.n_sequences, p.ubatch, p.keys, p.values), Step::bytes(w, p.ubatch, impl_->step.n_threads()) + 4 * w.hp.vocab_size};
}

std::span<const float> Session::append(std::int64_t sequence, std::span<const TokenId> tokens, std::int64_t n_logits) {
  auto& s = *impl_;
  s.check(sequence, tokens);
  const auto n = static_cast<std::int64_t>(tokens.size());
  if (n_logits < 0 || n_logits > n) refuse("logits of " + std::to_string(n_logits) + " positions of " + std::to_string(n) + " tokens");
  const auto vocab = s.weights.hp.vocab_size;
  s.logits.resize(static_cast<std::size_t>(n_logits * vocab));
  auto& length = s.lengths[static_cast<std::size_t>(sequence)];
  const auto before = length;
  for (std::int64_t at = 0; at < n; at += s.plan.ubatch) {
    const auto count = std::min(s.plan.ubatch, n - at);
    s.batch.clear();
    s.wanted.clear();
    for (std::int64_t i = 0; i < count; ++i) {
      s.batch.push_back({sequence, length + i, tokens[static_cast<std::size_t>(at + i)]});
      if (at + i >= n - n_logits) s.wanted.push_back(i);
    }
    const auto row = std::max<std::int64_t>(0, at - (n - n_logits));
    s.step.run(s.batch, s.wanted, s.cache, s.logits.data() + row * vocab);
    length += count;
    auto& written = s.written[static_cast<std::size_t>(sequence)];
    written = std::max(written, length);
  }
  try {
    s.check_logits();
  } catch (...) {
    length = before;
    throw;
  }
  return s.logits;
}

std::span<const float> Session::append_each(std::span<const SequenceToken> tokens) {
  auto& s = *impl_;
  std::vector<bool> seen(s.lengths.size());
  s.batch.clear();
  for (const auto& t : tokens) {
    s.check(t.sequence, {&t.token, 1});
    const auto sequence = static_cast<std::size_t>(t.sequence);
    if (seen[sequence]) refuse("sequence " + std::to_string(t.sequence) + " twice");
    seen[sequence] = true;
    s.batch.push_back({t.sequence, s.lengths[sequence], t.token});
  }
  s.logits.resize(tokens.size() * static_cast<std::size_t>(s.weights.hp.vocab_size));
  s.wanted.resize(tokens.size());
  std::iota(s.wanted.begin(), s.wanted.end(), 0);
  if (!tokens.empty()) s.step.run(s.batch, s.wanted, s.cache, s.logits.data());
  s.check_logits();
  for (const auto& t : tokens) {
    const auto i = static_cast<std::size_t>(t.sequence);
    s.written[i] = std::max(s.written[i], ++s.lengths[i]);
  }
  return s.logits;
}

bool Session::rewind(std::int64_t sequence, std::int64_t length) {
  auto& s = *impl_;
  const auto i = s.checked(sequence);
  if (length < 0 || length > s.lengths[i]) refuse("back to " + std::to_string(length) + " tokens of " + std::to_string(s.lengths[i]));
  for (std::size_t layer = 0; layer < s.weights.layers.size(); ++layer) {
    // The next token sees window - 1 earlier ones; the ring holds the last `capacity` positions that were written.
    const auto window = s.weights.layers[layer].window;
    if (window > 0 && std::max<std::int64_t>(0, length - window + 1) < s.written[i] - s.cache.capacity(layer)) return false;
  }
  s.lengths[i] = length;
  if (length == 0) s.written[i] = 0;
  return true;
}

std::int64_t Session::kv_bytes_per_token(std::int64_t length) const {
  const auto& p = impl_->plan;
  std::int64_t bytes = 0;
  for (const auto& layer : impl_->weights.layers) {
    const auto seen = layer.window > 0 ? std::min(length, layer.window) : length;
    bytes += seen * layer.n_kv_heads * (cache_row_bytes(p.keys, layer.head_dim) + (layer.values_in_keys ? 0 : cache_row_bytes(p.values, layer.head_dim_v)));
  }
  return bytes;
}

void Session::clear(std::int64_t sequence) {
  const auto i = impl_->checked(sequence);
  impl_->lengths[i] = impl_->written[i] = 0;
}

void Session::copy(std::int64_t from, std::int64_t to) {
  const auto a = impl_->checked(from), b = impl_->checked(to);
  if (a == b) return;
  impl_->cache.copy(from, to);
  impl_->lengths[b] = impl_->lengths[a];
  impl_->written[b] = impl_->written[a];
}

}  // namespace planner::runtime
