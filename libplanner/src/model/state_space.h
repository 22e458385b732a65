// What the descriptions of state-space and hybrid models share: Mamba's optional tensors, and layer patterns as GGUF files write them.
#pragma once

#include <algorithm>
#include <string_view>

#include "model/architecture.h"
#include "model/builder.h"

namespace planner {

/// Reads which optional tensors Mamba layers have, under the family's own keys.
inline void read_mamba_options(const ConfigReader& config, Hyperparameters& hp, std::string_view conv_bias_key, std::string_view proj_bias_key) {
  set_extra(hp, "mamba.conv_bias", config.boolean_or({conv_bias_key}, true) ? 1 : 0);
  set_extra(hp, "mamba.proj_bias", config.boolean_or({proj_bias_key}, false) ? 1 : 0);
}

/// The same, for the builder. GGUF files say nothing of them: the defaults are what every released model has.
inline MambaOptions mamba_options(const Hyperparameters& hp) {
  MambaOptions options;
  options.norm = hp.extra_or("mamba.norm", 1) != 0;
  options.conv_bias = hp.extra_or("mamba.conv_bias", 1) != 0;
  options.proj_bias = hp.extra_or("mamba.proj_bias", 0) != 0;
  return options;
}

/// GGUF files of hybrids list the KV heads of each layer: a layer without any is no attention but `other`.
inline void take_kv_pattern(Hyperparameters& hp, LayerKind other) {
  hp.layer_kinds = uniform_layers(hp.n_layers, LayerKind::full_attention);
  auto& heads = hp.n_kv_heads_per_layer;
  if (heads.empty()) return;
  hp.n_kv_heads = *std::max_element(heads.begin(), heads.end());
  for (std::size_t i = 0; i < hp.layer_kinds.size() && i < heads.size(); ++i) {
    if (heads[i] == 0) hp.layer_kinds[i] = other;
  }
  // The list told the kinds; it is only kept where attention layers differ among themselves.
  if (std::all_of(heads.begin(), heads.end(), [&](std::int64_t n) { return n == 0 || n == hp.n_kv_heads; })) heads.clear();
}

}  // namespace planner
