#include "import/gguf_layers.h"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>

#include "model/architecture.h"

namespace planner {
namespace {

// Image tokens that cross-attention layers attend to: 1601 patches of up to 4 tiles (Llama 3.2 Vision; fs/ggml/ggml.go of ollama/ollama).
constexpr std::int64_t kCrossTokens = std::int64_t{1601} * 4;

/// What the tensors of one layer are for.
struct Parts {
  bool softmax = false;  ///< attention with a cache
  bool latent = false;   ///< multi-head latent attention
  bool linear = false;   ///< delta nets: attention's projections beside a convolution
  bool mamba = false;
  bool short_conv = false;
  bool rwkv = false;
  bool cross = false;
};

Parts parts_of(const GgufIndex& index, std::int64_t layer) {
  Parts p;
  p.mamba = index.has(layer, "ssm_in.weight");
  const bool convolved = index.has(layer, "ssm_conv1d.weight") || index.has(layer, "ssm_conv1d_q.weight");
  p.linear = convolved && !p.mamba;
  p.latent = index.has(layer, "attn_kv_a_mqa.weight");
  p.softmax = !p.linear && !p.latent &&
              (index.has(layer, "attn_q.weight") || index.has(layer, "attn_k.weight") || index.has(layer, "attn_qkv.weight"));
  p.short_conv = index.has(layer, "shortconv.conv.weight");
  p.rwkv = index.has_prefix(layer, "time_mix_");
  p.cross = index.has(layer, "cross_attn_k_proj.weight");
  return p;
}

LayerKind sliding_or_full(const Hyperparameters& hp, std::int64_t layer) {
  const std::int64_t period = hp.extra_or("gguf.attention.sliding_window_pattern", 1);
  if (hp.sliding_window == 0 || period < 0 || period == 1) return LayerKind::full_attention;
  return period == 0 || (layer + 1) % period != 0 ? LayerKind::sliding_attention : LayerKind::full_attention;
}

/// Reads one layer after the other; the hyperparameters that no family has touched are the extras.
class LayerReader {
 public:
  LayerReader(const GgufIndex& index, const Hyperparameters& hp) : index_(index), hp_(hp) {}

  [[nodiscard]] Layer read(std::int64_t layer) const {
    Layer out;
    out.mtp = layer >= hp_.n_layers;
    const Parts p = parts_of(index_, layer);
    // An encoder keeps nothing.
    const bool cached = key("attention.causal", 1) != 0;
    if (p.mamba) out.mixers.emplace_back(mamba(layer));
    if (p.latent && cached) out.mixers.push_back(latent_attention(layer));
    if (p.softmax && cached) out.mixers.emplace_back(attention(layer));
    if (p.linear) out.mixers.emplace_back(linear_attention(layer));
    if (p.short_conv) {
      const auto* conv = index_.find(layer, "shortconv.conv.weight");
      out.mixers.emplace_back(ShortConv{conv->shape[0], conv->shape[1]});
    }
    if (p.rwkv) out.mixers.emplace_back(rwkv());
    if (p.cross) out.mixers.emplace_back(cross_attention());
    read_feed_forwards(layer, out);
    return out;
  }

 private:
  [[nodiscard]] std::int64_t key(const char* name, std::int64_t otherwise = 0) const {
    return hp_.extra_or(std::string("gguf.") + name, otherwise);
  }

  [[nodiscard]] std::int64_t rows(std::int64_t layer, std::string_view rest) const {
    const auto* tensor = index_.find(layer, rest);
    return tensor == nullptr ? 0 : tensor->shape[1];
  }
  [[nodiscard]] std::int64_t row_length(std::int64_t layer, std::string_view rest) const {
    const auto* tensor = index_.find(layer, rest);
    return tensor == nullptr ? 0 : tensor->shape[0];
  }

  [[nodiscard]] LayerKind kind(std::int64_t layer) const {
    const auto i = static_cast<std::size_t>(layer);
    return i < hp_.layer_kinds.size() ? hp_.layer_kinds[i] : LayerKind::full_attention;
  }

  [[nodiscard]] static std::int64_t of_layer(const std::vector<std::int64_t>& list, std::int64_t layer, std::int64_t otherwise) {
    const auto i = static_cast<std::size_t>(layer);
    return i < list.size() ? list[i] : otherwise;
  }

  [[nodiscard]] Attention attention(std::int64_t layer) const {
    const bool sliding = kind(layer) == LayerKind::sliding_attention;
    const auto of_kind = [&](std::int64_t swa, std::int64_t full) { return sliding && swa > 0 ? swa : full; };
    Attention a;
    a.n_heads = of_layer(hp_.n_heads_per_layer, layer, of_kind(hp_.n_heads_swa, hp_.n_heads));
    a.n_kv_heads = of_layer(hp_.n_kv_heads_per_layer, layer, of_kind(hp_.n_kv_heads_swa, hp_.n_kv_heads));
    a.head_dim = of_kind(hp_.head_dim_swa, hp_.head_dim);
    a.head_dim_v = of_kind(hp_.head_dim_v_swa, of_kind(hp_.head_dim_swa, hp_.head_dim_v));
    // The tensors are what is computed; metadata only says how they are cut into heads.
    const std::int64_t k_rows = rows(layer, "attn_k.weight");
    const std::int64_t v_rows = rows(layer, "attn_v.weight");
    if (k_rows > 0 && a.n_kv_heads > 0 && k_rows % a.n_kv_heads == 0) {
      a.head_dim = k_rows / a.n_kv_heads;
    } else if (k_rows > 0 && a.head_dim > 0 && k_rows % a.head_dim == 0) {
      a.n_kv_heads = k_rows / a.head_dim;
    }
    if (v_rows > 0 && a.n_kv_heads > 0 && v_rows % a.n_kv_heads == 0) a.head_dim_v = v_rows / a.n_kv_heads;
    a.v_is_k = k_rows > 0 && v_rows == 0;
    a.gated = a.n_heads * a.head_dim > 0 && rows(layer, "attn_q.weight") == 2 * a.n_heads * a.head_dim;
    a.sinks = index_.has(layer, "attn_sinks.weight");
    a.window = sliding ? hp_.sliding_window : 0;
    a.chunked = kind(layer) == LayerKind::chunked_attention;
    if (a.chunked) a.window = hp_.attention_chunk;
    a.shares_kv_of = cache_of(layer);
    if (index_.has_prefix(layer, "indexer.")) a.indexer_head_dim = hp_.indexer_head_dim;
    return a;
  }

  /// The layer whose cache this one reads: the last of its kind before the sharing begins, or that has keys. -1: its own.
  [[nodiscard]] std::int64_t cache_of(std::int64_t layer) const {
    const std::int64_t first_shared = hp_.n_layers - hp_.kv_shared_layers;
    const bool told = hp_.kv_shared_layers > 0 && layer >= first_shared && layer < hp_.n_layers;
    const bool has_keys = index_.has(layer, "attn_k.weight") || index_.has(layer, "attn_qkv.weight");
    if (!told && has_keys) return -1;
    for (std::int64_t i = (told ? first_shared : layer) - 1; i >= 0; --i) {
      if (kind(i) == kind(layer) && (index_.has(i, "attn_k.weight") || index_.has(i, "attn_qkv.weight"))) return i;
    }
    return -1;
  }

  [[nodiscard]] Mixer latent_attention(std::int64_t layer) const {
    MlaAttention a;
    a.n_heads = hp_.n_heads;
    a.q_lora_rank = hp_.q_lora_rank;
    a.kv_lora_rank = hp_.kv_lora_rank;
    a.qk_nope_head_dim = hp_.qk_nope_head_dim;
    a.qk_rope_head_dim = hp_.qk_rope_head_dim;
    a.v_head_dim = hp_.v_head_dim;
    if (index_.has_prefix(layer, "indexer.")) {
      a.indexer_heads = hp_.indexer_heads;
      a.indexer_head_dim = hp_.indexer_head_dim;
    }
    if (index_.has(layer, "attn_k_b.weight")) return a;
    // With attn_kv_b in one piece keys and values are unpacked and cached whole.
    Attention whole;
    whole.n_heads = whole.n_kv_heads = a.n_heads;
    whole.head_dim = a.qk_nope_head_dim + a.qk_rope_head_dim;
    whole.head_dim_v = a.v_head_dim;
    return whole;
  }

  [[nodiscard]] Mamba mamba(std::int64_t layer) const {
    Mamba m;
    m.inner_size = row_length(layer, "ssm_out.weight");
    m.conv_kernel = row_length(layer, "ssm_conv1d.weight");
    m.state_size = key("ssm.state_size");
    const std::int64_t steps = key("ssm.time_step_rank");
    m.n_groups = key("ssm.group_count");
    // Mamba-1 computes the time step from a low rank, Mamba-2 has one per head.
    (index_.has(layer, "ssm_x.weight") && m.n_groups == 0 ? m.dt_rank : m.n_heads) = steps;
    return m;
  }

  [[nodiscard]] LinearAttention linear_attention(std::int64_t layer) const {
    LinearAttention a;
    if (const auto* conv = index_.find(layer, "ssm_conv1d_q.weight")) {
      a.kind = LinearAttentionKind::kimi_delta;
      a.k_head_dim = a.v_head_dim = key("kda.head_dim", hp_.head_dim);
      a.n_k_heads = a.n_v_heads = a.k_head_dim > 0 ? rows(layer, "attn_q.weight") / a.k_head_dim : 0;
      a.conv_kernel = conv->shape[0];
      return a;
    }
    a.kind = LinearAttentionKind::gated_delta_net;
    a.n_k_heads = key("ssm.group_count");
    a.n_v_heads = key("ssm.time_step_rank");
    a.k_head_dim = key("ssm.state_size");
    a.v_head_dim = a.n_v_heads > 0 ? key("ssm.inner_size") / a.n_v_heads : 0;
    a.conv_kernel = row_length(layer, "ssm_conv1d.weight");
    return a;
  }

  [[nodiscard]] Rwkv rwkv() const {
    const std::int64_t head_dim = key("wkv.head_size", 64);
    return {head_dim > 0 ? hp_.hidden_size / head_dim : 0, head_dim};
  }

  [[nodiscard]] Attention cross_attention() const {
    Attention a;
    a.n_heads = hp_.n_heads;
    a.n_kv_heads = hp_.n_kv_heads;
    a.head_dim = hp_.head_dim;
    a.head_dim_v = hp_.head_dim_v;
    a.cross_tokens = kCrossTokens;
    return a;
  }

  void read_feed_forwards(std::int64_t layer, Layer& out) const {
    if (has_experts(index_, layer)) {
      const auto* stacked = index_.find(layer, "ffn_down_exps.weight");
      const auto* down = stacked != nullptr ? stacked : index_.find(layer, "ffn_down.0.weight");
      MoeFfn m;
      m.n_experts = stacked != nullptr ? stacked->shape[2] : hp_.n_experts;
      m.n_active = hp_.n_experts_active;
      m.expert_size = down->shape[0];
      m.shared_size = row_length(layer, "ffn_down_shexp.weight");
      m.gated = stacked == nullptr || index_.has(layer, "ffn_gate_exps.weight") || index_.has(layer, "ffn_gate_up_exps.weight");
      out.ffns.emplace_back(m);
    }
    if (const auto* down = index_.find(layer, "ffn_down.weight")) {
      // Gate and up may be one tensor of twice the rows.
      const bool gated = index_.has(layer, "ffn_gate.weight") || rows(layer, "ffn_up.weight") == 2 * down->shape[0];
      out.ffns.emplace_back(DenseFfn{down->shape[0], gated});
    } else if (const auto* key_matrix = index_.find(layer, "channel_mix_key.weight")) {
      out.ffns.emplace_back(DenseFfn{key_matrix->shape[1], false});
    }
  }

  const GgufIndex& index_;
  const Hyperparameters& hp_;
};

}  // namespace

std::vector<LayerKind> layer_kinds_from_tensors(const GgufIndex& index, const Hyperparameters& hp) {
  std::vector<LayerKind> kinds;
  for (std::int64_t i = 0; i < hp.n_layers; ++i) {
    const auto at = static_cast<std::size_t>(i);
    const Parts p = parts_of(index, i);
    if (index.n_layers() == 0) {
      const bool without = at < hp.n_kv_heads_per_layer.size() && hp.n_kv_heads_per_layer[at] == 0;
      kinds.push_back(without ? LayerKind::none : sliding_or_full(hp, i));
    } else if (p.softmax || p.latent) {
      kinds.push_back(sliding_or_full(hp, i));
    } else if (p.linear || p.rwkv) {
      kinds.push_back(LayerKind::linear_attention);
    } else if (p.mamba) {
      kinds.push_back(LayerKind::mamba);
    } else if (p.short_conv) {
      kinds.push_back(LayerKind::short_conv);
    } else {
      kinds.push_back(p.cross ? LayerKind::cross_attention : LayerKind::none);
    }
  }
  return kinds;
}

std::vector<Layer> layers_from_tensors(const GgufIndex& index, const Hyperparameters& hp) {
  const LayerReader reader(index, hp);
  std::vector<Layer> layers;
  for (std::int64_t i = 0; i < hp.n_layers + hp.n_mtp_layers; ++i) layers.push_back(reader.read(i));
  return layers;
}

}  // namespace planner
