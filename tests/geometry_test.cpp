// The geometry of every model in the catalog: it builds, and its parameters are those that were published.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/text.h"
#include "planner/catalog.h"
#include "planner/error.h"
#include "planner/gguf_size.h"
#include "planner/kv_cache.h"
#include "planner/units.h"

namespace {

using namespace planner;

const Catalog& catalog() { return Catalog::builtin(); }
const ModelEntry& entry(std::string_view id) {
  const auto* found = catalog().find_model(id);
  REQUIRE_MESSAGE(found != nullptr, "no model " << id);
  return *found;
}

/// The token embedding, counted once more where a tied head is stored a second time.
std::int64_t second_head(const Model& m) { return m.hyperparameters.vocab_size * m.hyperparameters.hidden_size; }

/// FP8 scales: one per block of 128 x 128 of every matrix but embeddings, heads, routers and those whose name contains one of `kept`.
std::int64_t fp8_scales(const Model& m, const std::vector<std::string>& kept = {}) {
  constexpr std::int64_t kBlock = 128;
  const auto is_kept = [&](const Tensor& t) {
    if (t.is_table || t.role == TensorRole::output || text::contains(t.name, "embed_tokens") || text::contains(t.name, "shared_head_head")) return true;
    return std::any_of(kept.begin(), kept.end(), [&](const auto& part) { return text::contains(t.name, part); });
  };
  std::int64_t scales = 0;
  for (const auto& t : m.tensors) {
    if (t.storage == Storage::quantized && !is_kept(t)) scales += (t.shape[0] + kBlock - 1) / kBlock * ((t.shape[1] + kBlock - 1) / kBlock) * t.shape[2];
  }
  return scales;
}

std::int64_t scales_of_deepseek_v3(const Model& m) { return fp8_scales(m, {"eh_proj"}); }
std::int64_t scales_of_deepseek_v32(const Model& m) { return fp8_scales(m, {"eh_proj", "indexer.proj"}); }
std::int64_t scales_of_minimax(const Model& m) { return fp8_scales(m); }
std::int64_t scales_of_kimi_k2(const Model& m) { return fp8_scales(m) + 56 * m.hyperparameters.n_layers; }
/// The 9 full layers have 4 KV heads of 192: K's 768 rows are 6 blocks, but 4 times 2 where each head is quantized in a shard of its own. The sliding layers'
/// 1536 rows are 12 blocks either way.
std::int64_t scales_of_mimo_v2(const Model& m) {
  constexpr std::int64_t kFullLayers = 9, kMoreBlocks = 4 * 2 - 6;
  return fp8_scales(m, {"eh_proj", "attn_output"}) + kFullLayers * kMoreBlocks * (m.hyperparameters.hidden_size / 128);
}

/// Scales of 4-bit experts: one per 32 weights.
std::int64_t scales_of_experts(const Model& m) {
  std::int64_t n = 0;
  for (const auto& t : m.tensors) n += t.is_expert && t.n_dims == 3 ? t.n_elements() / 32 : 0;
  return n;
}

std::int64_t expert_matrices(const Model& m) {
  std::int64_t n = 0;
  for (const auto& t : m.tensors) n += t.is_expert && t.n_dims == 3 ? t.shape[2] : 0;
  return n;
}

/// What a published total holds besides the parts that its note names.
struct Difference {
  std::string_view id;
  std::int64_t (*amount)(const Model&);
  std::string_view cause;
};
const Difference kDifferences[] = {
    {"qwen3-0.6b", second_head, "the tied head is stored a second time"},
    {"qwen3-1.7b", second_head, "the tied head is stored a second time"},
    {"gemma-4-31b-it", second_head, "the tied head is stored a second time"},
    {"deepseek-r1", scales_of_deepseek_v3, "FP8 scales"},
    {"deepseek-v3", scales_of_deepseek_v3, "FP8 scales"},
    {"deepseek-v3.2", scales_of_deepseek_v32, "FP8 scales"},
    {"minimax-m2", scales_of_minimax, "FP8 scales"},
    {"minimax-m2.5", scales_of_minimax, "FP8 scales"},
    {"minimax-m2.7", scales_of_minimax, "FP8 scales"},
    {"kimi-k2-instruct", scales_of_kimi_k2, "FP8 scales, and 56 more a layer whose cause is not known"},
    {"mimo-v2-flash", scales_of_mimo_v2, "FP8 scales, those of the full layers' K as if quantized in 4 shards (the counts fit, no source says so)"},
    {"gpt-oss-20b", scales_of_experts, "MXFP4 scales counted as parameters"},
    {"gpt-oss-120b", scales_of_experts, "MXFP4 scales counted as parameters"},
    {"kimi-k2.5", [](const Model& m) { return scales_of_experts(m) + 16 * expert_matrices(m); },
     "INT4 scales, and the stored shape of each packed matrix (2 numbers, counted eightfold like packed weights)"},
    {"llama-2-7b-hf", [](const Model& m) { return m.hyperparameters.n_layers * m.hyperparameters.head_dim / 2; },
     "rotary frequencies as a buffer of each layer"},
    {"qwen3.5-0.8b", [](const Model&) -> std::int64_t { return 100592896; }, "the vision tower, whose shape is not in the config"},
    {"qwen3.5-2b", [](const Model&) -> std::int64_t { return 331416576; }, "the vision tower, whose shape is not in the config"},
    {"qwen3.5-4b", [](const Model&) -> std::int64_t { return 333514240; }, "the vision tower, whose shape is not in the config"},
};

/// Models whose known config is not enough to build them.
const std::vector<std::string_view> kIncomplete = {};

}  // namespace

TEST_CASE("geometry: every model builds, or is listed as incomplete") {
  std::size_t built = 0;
  for (const auto* m : catalog().models()) {
    CAPTURE(m->id);
    const bool listed = std::find(kIncomplete.begin(), kIncomplete.end(), m->id) != kIncomplete.end();
    CHECK_EQ(m->find_model() == nullptr, listed);
    if (listed) {
      CHECK_THROWS_WITH_AS((void)m->model(), doctest::Contains("lacks '"), Error);
      continue;
    }
    ++built;
    const auto& model = m->model();
    const auto& hp = model.hyperparameters;
    CHECK_EQ(static_cast<std::int64_t>(model.layers.size()), hp.n_layers + hp.n_mtp_layers);
    CHECK_EQ(static_cast<std::int64_t>(hp.layer_kinds.size()), hp.n_layers);
    const auto p = model.parameters();
    CHECK_GT(p.total, 0);
    CHECK_GT(p.active, 0);
    CHECK_LE(p.active, p.total);
    CHECK_LT(p.embedding, p.total);
    CHECK_LE(model.kv_layers(), hp.n_layers);
  }
  CHECK_GE(built, 300);
}

TEST_CASE("geometry: published parameter counts are met exactly, or the difference is known to the last parameter") {
  std::vector<std::string_view> unused;
  for (const auto& d : kDifferences) unused.push_back(d.id);
  std::size_t exact = 0;
  for (const auto* m : catalog().models()) {
    if (!m->published.total || m->find_model() == nullptr) continue;
    CAPTURE(m->id);
    CAPTURE(m->published.note);
    const auto& model = m->model();
    const auto p = model.parameters();
    std::int64_t expected = p.total;
    if (text::contains(m->published.note, "MTP")) expected += p.mtp;
    if (text::contains(m->published.note, "vision tower")) expected += p.vision;
    const auto* known = std::find_if(std::begin(kDifferences), std::end(kDifferences), [&](const auto& d) { return d.id == m->id; });
    if (known != std::end(kDifferences)) {
      CAPTURE(known->cause);
      CHECK_NE(*m->published.total, expected);
      expected += known->amount(model);
      std::erase(unused, known->id);
    } else {
      ++exact;
    }
    CHECK_EQ(*m->published.total, expected);
  }
  CHECK_MESSAGE(unused.empty(), "known differences of models that are not there, the first is " << (unused.empty() ? "" : unused.front()));
  CHECK_GE(exact, 120);
}

TEST_CASE("geometry: published active parameters are met within their rounding") {
  // Published counts are rounded ("37B", "5.1B"), some leave out the embedding table, some the head as well.
  for (const auto* m : catalog().models()) {
    if (!m->published.active || m->find_model() == nullptr) continue;
    if (m->id == "kimi-linear-48b-a3b-instruct") continue;  // "A3B" of the name; 3.48 B by its config
    CAPTURE(m->id);
    const auto p = m->model().parameters();
    const auto published = static_cast<double>(*m->published.active);
    const double with_tables = std::abs(static_cast<double>(p.active) / published - 1);
    const double without_tables = std::abs(static_cast<double>(p.active - p.embedding) / published - 1);
    CHECK_LT(std::min(with_tables, without_tables), 0.03);
  }
}

TEST_CASE("geometry: MTP layers and towers count apart") {
  const auto glm = entry("glm-4.5-air").model().parameters();
  CHECK_EQ(glm.total, 106852251264);
  CHECK_EQ(glm.mtp, 3616573568);
  // GLM-4.6 lacks the copies of embedding and head that GLM-4.5's layer has.
  CHECK_EQ(entry("glm-4.5").model().parameters().mtp - entry("glm-4.6").model().parameters().mtp, 2 * 151552LL * 5120);
  const auto vl = entry("qwen2.5-vl-72b-instruct").model().parameters();
  CHECK_EQ(vl.total, 72706203648);
  CHECK_EQ(vl.vision, 704573696);
}

TEST_CASE("geometry: DeepSeek-R1-Distill-Qwen-1.5B") {
  const auto& e = catalog().resolve_model("deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B");
  const auto& m = e.model();
  CHECK_EQ(m.parameters().total, 1777088000);
  CHECK_EQ(m.parameters().active, 1777088000);
  CHECK_EQ(m.hyperparameters.n_layers, 28);
  CHECK_EQ(m.hyperparameters.n_heads, 12);
  CHECK_EQ(m.hyperparameters.n_kv_heads, 2);
  CHECK_EQ(m.hyperparameters.head_dim, 128);
  CHECK_FALSE(m.hyperparameters.tied_embeddings);
  CHECK_EQ(e.context, 131072);
  CHECK_EQ(kv_cache_bytes(m, 131072, FormatId::f16, FormatId::f16), 7 * kGiB / 2);

  const auto tokenizer = catalog().tokenizer_of(m.hyperparameters, e.hf_id);
  const auto file_size = [&](const char* mix) { return format_gb(gguf_file_size(m, store(m, *catalog().find_quantization(mix)), tokenizer).total_bytes); };
  CHECK_EQ(file_size("Q4_K_M"), "1.12 GB");
  CHECK_EQ(file_size("Q8_0"), "1.89 GB");
  CHECK_EQ(file_size("F16"), "3.56 GB");
}

TEST_CASE("geometry: DeepSeek-R1-Distill-Llama-8B") {
  const auto& m = catalog().resolve_model("deepseek-ai/DeepSeek-R1-Distill-Llama-8B").model();
  CHECK_EQ(m.hyperparameters.n_layers, 32);
  CHECK_EQ(m.hyperparameters.n_heads, 32);
  CHECK_EQ(m.hyperparameters.n_kv_heads, 8);
  CHECK_EQ(m.parameters().total, 8030261248);
}

TEST_CASE("geometry: a config that lacks a needed key is an error that names it") {
  for (const std::string id : {"llama-3.1-8b-instruct", "qwen3-30b-a3b", "deepseek-v3", "falcon-mamba-7b", "qwen2.5-vl-7b-instruct"}) {
    CAPTURE(id);
    const auto full = nlohmann::json::parse(entry(id).config_json);
    for (const std::string key : {"hidden_size", "num_hidden_layers", "vocab_size"}) {
      auto cut = full;
      auto& where = cut.contains(key) || !cut.contains("text_config") ? cut : cut["text_config"];
      if (!where.contains(key)) continue;
      CAPTURE(key);
      where.erase(key);
      CHECK_THROWS_WITH_AS((void)build_model(hyperparameters_from_config(cut.dump(), "here.json")), doctest::Contains(key.c_str()), Error);
    }
  }
}

TEST_CASE("geometry: configs that no model can have are errors, never worse") {
  const auto error_of = [](const std::string& json) -> std::string {
    try {
      (void)build_model(hyperparameters_from_config(json, "here.json"));
    } catch (const Error& e) {
      CHECK_EQ(e.kind(), ErrorKind::invalid_file);
      return e.what();
    }
    return {};
  };
  auto config = nlohmann::json::parse(entry("llama-3.1-8b-instruct").config_json);
  CHECK_EQ(error_of(config.dump()), "");
  CHECK(text::contains(error_of("{"), "here.json"));
  CHECK(text::contains(error_of("[]"), "here.json"));
  CHECK(text::contains(error_of(R"({"model_type": "lama"})"), "did you mean 'llama'"));
  const auto changed = [&](const char* key, const nlohmann::json& value) {
    auto c = config;
    c[key] = value;
    return error_of(c.dump());
  };
  CHECK(text::contains(changed("hidden_size", -1), "hidden_size"));
  CHECK(text::contains(changed("hidden_size", "4096"), "hidden_size"));
  CHECK(text::contains(changed("hidden_size", 4096.5), "hidden_size"));
  CHECK(text::contains(changed("vocab_size", 1e18), "vocab_size"));
  CHECK_NE(changed("num_hidden_layers", 0), "");
  CHECK_NE(changed("num_attention_heads", 0), "");
}
