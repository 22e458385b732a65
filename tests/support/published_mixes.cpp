#include "support/published_mixes.h"

#include <algorithm>
#include <initializer_list>
#include <map>
#include <memory>
#include <string>

#include "core/text.h"
#include "planner/catalog.h"
#include "quantization/fitting.h"

namespace planner::test {
namespace {

using text::contains;
using F = FormatId;

bool is_one_of(std::string_view mix, std::initializer_list<std::string_view> list) { return std::find(list.begin(), list.end(), mix) != list.end(); }

constexpr std::uint32_t bit(TensorRole role) { return 1U << static_cast<unsigned>(role); }

/// The quantizer's own rule (use_more_bits).
bool more_bits(std::int64_t i, std::int64_t n) { return i < n / 8 || i >= 7 * n / 8 || (i - n / 8) % 3 == 2; }

/// Format of one tensor on the branch; nothing where the stock rule holds. `i` of `n`: its place among the tensors of its kind.
class BranchRules {
 public:
  BranchRules(std::string_view mix, bool imatrix, ExpertBranch branch, F base)
      : mix_(mix), imatrix_(imatrix), is_2026_(branch != ExpertBranch::may_2025), is_march_(branch == ExpertBranch::march_2026), base_(base) {}

  [[nodiscard]] std::optional<F> format(std::string_view name, std::int64_t i, std::int64_t n, std::int64_t n_layers) const {
    if (is_march_ && (contains(name, "ssm_ba.weight") || contains(name, "ssm_alpha.weight") || contains(name, "ssm_beta.weight"))) return F::q8_0;
    return is({"IQ2_XXS", "IQ2_XS", "IQ1_S", "IQ2_S", "IQ2_M", "IQ1_M"}) ? tiny(name, i, n, n_layers) : large(name, i, n);
  }

 private:
  bool is(std::initializer_list<std::string_view> mixes) const { return is_one_of(mix_, mixes); }

  std::optional<F> tiny(std::string_view name, std::int64_t i, std::int64_t n, std::int64_t n_layers) const {
    const F small = is({"IQ2_S", "IQ2_M"}) ? F::iq3_s : F::q2_k;
    if (contains(name, "attn_v.weight")) return std::nullopt;
    if (contains(name, "attn_k.weight") || contains(name, "attn_kv_a_mqa.weight") || contains(name, "attn_q_a.weight")) return F::q4_k;
    if (contains(name, "attn_q_b.weight")) return small;
    if (is_march_ && contains(name, "ssm_out.weight")) return F::q4_k;
    if (contains(name, "_exps.weight")) return i < n / 8 || i > 7 * n / 8 ? outer_experts() : inner_experts();
    if (contains(name, "_shexp.weight")) return more_bits(i, n) ? F::q6_k : base_;
    for (const char* dense : {"ffn_down.weight", "ffn_gate.weight", "ffn_up.weight"}) {
      if (!contains(name, dense)) continue;
      if (i < n_layers / 16) return contains(name, "ffn_down") ? F::q6_k : F::q4_k;
      return i < n_layers / 8 ? small : base_;
    }
    if (contains(name, "attn_output.weight")) return is({"IQ2_S", "IQ2_M"}) ? F::q5_k : F::q4_k;
    return std::nullopt;
  }

  F outer_experts() const {
    if (mix_ == "IQ2_M") return is_march_ ? F::iq3_s : F::iq3_xxs;
    if (mix_ == "IQ2_S") return is_march_ ? F::iq3_xxs : F::iq2_s;
    if (mix_ == "IQ2_XS") return F::iq2_s;
    if (mix_ == "IQ2_XXS") return F::iq2_xs;
    return mix_ == "IQ1_M" ? F::iq2_xxs : F::iq1_m;
  }

  F inner_experts() const {
    if (mix_ == "IQ2_M") return F::iq2_xs;
    if (is({"IQ2_S", "IQ2_XS"})) return F::iq2_xxs;
    return mix_ == "IQ2_XXS" ? F::iq1_m : F::iq1_s;
  }

  std::optional<F> large(std::string_view name, std::int64_t i, std::int64_t n) const {
    if (contains(name, "attn_k.weight")) return F::q8_0;
    if (contains(name, "attn_v.weight")) return is_march_ ? std::optional(F::q8_0) : std::nullopt;
    if (contains(name, "_shexp.weight")) return more_bits(i, n) ? F::q8_0 : shared_expert();
    if (contains(name, "ffn_down_exps.weight")) return more_bits(i, n) ? bumped() : base_;
    if (contains(name, "attn_output.weight")) return attention_output();
    if (contains(name, "attn_kv_a_mqa.weight")) return F::q8_0;
    if (contains(name, "attn_k_b.weight") || contains(name, "attn_v_b.weight")) return stepped(F::q5_k, F::q6_k, F::q8_0);
    if (contains(name, "attn_q_b.weight")) return stepped(F::q4_k, F::q5_k, F::q6_k);
    if (contains(name, "attn_q_a.weight")) return stepped(F::q5_k, F::q6_k, F::q8_0);
    if (is_march_ && contains(name, "ssm_out.weight")) return F::q8_0;
    if (is_march_ && contains(name, "attn_qkv.weight") && mix_ == "Q6_K") return F::q8_0;
    return std::nullopt;
  }

  F attention_output() const {
    const bool is_listed = is({"Q2_K", "IQ3_XS", "IQ3_XXS", "Q3_K_S", "Q3_K_M", "IQ4_NL", "Q4_K_S", "Q4_K_M", "IQ3_S", "IQ3_M", "IQ4_XS"});
    if (is_march_) return is_listed || is({"Q5_K_M", "Q5_K_S"}) ? F::q6_k : base_;
    return is_listed ? F::q5_k : base_;
  }

  F shared_expert() const {
    if (!is_2026_) return stepped(F::q5_k, F::q6_k, F::q8_0);
    if (mix_.starts_with("IQ3")) return F::iq4_xs;
    if (is({"Q2_K", "Q2_K_S"})) return F::q4_k;
    if (mix_ == "Q4_0") return F::q5_0;
    if (mix_ == "Q4_1") return F::q5_1;
    if (is({"Q4_K_S", "Q3_K_L", "Q3_K_M", "Q3_K_S"})) return F::q5_k;
    if (is({"Q4_K_M", "Q5_K_S"})) return F::q6_k;
    return is({"Q5_K_M", "Q6_K"}) ? F::q8_0 : base_;
  }

  /// `higher` for Q4_K_M and Q5_K_S, `highest` for Q5_K_M, `usual` for the others; in 2026 Q6_K gets Q8_0 and the IQ mixes no more than they must.
  F stepped(F usual, F higher, F highest) const {
    if (is({"Q4_K_M", "Q5_K_S"})) return higher;
    if (mix_ == "Q5_K_M") return highest;
    if (!is_2026_) return usual;
    if (mix_ == "Q6_K") return F::q8_0;
    if (mix_.starts_with("IQ3")) return F::iq4_xs;
    return is({"Q2_K", "Q2_K_S", "Q3_K_L", "Q3_K_M", "Q3_K_S", "Q4_K_S"}) ? usual : base_;
  }

  F bumped() const {
    if (imatrix_ && mix_ == "Q4_0") return F::q4_1;
    if (imatrix_ && mix_ == "Q5_0") return F::q5_1;
    if (mix_ == "Q2_K") return F::q3_k;
    if (is({"Q3_K_M", "IQ3_S", "IQ3_M"})) return F::q4_k;
    if (is({"Q3_K_L", "Q4_K_S"})) return F::q5_k;
    if (is({"Q4_K_M", "Q5_K_M"})) return F::q6_k;
    if (is({"IQ3_XS", "IQ3_XXS"})) return F::iq3_s;
    if (is({"IQ4_NL", "IQ4_XS"}) && !imatrix_) return F::q5_k;
    return base_;
  }

  std::string_view mix_;
  bool imatrix_;
  bool is_2026_;
  bool is_march_;
  F base_;
};

F base_of(std::string_view mix) {
  std::unique_ptr<Quantization> made;
  return std::get<GgufRecipe>(Catalog::builtin().resolve_quantization(mix, made).recipe).base;
}

/// Formats that the quantizer refuses to make without an importance matrix for the tensor (tensor_requires_imatrix), or makes badly (IQ3_XXS).
bool needs_imatrix(F format) {
  const F formats[] = {F::iq1_s, F::iq1_m, F::iq2_xxs, F::iq2_xs, F::iq2_s, F::iq3_xxs};
  return std::find(std::begin(formats), std::end(formats), format) != std::end(formats);
}

/// "blk.3.ffn_down_exps.weight" -> "ffn_down_exps.weight"
std::string kind_of(const std::string& name) { return name.starts_with("blk.") ? name.substr(name.find('.', 4) + 1) : name; }

}  // namespace

Quantization with_old_fused_qkv(const Quantization& quantization) {
  auto out = quantization;
  auto* recipe = std::get_if<GgufRecipe>(&out.recipe);
  if (recipe == nullptr) return out;
  for (auto& rule : recipe->rules) rule.roles = rule.roles == ~0U ? rule.roles : rule.roles & ~bit(TensorRole::attn_qkv);
  const auto qkv = [&](F to) { recipe->rules.push_back({bit(TensorRole::attn_qkv), {}, {}, to}); };
  if (is_one_of(out.name, {"Q3_K_M", "Q3_K_L", "IQ3_M"})) qkv(F::q4_k);
  if (out.name == "Q4_K_M") qkv(F::q5_k);
  if (out.name == "Q5_K_M") qkv(F::q6_k);
  return out;
}

StoredModel with_uncovered_mtp(const Model& model, FormatId format, StoredModel stored) {
  stored.tensor_bytes = 0;
  for (std::size_t i = 0; i < model.tensors.size(); ++i) {
    const auto& t = model.tensors[i];
    if (t.part == ModelPart::mtp && needs_imatrix(stored.formats[i])) {
      stored.formats[i] = quantization::fitting(format, t.shape[0]);
      stored.bytes[i] = tensor_bytes(t, stored.formats[i]);
    }
    stored.tensor_bytes += stored.bytes[i];
  }
  return stored;
}

StoredModel with_expert_branch(const Model& model, std::string_view mix, bool imatrix, ExpertBranch branch, StoredModel stock) {
  const BranchRules rules(mix, imatrix, branch, base_of(mix));
  std::map<std::string, std::int64_t> of_kind;
  for (std::size_t i = 0; i < model.tensors.size(); ++i) of_kind[kind_of(model.tensors[i].name)] += stock.bytes[i] > 0 ? 1 : 0;
  std::map<std::string, std::int64_t> before;
  stock.tensor_bytes = 0;
  for (std::size_t i = 0; i < model.tensors.size(); ++i) {
    const auto& t = model.tensors[i];
    if (stock.bytes[i] > 0 && t.storage == Storage::quantized) {
      const auto kind = kind_of(t.name);
      if (const auto format = rules.format(t.name, before[kind]++, of_kind[kind], model.hyperparameters.n_layers)) {
        stock.formats[i] = quantization::fitting(*format, t.shape[0]);
        stock.bytes[i] = tensor_bytes(t, stock.formats[i]);
      }
    }
    stock.tensor_bytes += stock.bytes[i];
  }
  return stock;
}

}  // namespace planner::test
