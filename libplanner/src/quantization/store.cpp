#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>
#include <unordered_map>

#include "planner/error.h"
#include "planner/quantization.h"
#include "quantization/fitting.h"

namespace planner {
namespace {

constexpr std::size_t kRoles = static_cast<std::size_t>(TensorRole::other) + 1;

// What the quantizer takes where a row is no multiple of the format's block.
// Source: tensor_type_fallback in src/llama-quant.cpp of ggml-org/llama.cpp.
FormatId fallback(FormatId format) {
  switch (format) {
    case FormatId::iq1_s: case FormatId::iq1_m: case FormatId::iq2_xxs: case FormatId::iq2_xs: case FormatId::iq2_s:
    case FormatId::iq3_xxs: case FormatId::iq3_s: case FormatId::iq4_xs: return FormatId::iq4_nl;
    case FormatId::q2_0: case FormatId::q2_k: case FormatId::q3_k: case FormatId::tq1_0: case FormatId::tq2_0: case FormatId::q1_0:
    case FormatId::nvfp4: return FormatId::q4_0;
    case FormatId::q4_k: return FormatId::q5_0;
    case FormatId::q5_k: return FormatId::q5_1;
    case FormatId::q6_k: return FormatId::q8_0;
    default: return format;
  }
}

// The quantizer's "more bits" layers: first eighth, last eighth, every third between.
bool more_bits(std::int64_t i, std::int64_t n) { return i < n / 8 || i >= 7 * n / 8 || (i - n / 8) % 3 == 2; }

/// Query heads per KV head of the first layer. Files of hybrids list KV heads layer by layer, 0 where a layer has no attention; those of
/// gated delta nets (Qwen3-Next) state one number for all.
std::int64_t gqa_of_first_layer(const Hyperparameters& hp) {
  const auto first = hp.layer_kinds.empty() ? LayerKind::full_attention : hp.layer_kinds.front();
  if (first == LayerKind::mamba || first == LayerKind::short_conv || first == LayerKind::none) return 0;
  const std::int64_t heads = hp.n_heads_per_layer.empty() ? hp.n_heads : hp.n_heads_per_layer.front();
  const std::int64_t kv_heads = hp.n_kv_heads_per_layer.empty() ? hp.n_kv_heads : hp.n_kv_heads_per_layer.front();
  return kv_heads > 0 ? heads / kv_heads : 0;
}

bool is_70b(const Hyperparameters& hp) {
  const bool family = hp.architecture == "llama" || hp.architecture == "qwen2" || hp.architecture == "deci";
  return family && hp.n_layers == 80 && !(hp.architecture == "llama" && hp.n_heads == hp.n_kv_heads);
}

/// A rule whose conditions on the whole model hold; those on single tensors are left.
struct LiveRule {
  const RecipeRule* rule;
  std::vector<RecipeRule::Condition> when;
};

struct ModelFacts {
  const Hyperparameters& hp;
  std::int64_t gqa;
  bool imatrix;
  std::string_view made;  ///< ISO date: sorts as text
  bool stored_head;
};

/// When a file was made, where that is not known: after every change.
constexpr std::string_view kToday = "9999";

ModelFacts facts_of(const Model& model, const GgufRecipe& recipe, std::optional<bool> imatrix) {
  const std::string_view made = !recipe.made.empty() ? std::string_view(recipe.made) : !model.release_date.empty() ? std::string_view(model.release_date) : kToday;
  const bool usual = recipe.imatrix == Imatrix::required || (recipe.imatrix_since.empty() ? recipe.imatrix != Imatrix::none : made >= recipe.imatrix_since);
  return {model.hyperparameters, gqa_of_first_layer(model.hyperparameters), imatrix.value_or(usual), made, model.checkpoint_stores_head};
}

/// Nothing: the condition is about single tensors.
std::optional<bool> holds_for_model(const RecipeRule::Condition& c, const ModelFacts& m) {
  switch (c.kind) {
    case RuleCondition::gqa_at_least: return m.gqa >= c.number;
    case RuleCondition::gqa_below: return m.gqa < c.number;
    case RuleCondition::experts_at_least: return m.hp.n_experts >= c.number;
    case RuleCondition::experts_below: return m.hp.n_experts < c.number;
    case RuleCondition::experts_equal: return m.hp.n_experts == c.number;
    case RuleCondition::experts_not_equal: return m.hp.n_experts != c.number;
    case RuleCondition::imatrix: return m.imatrix;
    case RuleCondition::no_imatrix: return !m.imatrix;
    case RuleCondition::arch: return m.hp.architecture == c.word;
    case RuleCondition::not_arch: return m.hp.architecture != c.word;
    case RuleCondition::is_70b: return is_70b(m.hp);
    case RuleCondition::made_from: return m.made >= c.word;
    case RuleCondition::made_before: return m.made < c.word;
    case RuleCondition::stored_head: return m.stored_head;
    default: return std::nullopt;
  }
}

std::vector<LiveRule> live_rules(const GgufRecipe& recipe, const ModelFacts& facts) {
  std::vector<LiveRule> out;
  for (const auto& rule : recipe.rules) {
    LiveRule live{&rule, {}};
    bool possible = true;
    for (const auto& condition : rule.when) {
      const auto holds = holds_for_model(condition, facts);
      if (!holds) live.when.push_back(condition);
      else possible = possible && *holds;
    }
    if (possible) out.push_back(std::move(live));
  }
  return out;
}

/// Where a tensor stands among those of its role.
struct Position {
  std::int64_t counted;  ///< tensors of this role before it
  std::int64_t layer;    ///< the quantizer's layer index: the block's number in a mixture of experts, else `counted`
  std::int64_t n;        ///< out of how many
  std::int64_t named = 0, n_named = 0;  ///< tensors of this name before it, and in all; counted where a rule asks for names
};

bool holds_for_tensor(const RecipeRule::Condition& c, const Tensor& t, FormatId base, const Position& p) {
  switch (c.kind) {
    case RuleCondition::stacked: return t.shape[2] > 1;
    case RuleCondition::ragged: return t.shape[0] % tensor_format(base).block_weights != 0;
    case RuleCondition::more_bits: return more_bits(p.layer, p.n);
    case RuleCondition::first: return p.counted < c.number;
    case RuleCondition::first_part: return p.layer < p.n / c.number;
    case RuleCondition::counted_part: return p.counted < p.n / c.number;
    case RuleCondition::middle: return p.layer >= p.n / 8 && p.layer < 7 * p.n / 8;
    case RuleCondition::not_ragged: return t.shape[0] % tensor_format(base).block_weights == 0;
    case RuleCondition::mtp: return t.part == ModelPart::mtp;
    case RuleCondition::more_bits_of_name: return more_bits(p.named, p.n_named);
    case RuleCondition::outer_of_name: return p.named < p.n_named / 8 || p.named > 7 * p.n_named / 8;
    default: return false;
  }
}

bool is_v_like(TensorRole role) { return role == TensorRole::attn_v || role == TensorRole::attn_qkv || role == TensorRole::attn_kv_b; }

bool is_stored(const Model& model, const Tensor& t) {
  return t.part == ModelPart::text || (t.part == ModelPart::mtp && model.file_holds_mtp);
}

/// "blk.3.ffn_down_exps.weight" -> "ffn_down_exps"
std::string_view name_in_block(std::string_view name) {
  if (name.starts_with("blk.")) name.remove_prefix(name.find('.', 4) + 1);
  if (name.ends_with(".weight")) name.remove_suffix(7);
  return name;
}

/// The rules that go by names, and how often each name occurs. Empty, and without cost, where no rule does.
class NamedRules {
 public:
  NamedRules(const Model& model, const std::vector<LiveRule>& rules) {
    if (std::none_of(rules.begin(), rules.end(), [](const LiveRule& r) { return !r.rule->names.empty(); })) return;
    for (const auto& t : model.tensors) {
      if (!is_stored(model, t)) continue;
      const auto name = name_in_block(t.name);
      const auto [it, fresh] = names_.try_emplace(name);
      ++it->second.in_all;
      if (!fresh) continue;
      for (const auto& r : rules) {
        const auto& endings = r.rule->names;
        const bool meant = endings.empty() || std::any_of(endings.begin(), endings.end(), [&](const auto& ending) { return name.ends_with(ending); });
        it->second.meant.push_back(meant);
      }
    }
  }

  struct Name {
    std::vector<bool> meant;  ///< by each of the live rules
    std::int64_t before = 0, in_all = 0;
  };
  /// Null: no rule goes by names.
  [[nodiscard]] Name* find(const Tensor& t) { return names_.empty() ? nullptr : &names_.at(name_in_block(t.name)); }

 private:
  std::unordered_map<std::string_view, Name> names_;
};

void store_gguf(const Model& model, const GgufRecipe& recipe, std::optional<bool> imatrix, StoredModel& out) {
  const auto& hp = model.hyperparameters;
  const auto rules = live_rules(recipe, facts_of(model, recipe, imatrix));
  NamedRules named(model, rules);
  // In the recipe's order, for each role.
  std::array<std::vector<const LiveRule*>, kRoles> rules_of;
  for (const auto& rule : rules) {
    for (std::size_t role = 0; role < kRoles; ++role) {
      if ((rule.rule->roles & (1U << role)) != 0) rules_of[role].push_back(&rule);
    }
  }
  const bool quantized_base = tensor_format(recipe.base).block_weights > 1;
  const bool mix_is_f32 = recipe.base == FormatId::f32;

  std::int64_t n_v_like = 0;
  for (const auto& t : model.tensors) n_v_like += is_stored(model, t) && is_v_like(t.role) ? 1 : 0;
  const std::int64_t n_blocks = hp.n_layers + (model.file_holds_mtp ? hp.n_mtp_layers : 0);

  std::array<std::int64_t, kRoles> counted{};
  std::int64_t v_like_counted = 0;
  for (std::size_t i = 0; i < model.tensors.size(); ++i) {
    const auto& t = model.tensors[i];
    if (!is_stored(model, t)) continue;
    FormatId format = recipe.base;
    switch (t.storage) {
      case Storage::always_f32: format = FormatId::f32; break;
      case Storage::integer: format = FormatId::i32; break;
      case Storage::source: format = mix_is_f32 ? FormatId::f32 : quantized_base ? recipe.unquantized : recipe.base; break;
      case Storage::quantized: {
        const bool serves_as_head = hp.tied_embeddings && t.role == TensorRole::token_embd;
        const TensorRole role = serves_as_head ? TensorRole::output : t.role;
        auto& before = is_v_like(role) ? v_like_counted : counted[static_cast<std::size_t>(role)];
        Position position{before, hp.n_experts > 1 && !is_v_like(role) ? t.layer : before, is_v_like(role) ? n_v_like : n_blocks};
        ++before;
        auto* const name = named.find(t);
        if (name != nullptr) position.named = name->before++, position.n_named = name->in_all;
        for (const auto* live : rules_of[static_cast<std::size_t>(role)]) {
          const auto& from = live->rule->from;
          if (!from.empty() && std::find(from.begin(), from.end(), format) == from.end()) continue;
          if (name != nullptr && !name->meant[static_cast<std::size_t>(live - rules.data())]) continue;
          if (std::all_of(live->when.begin(), live->when.end(), [&](const auto& c) { return holds_for_tensor(c, t, recipe.base, position); })) format = live->rule->to;
        }
        format = quantization::fitting(format, t.shape[0]);
        break;
      }
    }
    out.formats[i] = format;
    out.bytes[i] = tensor_format(format).row_bytes(t.shape[0]) * t.n_rows();
  }
}

void store_grouped(const Model& model, const GroupScheme& scheme, StoredModel& out) {
  constexpr double kHalf = 16.0;
  for (std::size_t i = 0; i < model.tensors.size(); ++i) {
    const auto& t = model.tensors[i];
    if (!is_stored(model, t) || !t.is_parameter) continue;
    const bool is_matrix = t.storage == Storage::quantized;
    const bool is_router = t.role == TensorRole::router;
    double bits = kHalf;
    bool grouped = is_matrix && !t.is_table;
    if (t.role == TensorRole::output) grouped = scheme.head_too;
    if (t.is_table) grouped = is_matrix && scheme.embedding_too;
    if (is_router) grouped = scheme.router_too;
    if (scheme.experts_only) grouped = t.is_expert && t.n_dims == 3;
    if (t.role == TensorRole::output && !scheme.head_too) bits = scheme.head_bits;
    const auto n = static_cast<double>(t.n_elements());
    if (!grouped) {
      out.bytes[i] = static_cast<std::int64_t>(std::ceil(n * bits / 8));
      continue;
    }
    const std::int64_t rows = t.n_rows();
    const std::int64_t groups_per_row = scheme.group > 0 ? (t.shape[0] + scheme.group - 1) / scheme.group : 1;
    const std::int64_t scales = scheme.block_rows > 0 ? (rows + scheme.block_rows - 1) / scheme.block_rows * groups_per_row : rows * groups_per_row;
    const double total_bits = n * scheme.bits + static_cast<double>(scales) * (scheme.scale_bits + scheme.zero_bits) +
                              static_cast<double>(t.shape[0] * t.shape[2]) * scheme.input_bits;
    out.bytes[i] = static_cast<std::int64_t>(std::ceil(total_bits / 8));
  }
}

}  // namespace

FormatId quantization::fitting(FormatId format, std::int64_t row) {
  if (row % tensor_format(format).block_weights == 0) return format;
  format = fallback(format);
  return row % tensor_format(format).block_weights == 0 ? format : FormatId::f16;
}

StoredModel store(const Model& model, const Quantization& quantization, std::optional<bool> imatrix) {
  StoredModel out;
  out.bytes.assign(model.tensors.size(), 0);
  out.formats.assign(model.tensors.size(), FormatId::bf16);
  if (const auto* recipe = std::get_if<GgufRecipe>(&quantization.recipe)) {
    store_gguf(model, *recipe, imatrix, out);
  } else {
    store_grouped(model, std::get<GroupScheme>(quantization.recipe), out);
  }
  for (std::size_t i = 0; i < model.tensors.size(); ++i) {
    out.tensor_bytes += out.bytes[i];
    if (out.bytes[i] > 0 && model.tensors[i].is_parameter) out.parameters += model.tensors[i].n_elements();
  }
  return out;
}

bool copies_tied_head(const Model& model, const Quantization& quantization) {
  const auto* recipe = std::get_if<GgufRecipe>(&quantization.recipe);
  if (recipe == nullptr || recipe->head_copies.empty() || !model.hyperparameters.tied_embeddings) return false;
  const auto facts = facts_of(model, *recipe, std::nullopt);
  return std::any_of(recipe->head_copies.begin(), recipe->head_copies.end(), [&](const auto& when) {
    return std::all_of(when.begin(), when.end(), [&](const auto& condition) { return holds_for_model(condition, facts).value_or(false); });
  });
}

std::int64_t tensor_bytes(const Tensor& tensor, FormatId format) {
  const auto& f = tensor_format(format);
  if (tensor.shape[0] % f.block_weights != 0) {
    throw Error(ErrorKind::invalid_file, "tensor '" + tensor.name + "': a row of " + std::to_string(tensor.shape[0]) + " is no multiple of " +
                                             std::string(f.name) + "'s block of " + std::to_string(f.block_weights));
  }
  return f.row_bytes(tensor.shape[0]) * tensor.n_rows();
}

}  // namespace planner
