// A model's geometry in words: layers, norms, positions, what a sequence keeps.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "catalog/names.h"
#include "core/text.h"
#include "planner/kv_cache.h"
#include "planner/listing.h"

namespace planner {
namespace {

// ---------------------------------------------------------------------------------------------------------------------
// Layers
// ---------------------------------------------------------------------------------------------------------------------

std::string counted(std::int64_t n, std::string_view one) { return fmt::format("{} {}{}", n, one, n == 1 ? "" : "s"); }

std::string heads_in_words(std::int64_t n_heads, std::int64_t n_kv_heads, std::int64_t head_dim, std::int64_t head_dim_v) {
  std::string out = counted(n_heads, "head");
  if (n_kv_heads != n_heads) out += " over " + counted(n_kv_heads, "KV head");
  out += fmt::format(" of {}", head_dim);
  if (head_dim_v != head_dim) out += fmt::format(" (values {})", head_dim_v);
  return out;
}

std::string indexer_in_words(std::int64_t n_heads, std::int64_t head_dim) {
  if (n_heads == 0 && head_dim == 0) return {};
  return n_heads > 0 ? fmt::format(", sparse by an indexer of {} heads of {}", n_heads, head_dim) : fmt::format(", sparse by an indexer of {}", head_dim);
}

struct MixerWords {
  std::string operator()(const Attention& a) const {
    std::string out = "full attention";
    if (a.cross_tokens > 0)
      out = fmt::format("cross-attention to {} image tokens", a.cross_tokens);
    else if (a.chunked)
      out = fmt::format("attention in chunks of {} tokens", a.window);
    else if (a.window > 0)
      out = fmt::format("sliding attention over {} tokens", a.window);
    out += ", " + heads_in_words(a.n_heads, a.n_kv_heads, a.head_dim, a.head_dim_v);
    if (a.v_is_k) out += ", values are the keys";
    if (a.sinks) out += ", attention sinks";
    if (a.gated) out += ", gated output";
    out += indexer_in_words(0, a.indexer_head_dim);
    if (a.shares_kv_of >= 0) out += ", an earlier layer's cache";
    return out;
  }
  std::string operator()(const MlaAttention& a) const {
    std::string out = fmt::format("multi-head latent attention, {} over a row of {} + {}", counted(a.n_heads, "head"), a.kv_lora_rank, a.qk_rope_head_dim);
    if (a.q_lora_rank > 0) out += fmt::format(", query rank {}", a.q_lora_rank);
    return out + indexer_in_words(a.indexer_heads, a.indexer_head_dim);
  }
  std::string operator()(const CompressedAttention& a) const {
    std::string out = fmt::format("compressed attention, {} over one row of {}, {} tokens uncompressed", counted(a.n_heads, "head"), a.head_dim, a.window);
    if (a.compress_ratio > 0) out += fmt::format(", then a row per {} tokens", a.compress_ratio);
    return out + indexer_in_words(a.indexer_heads, a.indexer_head_dim);
  }
  std::string operator()(const Mamba& m) const {
    if (m.n_heads == 0) return fmt::format("Mamba, {} channels with a state of {}", m.inner_size, m.state_size);
    return fmt::format("Mamba-2, {} of {} with a state of {}", counted(m.n_heads, "head"), m.inner_size / m.n_heads, m.state_size);
  }
  std::string operator()(const LinearAttention& a) const {
    constexpr std::array<std::string_view, 3> kNames = {"gated delta net", "Kimi delta attention", "lightning attention"};
    return fmt::format("{}, {} of {}, {} of {}", kNames[static_cast<std::size_t>(a.kind)], counted(a.n_k_heads, "key head"), a.k_head_dim,
                       counted(a.n_v_heads, "value head"), a.v_head_dim);
  }
  std::string operator()(const ShortConv& c) const { return fmt::format("short convolution over {} tokens", c.kernel); }
  std::string operator()(const Rwkv& r) const { return "RWKV time mix, " + heads_in_words(r.n_heads, r.n_heads, r.head_dim, r.head_dim); }
};

struct FeedForwardWords {
  std::string operator()(const DenseFfn& f) const { return fmt::format("dense feed-forward {}{}", f.size, f.gated ? "" : " without gate"); }
  std::string operator()(const MoeFfn& f) const {
    std::string out = fmt::format("{} of {} experts of {}{}", f.n_active, f.n_experts, f.expert_size, f.gated ? "" : " without gate");
    if (f.shared_size > 0) out += fmt::format(" and a shared one of {}", f.shared_size);
    return out;
  }
};

template <typename Variants, typename Words>
std::string joined(const Variants& parts, Words words) {
  std::string out;
  for (const auto& part : parts) out += (out.empty() ? "" : " + ") + std::visit(words, part);
  return out;
}

/// Layers without a recorded mixer that have attention all the same: an encoder's, which keeps nothing.
std::vector<bool> encoder_layers(const Model& model) {
  std::vector<bool> out(model.layers.size());
  for (const auto& t : model.tensors) {
    const bool attends = t.role == TensorRole::attn_q || t.role == TensorRole::attn_qkv;
    if (!attends || t.layer < 0 || static_cast<std::size_t>(t.layer) >= out.size() || (t.part != ModelPart::text && t.part != ModelPart::mtp)) continue;
    out[static_cast<std::size_t>(t.layer)] = true;
  }
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = out[i] && model.layers[i].mixers.empty();
  return out;
}

std::string ordinal(std::int64_t n) {
  const auto tens = n % 100;
  if (tens >= 11 && tens <= 13) return fmt::format("{}th", n);
  constexpr std::array<std::string_view, 4> kEndings = {"th", "st", "nd", "rd"};
  return fmt::format("{}{}", n, n % 10 < 4 ? kEndings[static_cast<std::size_t>(n % 10)] : kEndings[0]);
}

/// "every 6th from 5" where the numbers are exactly those up to `n`; else nothing.
std::string period_in_words(const std::vector<std::int64_t>& numbers, std::int64_t n) {
  if (numbers.size() < 3) return {};
  const auto step = numbers[1] - numbers[0];
  if (step < 2 || numbers.front() >= step || numbers.back() + step < n) return {};
  for (std::size_t i = 1; i < numbers.size(); ++i) {
    if (numbers[i] - numbers[i - 1] != step) return {};
  }
  return fmt::format("every {} from {}", ordinal(step), numbers.front());
}

// ---------------------------------------------------------------------------------------------------------------------
// Positions
// ---------------------------------------------------------------------------------------------------------------------

bool is_one_of(std::string_view name, std::initializer_list<std::string_view> names) { return std::find(names.begin(), names.end(), name) != names.end(); }

/// The objects of a config that may hold a text model's keys, the inner one first.
std::vector<const nlohmann::json*> scopes_of(const nlohmann::json& root) {
  std::vector<const nlohmann::json*> out;
  for (const char* key : {"text_config", "language_config", "llm_config"}) {
    if (const auto it = root.find(key); it != root.end() && it->is_object()) out.push_back(&*it);
  }
  out.push_back(&root);
  return out;
}

const nlohmann::json* find_key(const std::vector<const nlohmann::json*>& scopes, std::initializer_list<const char*> keys) {
  for (const auto* scope : scopes) {
    for (const char* key : keys) {
      if (const auto it = scope->find(key); it != scope->end() && !it->is_null()) return &*it;
    }
  }
  return nullptr;
}

std::optional<double> find_number(const std::vector<const nlohmann::json*>& scopes, std::initializer_list<const char*> keys) {
  const auto* v = find_key(scopes, keys);
  return v != nullptr && v->is_number() ? std::optional(v->get<double>()) : std::nullopt;
}

bool is_true(const nlohmann::json* v) { return v != nullptr && v->is_boolean() && v->get<bool>(); }

bool has_mixer_that_attends(const Model& model) {
  const auto attends = [](const Mixer& m) {
    return std::holds_alternative<Attention>(m) || std::holds_alternative<MlaAttention>(m) || std::holds_alternative<CompressedAttention>(m);
  };
  return std::any_of(model.layers.begin(), model.layers.end(), [&](const Layer& l) { return std::any_of(l.mixers.begin(), l.mixers.end(), attends); });
}

PositionEncoding::Kind kind_of(const Model& model, const std::vector<const nlohmann::json*>& scopes) {
  using Kind = PositionEncoding::Kind;
  const auto& hp = model.hyperparameters;
  const std::string_view architecture = hp.architecture;
  if (std::any_of(model.tensors.begin(), model.tensors.end(), [](const Tensor& t) { return t.name == "position_embd.weight"; })) return Kind::learned;
  const auto encoder = encoder_layers(model);
  if (!has_mixer_that_attends(model) && std::find(encoder.begin(), encoder.end(), true) == encoder.end()) return Kind::none;
  // Baichuan's 13B is told by its depth, as in llama.cpp (src/models/baichuan.cpp).
  constexpr std::int64_t kLayersOfBaichuan13B = 40;
  if (architecture == "bloom" || (architecture == "baichuan" && hp.n_layers == kLayersOfBaichuan13B) || is_true(find_key(scopes, {"alibi"})))
    return Kind::alibi;
  if (architecture == "mpt") {
    const auto* attention = find_key(scopes, {"attn_config"});
    return attention == nullptr || attention->value("alibi", true) ? Kind::alibi : Kind::unknown;
  }
  if (is_one_of(architecture, {"jamba", "nemotron_h", "nemotron_h_moe", "kimi-linear", "kimi-k3"})) return Kind::none;
  if (architecture == "granitehybrid" && hp.model_type != "bamba") {
    const auto* stated = find_key(scopes, {"position_embedding_type"});
    if (stated == nullptr || !stated->is_string()) return Kind::unknown;
    return stated->get<std::string>() == "rope" ? Kind::rope : Kind::none;
  }
  return Kind::rope;
}

std::string grouped(double value) {
  const auto n = static_cast<std::int64_t>(value);
  if (static_cast<double>(n) != value && value < 1000) return fmt::format("{}", value);
  std::string digits = std::to_string(n);
  for (auto i = static_cast<std::ptrdiff_t>(digits.size()) - 3; i > 0; i -= 3) digits.insert(static_cast<std::size_t>(i), ",");
  return digits;
}

/// "1,008", "82.6", "7.40"
std::string three_digits(double value) {
  if (value >= 1000) return grouped(std::round(value));
  return fmt::format("{:.{}f}", value, value >= 100 ? 0 : value >= 10 ? 1 : 2);
}

}  // namespace

std::vector<LayerGroup> layer_groups(const Model& model) {
  std::vector<LayerGroup> groups;
  const auto encoder = encoder_layers(model);
  const auto& hp = model.hyperparameters;
  for (std::size_t i = 0; i < model.layers.size(); ++i) {
    const auto& layer = model.layers[i];
    LayerGroup g;
    g.mtp = layer.mtp;
    g.mixers = encoder[i] ? fmt::format("attention in both directions, {}, no cache", heads_in_words(hp.n_heads, hp.n_kv_heads, hp.head_dim, hp.head_dim_v))
                          : joined(layer.mixers, MixerWords{});
    g.feed_forwards = joined(layer.ffns, FeedForwardWords{});
    auto it = std::find_if(groups.begin(), groups.end(),
                           [&](const LayerGroup& other) { return other.mtp == g.mtp && other.mixers == g.mixers && other.feed_forwards == g.feed_forwards; });
    if (it == groups.end()) it = groups.insert(groups.end(), std::move(g));
    it->layers.push_back(static_cast<std::int64_t>(i));
  }
  return groups;
}

std::string layers_in_words(const LayerGroup& group, const Model& model) {
  std::vector<std::int64_t> others;
  for (std::size_t i = 0; i < model.layers.size(); ++i) {
    const auto n = static_cast<std::int64_t>(i);
    if (model.layers[i].mtp == group.mtp && !std::binary_search(group.layers.begin(), group.layers.end(), n)) others.push_back(n);
  }
  if (others.empty()) return "all";
  const auto n = static_cast<std::int64_t>(group.layers.size() + others.size());
  if (auto period = period_in_words(group.layers, n); !period.empty()) return period;

  struct Range {
    std::int64_t first, last;
  };
  std::vector<Range> ranges;
  for (const auto layer : group.layers) {
    if (!ranges.empty() && ranges.back().last + 1 == layer)
      ranges.back().last = layer;
    else
      ranges.push_back({layer, layer});
  }
  constexpr std::size_t kShown = 6;
  if (ranges.size() > kShown) {
    if (const auto period = period_in_words(others, n); !period.empty()) return "all but " + period;
  }
  std::string out;
  for (std::size_t i = 0; i < std::min(ranges.size(), kShown); ++i) {
    const auto [first, last] = ranges[i];
    out += (i > 0 ? ", " : "") + (first == last ? fmt::format("{}", first) : fmt::format("{}{}{}", first, first + 1 == last ? ", " : " to ", last));
  }
  if (ranges.size() > kShown) out += ", ...";
  return out;
}

std::string_view normalization_of(const Model& model) {
  // Norms without biases that are LayerNorms; OLMo's have no weights either.
  if (is_one_of(model.hyperparameters.architecture, {"command-r", "cohere2", "dbrx", "mpt", "olmo", "modern-bert"})) return "LayerNorm";
  const auto has_bias = [](const Tensor& t) {
    return t.part == ModelPart::text &&
           (t.name == "output_norm.bias" || text::ends_with(t.name, ".attn_norm.bias") || text::ends_with(t.name, ".attn_output_norm.bias"));
  };
  // Nomic's and BERT's norm behind the embedding.
  const auto has_embedding_bias = [](const Tensor& t) { return t.name == "token_embd_norm.bias"; };
  const auto& tensors = model.tensors;
  return std::any_of(tensors.begin(), tensors.end(), has_bias) || std::any_of(tensors.begin(), tensors.end(), has_embedding_bias) ? "LayerNorm" : "RMSNorm";
}

std::string activation_of(const Model& model) {
  const auto& hp = model.hyperparameters;
  if (!hp.activation.empty()) return hp.activation;
  struct Default {
    std::string_view architecture, activation;
  };
  constexpr Default kDefaults[] = {
      {"gemma", "gelu_pytorch_tanh"},
      {"gemma2", "gelu_pytorch_tanh"},
      {"gemma3", "gelu_pytorch_tanh"},
      {"gemma3n", "gelu_pytorch_tanh"},
      {"gemma4", "gelu_pytorch_tanh"},
      {"gemma-embedding", "gelu_pytorch_tanh"},
      {"starcoder", "gelu_pytorch_tanh"},
      {"starcoder2", "gelu_pytorch_tanh"},
      {"gpt2", "gelu_new"},
      {"gptj", "gelu_new"},
      {"phi2", "gelu_new"},
      {"gptneox", "gelu"},
      {"bloom", "gelu"},
      {"mpt", "gelu"},
      {"falcon", "gelu"},
      {"grok", "gelu"},
      {"bert", "gelu"},
      {"nomic-bert-moe", "gelu"},
      {"modern-bert", "gelu"},
      {"phi3small", "gegelu"},
      {"nemotron", "relu2"},
      {"nemotron_h", "relu2"},
      {"nemotron_h_moe", "relu2"},
      {"arcee", "relu2"},
      {"rwkv6", "relu2"},
      {"rwkv7", "relu2"},
      {"apertus", "xielu"},
      {"smallthinker", "relu"},
      {"mamba", "silu"},
      {"mamba2", "silu"},
  };
  for (const auto& d : kDefaults) {
    if (d.architecture == hp.architecture) return std::string(d.activation);
  }
  // Every other architecture that is described here has SwiGLU.
  const auto is_gated = [](const FeedForward& f) { return std::visit([](const auto& ffn) { return ffn.gated; }, f); };
  const auto gated_layer = [&](const Layer& l) { return std::any_of(l.ffns.begin(), l.ffns.end(), is_gated); };
  return std::any_of(model.layers.begin(), model.layers.end(), gated_layer) ? "silu" : std::string();
}

std::string_view to_string(PositionEncoding::Kind kind) {
  constexpr std::array<std::string_view, 5> kNames = {"", "rope", "alibi", "learned", "none"};
  return kNames[static_cast<std::size_t>(kind)];
}

std::string_view to_string(RopeScaling scaling) {
  constexpr std::array<std::string_view, 6> kNames = {"none", "linear", "dynamic", "llama3", "yarn", "longrope"};
  return kNames[static_cast<std::size_t>(scaling)];
}

PositionEncoding position_encoding(const ModelEntry& entry) {
  PositionEncoding p;
  const auto* model = entry.find_model();
  const auto root = nlohmann::json::parse(entry.config_json, nullptr, false);
  if (model == nullptr || !root.is_object()) return p;
  auto scopes = scopes_of(root);
  p.kind = kind_of(*model, scopes);
  if (p.kind != PositionEncoding::Kind::rope) return p;

  const auto& hp = model->hyperparameters;
  if (hp.kv_lora_rank == 0 && hp.rotary_dim > 0 && hp.rotary_dim < hp.head_dim) p.rotated = hp.rotary_dim;
  // Newer configs keep the frequencies of full and sliding layers apart.
  auto sliding_scopes = scopes;
  if (const auto* parameters = find_key(scopes, {"rope_parameters"}); parameters != nullptr && parameters->is_object()) {
    const auto full = parameters->find("full_attention");
    scopes.push_back(full != parameters->end() && full->is_object() ? &*full : parameters);
    const auto sliding = parameters->find("sliding_attention");
    if (sliding != parameters->end() && sliding->is_object()) p.sliding_base = find_number({&*sliding}, {"rope_theta"});
  }
  p.base = find_number(scopes, {"rope_theta", "rotary_emb_base", "global_rope_theta"});
  if (!p.sliding_base) p.sliding_base = find_number(sliding_scopes, {"rope_local_base_freq", "local_rope_theta", "swa_rope_theta"});
  if (p.sliding_base == p.base) p.sliding_base.reset();

  p.scaling = hp.rope_scaling;
  if (p.scaling == RopeScaling::none) return p;
  auto inner = std::vector<const nlohmann::json*>();
  for (const char* key : {"rope_scaling", "rope_parameters"}) {
    if (const auto* v = find_key(scopes, {key}); v != nullptr && v->is_object()) inner.push_back(v);
  }
  p.factor = find_number(inner, {"factor"});
  for (const auto* scope : scopes) inner.push_back(scope);
  if (const auto original = find_number(inner, {"original_max_position_embeddings"})) p.original_context = static_cast<std::int64_t>(*original);
  return p;
}

std::string in_words(const PositionEncoding& p) {
  using Kind = PositionEncoding::Kind;
  switch (p.kind) {
    case Kind::unknown: return {};
    case Kind::alibi: return "ALiBi";
    case Kind::learned: return "learned table";
    case Kind::none: return "none";
    case Kind::rope: break;
  }
  std::string out = "RoPE";
  if (p.rotated) out += fmt::format(" on {} dimensions of a head", *p.rotated);
  if (p.base) out += ", base " + grouped(*p.base);
  if (p.sliding_base) out += fmt::format(" ({} in sliding layers)", grouped(*p.sliding_base));
  if (p.scaling == RopeScaling::none) return out;
  out += fmt::format(", {} scaling", to_string(p.scaling));
  if (p.factor) out += " x " + grouped(*p.factor);
  if (p.original_context) out += " over " + grouped(static_cast<double>(*p.original_context));
  return out;
}

std::vector<const ModelEntry*> derivatives_of(const ModelEntry& entry, const Catalog& catalog) {
  std::vector<const ModelEntry*> out;
  const auto same = [](std::string_view a, std::string_view b) { return !a.empty() && names::model_key(a) == names::model_key(b); };
  for (const auto* m : catalog.models()) {
    if (m == &entry || m->base_model.empty()) continue;
    if (same(m->base_model, entry.hf_id) || same(m->base_model, entry.id) || same(m->base_model, entry.name)) out.push_back(m);
  }
  return out;
}

CacheSummary cache_summary(const Model& model) {
  CacheSummary s;
  for (const auto& layer : model.layers) {
    if (layer.mtp) continue;
    for (const auto& mixer : layer.mixers) {
      const auto needs = cache_needs(mixer, FormatId::f16, FormatId::f16);
      for (const auto& cache : needs.token_caches()) {
        const auto bytes = (cache.row_bytes_k + cache.row_bytes_v) / cache.tokens_per_row;
        s.bytes_per_token += bytes;
        if (cache.window == 0) s.bytes_per_token_beyond_windows += bytes;
      }
    }
  }
  s.recurrent_state_bytes = recurrent_state_bytes(model);
  constexpr std::array<std::int64_t, 3> kTokens = {8192, 32768, 131072};
  for (std::size_t i = 0; i < kTokens.size(); ++i) s.at[i] = {kTokens[i], kv_cache_bytes(model, kTokens[i], FormatId::f16, FormatId::f16)};
  return s;
}

std::optional<double> base_bits_per_weight(const Quantization& quantization) {
  if (const auto* recipe = std::get_if<GgufRecipe>(&quantization.recipe)) return tensor_format(recipe->base).bits_per_weight();
  const auto& s = std::get<GroupScheme>(quantization.recipe);
  if (s.bits <= 0) return std::nullopt;
  const auto share = static_cast<double>(s.group * std::max<std::int64_t>(1, s.block_rows));
  return s.bits + (share > 0 ? (s.scale_bits + s.zero_bits) / share : 0.0);
}

std::string publisher_in_words(const Publisher& publisher) {
  std::vector<std::string> parts;
  if (publisher.imatrix == "always") parts.emplace_back("with an importance matrix");
  else if (publisher.imatrix == "never") parts.emplace_back("without an importance matrix");
  else if (!publisher.imatrix.empty()) parts.push_back("with an importance matrix since " + publisher.imatrix);
  std::vector<std::string> mixes;
  for (const auto& mix : publisher.mixes) mixes.push_back(mix.name);
  if (!mixes.empty()) parts.push_back(fmt::format("own mixes {}", fmt::join(mixes, ", ")));
  if (!publisher.states.empty()) parts.push_back(fmt::format("recipe of {}", fmt::join(publisher.states, ", ")));
  if (!publisher.unpublished.empty()) parts.push_back(fmt::format("{}* not told", publisher.unpublished));
  if (!publisher.note.empty()) parts.push_back(publisher.note);
  return fmt::format("{}", fmt::join(parts, "; "));
}

std::string reference_model(const Catalog& catalog) {
  std::vector<std::pair<std::string, std::size_t>> counts;
  for (const auto* q : catalog.quantizations()) {
    std::vector<std::string> seen;
    for (const auto& m : q->measurements) {
      if (!m.kl_divergence || std::find(seen.begin(), seen.end(), m.model) != seen.end()) continue;
      seen.push_back(m.model);
      const auto it = std::find_if(counts.begin(), counts.end(), [&](const auto& c) { return c.first == m.model; });
      if (it == counts.end())
        counts.emplace_back(m.model, 1);
      else
        ++it->second;
    }
  }
  const auto most = std::max_element(counts.begin(), counts.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
  return most == counts.end() ? std::string() : most->first;
}

const QualityMeasurement* find_measurement(const Quantization& quantization, std::string_view model) {
  const auto* recipe = std::get_if<GgufRecipe>(&quantization.recipe);
  const bool with_imatrix = recipe != nullptr && recipe->imatrix != Imatrix::none;
  const QualityMeasurement* found = nullptr;
  for (const auto& m : quantization.measurements) {
    if (!m.kl_divergence || m.model != model) continue;
    if (found == nullptr || (found->imatrix != with_imatrix && m.imatrix == with_imatrix)) found = &m;
  }
  return found;
}

std::string format_bandwidth(BytesPerSecond rate) { return three_digits(rate.value() / 1e9) + " GB/s"; }

std::string format_ops(OpsPerSecond rate, std::string_view unit) { return fmt::format("{} {}", three_digits(rate.value() / 1e12), unit); }

std::string format_tokens(std::int64_t tokens) {
  if (tokens > 0 && tokens % (1 << 20) == 0) return fmt::format("{}M", tokens >> 20);
  if (tokens > 0 && tokens % (1 << 10) == 0 && tokens < (1 << 20)) return fmt::format("{}k", tokens >> 10);
  return grouped(static_cast<double>(tokens));
}

}  // namespace planner
