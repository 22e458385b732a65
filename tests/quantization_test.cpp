// Formats, the recipes of GGUF mixes on small hand-made models, and grouped weights against published bits per weight.
#include <doctest/doctest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/text.h"
#include "planner/catalog.h"
#include "planner/error.h"
#include "planner/gguf_size.h"
#include "planner/quantization.h"
#include "planner/units.h"
#include "quantization/fitting.h"

namespace {

using namespace planner;
using text::contains;

/// A Llama of 16 layers: hidden 512, 8 heads of 64, 2 KV heads, feed-forward 1024, 1000 tokens.
Hyperparameters small_llama() {
  Hyperparameters hp;
  hp.architecture = "llama";
  hp.n_layers = 16;
  hp.hidden_size = 512;
  hp.vocab_size = 1000;
  hp.n_heads = 8;
  hp.n_kv_heads = 2;
  hp.head_dim = hp.head_dim_v = 64;
  hp.ffn_size = 1024;
  hp.layer_kinds.assign(16, LayerKind::full_attention);
  return hp;
}

/// The same with `n` experts in every layer.
Hyperparameters small_mixture(std::int64_t n) {
  auto hp = small_llama();
  hp.n_experts = n;
  hp.n_experts_active = 2;
  hp.expert_ffn_size = hp.ffn_size;
  return hp;
}

Hyperparameters with_layers(Hyperparameters hp, std::int64_t n) {
  hp.n_layers = n;
  hp.layer_kinds.assign(static_cast<std::size_t>(n), LayerKind::full_attention);
  return hp;
}

class Stored {
 public:
  Stored(const Hyperparameters& hp, std::string_view mix, std::optional<bool> imatrix = std::nullopt) : model_(build_model(hp)) {
    std::unique_ptr<Quantization> made;
    stored_ = store(model_, Catalog::builtin().resolve_quantization(mix, made), imatrix);
  }

  [[nodiscard]] std::string format(const std::string& name) const {
    for (std::size_t i = 0; i < model_.tensors.size(); ++i) {
      if (model_.tensors[i].name == name) return std::string(tensor_format(stored_.formats[i]).name);
    }
    FAIL("no tensor " << name);
    return {};
  }
  /// Layers whose tensor of that name has the format.
  [[nodiscard]] std::vector<int> layers(const std::string& name, std::string_view of_format) const {
    std::vector<int> out;
    for (std::size_t i = 0; i < model_.tensors.size(); ++i) {
      const auto& t = model_.tensors[i];
      if (t.layer >= 0 && t.name == "blk." + std::to_string(t.layer) + "." + name && tensor_format(stored_.formats[i]).name == of_format)
        out.push_back(t.layer);
    }
    return out;
  }
  [[nodiscard]] const Model& model() const { return model_; }
  [[nodiscard]] const StoredModel& stored() const { return stored_; }

 private:
  Model model_;
  StoredModel stored_;
};

std::vector<int> range(int from, int to) {
  std::vector<int> out;
  for (int i = from; i < to; ++i) out.push_back(i);
  return out;
}

/// Bits per weight of the matrices that a scheme quantizes: those of a Llama-3.1-8B's layers.
double layer_bits(std::string_view quantization) {
  const auto& m = Catalog::builtin().find_model("llama-3.1-8b-instruct")->model();
  std::unique_ptr<Quantization> made;
  const auto stored = store(m, Catalog::builtin().resolve_quantization(quantization, made));
  double bits = 0;
  double weights = 0;
  for (std::size_t i = 0; i < m.tensors.size(); ++i) {
    const auto& t = m.tensors[i];
    if (t.layer < 0 || t.storage != Storage::quantized) continue;
    bits += 8.0 * static_cast<double>(stored.bytes[i]);
    weights += static_cast<double>(t.n_elements());
  }
  return bits / weights;
}

std::int64_t total_bytes(std::string_view model, std::string_view quantization) {
  std::unique_ptr<Quantization> made;
  return store(Catalog::builtin().resolve_model(model).model(), Catalog::builtin().resolve_quantization(quantization, made)).tensor_bytes;
}

}  // namespace

// ---------------------------------------------------------------------------------------------------------------------
// Formats
// ---------------------------------------------------------------------------------------------------------------------

TEST_CASE("quantization: bits per weight follow from the block layout") {
  const std::pair<FormatId, double> known[] = {{FormatId::f32, 32},        {FormatId::f16, 16},       {FormatId::bf16, 16},        {FormatId::q4_0, 4.5},
                                               {FormatId::q4_1, 5},        {FormatId::q5_0, 5.5},     {FormatId::q5_1, 6},         {FormatId::q8_0, 8.5},
                                               {FormatId::q2_k, 2.625},    {FormatId::q3_k, 3.4375},  {FormatId::q4_k, 4.5},       {FormatId::q5_k, 5.5},
                                               {FormatId::q6_k, 6.5625},   {FormatId::iq1_s, 1.5625}, {FormatId::iq1_m, 1.75},     {FormatId::iq2_xxs, 2.0625},
                                               {FormatId::iq2_xs, 2.3125}, {FormatId::iq2_s, 2.5625}, {FormatId::iq3_xxs, 3.0625}, {FormatId::iq3_s, 3.4375},
                                               {FormatId::iq4_nl, 4.5},    {FormatId::iq4_xs, 4.25},  {FormatId::tq1_0, 1.6875},   {FormatId::tq2_0, 2.0625},
                                               {FormatId::mxfp4, 4.25},    {FormatId::nvfp4, 4.5},    {FormatId::fp8, 8}};
  for (const auto& [id, bits] : known) CHECK_EQ(tensor_format(id).bits_per_weight(), bits);
  static_assert(TensorFormat{FormatId::q4_k, "Q4_K", 12, 256, 144}.row_bytes(4096) == 2304);
  // ik_llama.cpp's: some scale whole rows.
  CHECK_EQ(tensor_format(FormatId::iq3_k).bits_per_weight(), 3.4375);
  CHECK_EQ(tensor_format(FormatId::iq4_k_r4).bits_per_weight(), 4.5);
  CHECK_EQ(tensor_format(FormatId::iq4_ks).row_bytes(4096), 16 * 136 + 4);
  CHECK_EQ(tensor_format(FormatId::iq1_s_r4).row_bytes(64), 2 * 6 + 2);
}

TEST_CASE("quantization: formats are found by name and by GGUF number") {
  for (const auto& f : tensor_formats()) {
    CHECK_EQ(find_tensor_format(f.name), &f);
    CHECK_EQ(find_tensor_format(text::to_lower(f.name)), &f);
    if (f.gguf_type >= 0) CHECK_EQ(find_gguf_type(f.gguf_type), &f);
  }
  CHECK_EQ(find_tensor_format("Q9_K"), nullptr);
  CHECK_EQ(find_gguf_type(-1), nullptr);
  CHECK_EQ(find_gguf_type(4), nullptr);  // Q4_2, removed
  CHECK_EQ(find_gguf_type(1 << 20), nullptr);
}

TEST_CASE("quantization: a row that is no multiple of the block") {
  using quantization::fitting;
  CHECK_EQ(fitting(FormatId::q4_k, 4096), FormatId::q4_k);
  CHECK_EQ(fitting(FormatId::q4_k, 1056), FormatId::q5_0);  // 33 blocks of 32
  CHECK_EQ(fitting(FormatId::q5_k, 1056), FormatId::q5_1);
  CHECK_EQ(fitting(FormatId::q6_k, 1056), FormatId::q8_0);
  CHECK_EQ(fitting(FormatId::q2_k, 1056), FormatId::q4_0);
  CHECK_EQ(fitting(FormatId::q3_k, 1056), FormatId::q4_0);
  CHECK_EQ(fitting(FormatId::iq2_xxs, 1056), FormatId::iq4_nl);
  CHECK_EQ(fitting(FormatId::iq4_xs, 1056), FormatId::iq4_nl);
  CHECK_EQ(fitting(FormatId::q4_k, 1000), FormatId::f16);  // not even of 32
  CHECK_EQ(fitting(FormatId::q8_0, 1000), FormatId::f16);
  Tensor t;
  t.name = "x";
  t.shape = {1000, 10, 1, 1};
  CHECK_THROWS_WITH_AS((void)tensor_bytes(t, FormatId::q4_k), doctest::Contains("'x'"), Error);
  CHECK_EQ(tensor_bytes(t, FormatId::f16), 20000);
}

// ---------------------------------------------------------------------------------------------------------------------
// GGUF recipes
// ---------------------------------------------------------------------------------------------------------------------

TEST_CASE("quantization: Q4_K_M gives every third layer and the outer eighths more bits") {
  const Stored s(small_llama(), "Q4_K_M");
  const std::vector<int> more = {0, 1, 4, 7, 10, 13, 14, 15};
  CHECK_EQ(s.layers("ffn_down.weight", "Q6_K"), more);
  CHECK_EQ(s.layers("attn_v.weight", "Q6_K"), more);
  CHECK_EQ(s.layers("ffn_down.weight", "Q4_K").size(), 8);
  CHECK_EQ(s.layers("attn_q.weight", "Q4_K"), range(0, 16));
  CHECK_EQ(s.format("output.weight"), "Q6_K");
  CHECK_EQ(s.format("token_embd.weight"), "Q4_K");
  CHECK_EQ(s.format("blk.0.attn_norm.weight"), "F32");
}

TEST_CASE("quantization: rules by the first tensors and the first part of the layers") {
  const Stored q4(small_llama(), "Q4_K_S");
  CHECK_EQ(q4.layers("attn_v.weight", "Q5_K"), range(0, 4));
  CHECK_EQ(q4.layers("ffn_down.weight", "Q5_K"), range(0, 2));
  const Stored q3(small_llama(), "Q3_K_M");
  CHECK_EQ(q3.layers("attn_v.weight", "Q5_K"), range(0, 2));
  CHECK_EQ(q3.layers("attn_v.weight", "Q4_K"), range(2, 16));
  CHECK_EQ(q3.layers("ffn_down.weight", "Q5_K"), range(0, 1));
  const Stored iq3(small_llama(), "IQ3_XS");
  CHECK_EQ(iq3.layers("ffn_up.weight", "IQ3_XXS"), range(2, 14));
  CHECK_EQ(iq3.layers("ffn_gate.weight", "IQ3_S").size(), 4);
}

TEST_CASE("quantization: grouped queries get a better V") {
  CHECK_EQ(Stored(small_llama(), "Q2_K").format("blk.5.attn_v.weight"), "Q4_K");
  auto wide = small_llama();
  wide.n_kv_heads = 4;  // two heads share
  CHECK_EQ(Stored(wide, "Q2_K").format("blk.5.attn_v.weight"), "Q3_K");
  CHECK_EQ(Stored(small_llama(), "IQ4_XS").format("blk.5.attn_v.weight"), "Q5_K");
  CHECK_EQ(Stored(wide, "IQ4_XS").format("blk.5.attn_v.weight"), "IQ4_XS");
  // The quantizer looks at the first layer, which has no KV heads where it is recurrent.
  const auto* hybrid = Catalog::builtin().find_model("nvidia-nemotron-3-nano-30b-a3b-bf16");
  REQUIRE(hybrid != nullptr);
  CHECK_EQ(Stored(hybrid->model().hyperparameters, "Q2_K").format("blk.5.attn_v.weight"), "Q4_0");  // Q3_K, in rows of 2688
}

TEST_CASE("quantization: models of 80 layers with grouped queries get a better V") {
  CHECK_EQ(Stored(with_layers(small_llama(), 80), "Q3_K_M").layers("attn_v.weight", "Q5_K"), range(0, 80));
  CHECK_EQ(Stored(with_layers(small_llama(), 79), "Q3_K_M").layers("attn_v.weight", "Q5_K"), range(0, 2));
  auto llama_65b = with_layers(small_llama(), 80);
  llama_65b.n_kv_heads = llama_65b.n_heads;
  CHECK_EQ(Stored(llama_65b, "Q3_K_M").layers("attn_v.weight", "Q5_K"), range(0, 2));
}

TEST_CASE("quantization: attention of models with eight experts is small beside them") {
  const Stored eight(small_mixture(8), "Q4_K_M");
  CHECK_EQ(eight.layers("attn_v.weight", "Q8_0"), range(0, 16));
  CHECK_EQ(eight.layers("attn_k.weight", "Q8_0"), range(0, 16));
  CHECK_EQ(eight.layers("attn_output.weight", "Q5_K"), range(0, 16));
  CHECK_EQ(eight.layers("ffn_gate_inp.weight", "F32"), range(0, 16));
  CHECK_EQ(eight.layers("ffn_down_exps.weight", "Q6_K").size(), 8);
  const Stored sixteen(small_mixture(16), "Q4_K_M");
  CHECK_EQ(sixteen.layers("attn_k.weight", "Q4_K"), range(0, 16));
  CHECK_EQ(Stored(small_mixture(16), "IQ2_XXS").format("blk.3.attn_v.weight"), "Q4_K");
  // Expert stacks count whole: three dimensions.
  CHECK_EQ(Stored(small_mixture(8), "MXFP4").format("blk.3.ffn_down_exps.weight"), "MXFP4");
  CHECK_EQ(Stored(small_mixture(8), "MXFP4").format("blk.3.attn_q.weight"), "Q8_0");
}

TEST_CASE("quantization: the importance matrix matters where a recipe says so") {
  const auto formats = [](const char* mix, bool imatrix) { return Stored(small_llama(), mix, imatrix).layers("ffn_down.weight", imatrix ? "Q4_1" : "Q5_K"); };
  CHECK_EQ(formats("Q4_0", true), range(0, 2));
  CHECK_EQ(Stored(small_llama(), "Q4_0", false).layers("ffn_down.weight", "Q4_0"), range(0, 16));
  CHECK_EQ(formats("IQ4_XS", false), range(0, 2));
  CHECK_EQ(Stored(small_llama(), "IQ4_XS", true).layers("ffn_down.weight", "IQ4_XS"), range(0, 16));
  CHECK_EQ(Stored(small_llama(), "Q5_0", true).layers("ffn_down.weight", "Q5_1"), range(0, 2));
  CHECK_EQ(Stored(small_llama(), "IQ3_XXS", false).layers("ffn_down.weight", "Q3_K"), range(2, 16));
  // What is usual: none for the old formats, one for the others.
  CHECK_EQ(Stored(small_llama(), "Q4_0").stored().tensor_bytes, Stored(small_llama(), "Q4_0", false).stored().tensor_bytes);
  CHECK_EQ(Stored(small_llama(), "IQ4_XS").stored().tensor_bytes, Stored(small_llama(), "IQ4_XS", true).stored().tensor_bytes);
}

TEST_CASE("quantization: the embedding table serves as head where it is tied") {
  auto hp = small_llama();
  hp.tied_embeddings = true;
  CHECK_EQ(Stored(hp, "Q4_K_M").format("token_embd.weight"), "Q6_K");
  CHECK_EQ(Stored(hp, "IQ2_XXS").format("token_embd.weight"), "Q5_K");
  CHECK_EQ(Stored(hp, "Q8_0").format("token_embd.weight"), "Q8_0");
  CHECK_EQ(Stored(small_llama(), "IQ2_XXS").format("token_embd.weight"), "Q2_K");
  // Rows of 544 fit no block of 256: the head falls back to Q8_0.
  hp.hidden_size = 544;
  CHECK_EQ(Stored(hp, "Q4_K_M").format("token_embd.weight"), "Q8_0");
  CHECK_EQ(Stored(hp, "Q4_0").format("token_embd.weight"), "Q8_0");  // Q6_K by rule, which falls back
}

TEST_CASE("quantization: odd feed-forwards fall back") {
  auto hp = small_llama();
  hp.ffn_size = 1056;
  const Stored s(hp, "Q4_K_M");
  CHECK_EQ(s.format("blk.0.ffn_down.weight"), "Q8_0");
  CHECK_EQ(s.format("blk.2.ffn_down.weight"), "Q5_0");
  CHECK_EQ(s.format("blk.0.ffn_up.weight"), "Q4_K");  // its rows are 512 long
  hp.ffn_size = 1000;
  CHECK_EQ(Stored(hp, "Q4_K_M").format("blk.0.ffn_down.weight"), "F16");
}

TEST_CASE("quantization: files without a mix") {
  for (const std::string mix : {"F16", "BF16", "F32"}) {
    const Stored s(small_mixture(8), mix);
    CHECK_EQ(s.format("blk.0.attn_q.weight"), mix);
    CHECK_EQ(s.format("blk.0.ffn_down_exps.weight"), mix);
    CHECK_EQ(s.format("output.weight"), mix);
    CHECK_EQ(s.format("blk.0.ffn_norm.weight"), "F32");
  }
}

TEST_CASE("quantization: the experts of gpt-oss stay MXFP4 whatever the mix") {
  const auto& hp = Catalog::builtin().find_model("gpt-oss-20b")->model().hyperparameters;
  for (const auto* q : Catalog::builtin().quantizations()) {
    if (!q->is_gguf()) continue;
    CAPTURE(q->name);
    const Stored s(hp, q->name);
    CHECK_EQ(s.format("blk.0.ffn_up_exps.weight"), "MXFP4");
    CHECK_EQ(s.format("blk.23.ffn_down_exps.weight"), "MXFP4");
  }
  CHECK_EQ(Stored(hp, "F16").format("blk.0.attn_q.weight"), "F16");
  // The file that is called F16: 12.83 GiB of tensors
  CHECK_EQ(format_gib(Stored(hp, "F16").stored().tensor_bytes), "12.8 GiB");
}

TEST_CASE("quantization: a publisher's recipe holds for the models and from the dates that it says") {
  // Mixtures of experts: positions count the tensors of one name, 16 of each here.
  const auto mixture = small_mixture(16);
  const Stored before(mixture, "Q4_K_M@bartowski-2025-01");
  const Stored first(mixture, "Q4_K_M@bartowski-2025-06");
  const Stored now(mixture, "Q4_K_M@bartowski-2026-03");
  CHECK_EQ(before.stored().bytes, Stored(mixture, "Q4_K_M").stored().bytes);
  CHECK_EQ(before.format("blk.5.attn_k.weight"), "Q4_K");
  CHECK_EQ(first.format("blk.5.attn_k.weight"), "Q8_0");
  CHECK_EQ(first.format("blk.5.attn_output.weight"), "Q5_K");
  CHECK_EQ(now.format("blk.5.attn_output.weight"), "Q6_K");
  CHECK_EQ(now.format("blk.5.attn_v.weight"), "Q8_0");
  CHECK_EQ(now.layers("ffn_down_exps.weight", "Q6_K"), std::vector<int>{0, 1, 4, 7, 10, 13, 14, 15});
  CHECK_EQ(now.format("blk.2.ffn_down_exps.weight"), "Q4_K");
  // Nobody said when: the newest. A dense model: nothing of its own.
  CHECK_EQ(Stored(mixture, "Q4_K_M@bartowski").stored().bytes, now.stored().bytes);
  CHECK_EQ(Stored(small_llama(), "Q4_K_M@bartowski").stored().bytes, Stored(small_llama(), "Q4_K_M").stored().bytes);

  const Stored small(mixture, "IQ2_M@bartowski-2025-06");
  CHECK_EQ(small.layers("ffn_up_exps.weight", "IQ3_XXS"), std::vector<int>{0, 1, 15});
  CHECK_EQ(small.format("blk.7.ffn_up_exps.weight"), "IQ2_XS");
}

TEST_CASE("quantization: the date of a model stands for that of its files") {
  auto hp = small_llama();
  hp.architecture = "phi3";  // Q, K and V in one tensor
  auto model = build_model(hp);
  const auto& q = *Catalog::builtin().find_quantization("Q4_K_M");
  const auto qkv = [&] {
    const auto stored = store(model, q);
    for (std::size_t i = 0; i < model.tensors.size(); ++i) {
      if (model.tensors[i].name == "blk.0.attn_qkv.weight") return std::string(tensor_format(stored.formats[i]).name);
    }
    return std::string();
  };
  CHECK_EQ(qkv(), "Q6_K");  // not known: today's quantizer
  model.release_date = "2024-12-12";
  CHECK_EQ(qkv(), "Q5_K");
  model.release_date = "2026-03-02";
  CHECK_EQ(qkv(), "Q6_K");
}

TEST_CASE("quantization: head and embedding table as asked") {
  auto tied = small_llama();
  tied.tied_embeddings = true;
  const Stored large(small_llama(), "Q6_K_L");
  CHECK_EQ(large.format("output.weight"), "Q8_0");
  CHECK_EQ(large.format("token_embd.weight"), "Q8_0");
  CHECK_EQ(large.format("blk.0.attn_q.weight"), "Q6_K");
  CHECK_EQ(Stored(tied, "Q4_K_L").format("token_embd.weight"), "Q8_0");
  CHECK_EQ(Stored(small_llama(), "Q4_K_M+output=BF16").format("output.weight"), "BF16");
  CHECK_EQ(Stored(small_llama(), "Q4_K_M+output=BF16").format("token_embd.weight"), "Q4_K");
  CHECK_EQ(Stored(small_llama(), "Q4_K_M+token_embd=F16").format("token_embd.weight"), "F16");
  CHECK_EQ(Stored(tied, "Q4_K_M+token_embd=F16").format("token_embd.weight"), "F16");
  CHECK_EQ(Stored(tied, "Q4_K_M+output=Q8_0").format("token_embd.weight"), "Q8_0");
}

TEST_CASE("quantization: a tied head that files store a second time") {
  const auto& catalog = Catalog::builtin();
  const auto tensors_of = [&](std::string_view model, std::string_view quantization) {
    std::unique_ptr<Quantization> made;
    return catalog.resolve_model(model).model_as_stored(catalog.resolve_quantization(quantization, made)).parameters().total;
  };
  constexpr std::int64_t kQwen25 = 494032768, kHead25 = std::int64_t{151936} * 896;
  CHECK_EQ(tensors_of("qwen2.5-0.5b-instruct", "Q4_K_M"), kQwen25);
  CHECK_EQ(tensors_of("qwen2.5-0.5b-instruct", "Q4_K_M@bartowski"), kQwen25);  // its checkpoint has no head
  CHECK_EQ(tensors_of("qwen2.5-0.5b-instruct", "Q4_K_M@qwen"), kQwen25 + kHead25);
  CHECK_EQ(tensors_of("qwen2.5-0.5b-instruct", "Q4_K_M+untied"), kQwen25 + kHead25);
  // The checkpoint has one: files converted from it, not those of copies saved anew.
  CHECK_EQ(tensors_of("qwen3-0.6b", "Q4_K_M"), 596049920);
  CHECK_EQ(tensors_of("qwen3-0.6b", "Q4_K_M@bartowski"), 751632384);
  CHECK_EQ(tensors_of("qwen3-0.6b", "Q4_K_M@unsloth"), 596049920);
  CHECK_EQ(tensors_of("qwen2.5-7b-instruct", "Q4_K_M+untied"), tensors_of("qwen2.5-7b-instruct", "Q4_K_M"));
}

TEST_CASE("quantization: made with an importance matrix, or without") {
  CHECK_EQ(Stored(small_llama(), "Q4_0").format("blk.0.ffn_down.weight"), "Q4_0");
  CHECK_EQ(Stored(small_llama(), "Q4_0+imatrix").format("blk.0.ffn_down.weight"), "Q4_1");
  CHECK_EQ(Stored(small_llama(), "Q4_0@mradermacher-i1").format("blk.0.ffn_down.weight"), "Q4_1");
  CHECK_EQ(Stored(small_llama(), "Q4_0@bartowski-2024-01").format("blk.0.ffn_down.weight"), "Q4_0");
  CHECK_EQ(Stored(small_llama(), "Q4_0@bartowski-2024-09").format("blk.0.ffn_down.weight"), "Q4_1");
  CHECK_EQ(Stored(small_llama(), "IQ4_XS").format("blk.0.ffn_down.weight"), "IQ4_XS");
  CHECK_EQ(Stored(small_llama(), "IQ4_XS+static").format("blk.0.ffn_down.weight"), "Q5_K");
  CHECK_EQ(Stored(small_llama(), "IQ4_XS@mradermacher").format("blk.0.ffn_down.weight"), "Q5_K");
}

TEST_CASE("quantization: sums") {
  const Stored s(small_llama(), "Q4_K_M");
  std::int64_t sum = 0;
  for (const auto bytes : s.stored().bytes) sum += bytes;
  CHECK_EQ(sum, s.stored().tensor_bytes);
  CHECK_EQ(s.stored().parameters, s.model().parameters().total);
  CHECK_EQ(s.stored().bits_per_weight(), 8.0 * static_cast<double>(sum) / static_cast<double>(s.stored().parameters));
  CHECK_EQ(StoredModel{}.bits_per_weight(), 0);
}

TEST_CASE("quantization: every GGUF mix of the catalog lies near its base format on a large model") {
  for (const auto* q : Catalog::builtin().quantizations()) {
    if (!q->is_gguf() || q->name == "MXFP4") continue;  // MXFP4 speaks of experts: a dense model becomes Q8_0
    CAPTURE(q->name);
    const auto& m = Catalog::builtin().find_model("llama-3.1-70b-instruct")->model();
    const double bits = store(m, *q).bits_per_weight();
    const double base = tensor_format(std::get<GgufRecipe>(q->recipe).base).bits_per_weight();
    CHECK_GT(bits, 0.95 * base);
    CHECK_LT(bits, 1.3 * base + 0.2);
  }
}

TEST_CASE("quantization: MTP layers are stored where the family's files keep them, towers never") {
  const auto& air = Catalog::builtin().find_model("glm-4.5-air")->model();
  const auto kept = store(air, *Catalog::builtin().find_quantization("Q8_0"));
  CHECK_EQ(kept.parameters, air.parameters().total + air.parameters().mtp);
  const auto& v3 = Catalog::builtin().find_model("deepseek-v3")->model();
  CHECK_EQ(store(v3, *Catalog::builtin().find_quantization("Q8_0")).parameters, v3.parameters().total);
  const auto& vl = Catalog::builtin().find_model("qwen2.5-vl-7b-instruct")->model();
  CHECK_EQ(store(vl, *Catalog::builtin().find_quantization("Q8_0")).parameters, vl.parameters().total);
}

TEST_CASE("quantization: a GGUF file is header, directory and padded data") {
  const Stored s(small_llama(), "Q4_K_M");
  Tokenizer tokenizer;
  tokenizer.model = "llama";
  tokenizer.tokens = 1000;
  tokenizer.token_bytes = 5000;
  tokenizer.token_types = false;
  // "tokenizer.ggml.model": 8 + 20 + 4 + 8 + 5; "tokenizer.ggml.tokens": 8 + 21 + 4 + 4 + 8 + 8 x 1000 + 5000
  CHECK_EQ(tokenizer.header_bytes(), 45 + 45 + 13000);
  const auto size = gguf_file_size(s.model(), s.stored(), tokenizer);
  CHECK_GE(size.data_bytes, s.stored().tensor_bytes);
  CHECK_LT(size.data_bytes, s.stored().tensor_bytes + 32 * static_cast<std::int64_t>(s.model().tensors.size()));
  CHECK_EQ(size.data_bytes % 32, 0);
  CHECK_EQ(size.total_bytes % 32, 0);
  CHECK_GE(size.total_bytes, size.data_bytes + size.directory_bytes + size.metadata_bytes);
  // A longer vocabulary is a longer header, byte for byte.
  tokenizer.token_bytes += 320;
  CHECK_EQ(gguf_file_size(s.model(), s.stored(), tokenizer).total_bytes, size.total_bytes + 320);
}

// ---------------------------------------------------------------------------------------------------------------------
// Groups
// ---------------------------------------------------------------------------------------------------------------------

TEST_CASE("quantization: groups take the published bits per weight") {
  CHECK_EQ(layer_bits("AWQ"), doctest::Approx(4 + 20.0 / 128).epsilon(1e-6));    // scale 16, zero point 4 per 128
  CHECK_EQ(layer_bits("GPTQ"), doctest::Approx(4 + 20.0 / 128).epsilon(0.003));  // and an index per input column
  CHECK_GT(layer_bits("GPTQ"), layer_bits("AWQ"));
  CHECK_EQ(layer_bits("NF4"), doctest::Approx(4.127).epsilon(1e-4));  // QLoRA, section 3: 0.127 bits of constants
  CHECK_EQ(layer_bits("NF4-single"), doctest::Approx(4.5).epsilon(1e-6));
  CHECK_EQ(layer_bits("MLX-4"), doctest::Approx(4.5).epsilon(1e-6));  // mlx_lm.convert prints "4.501 bits per weight"
  CHECK_EQ(layer_bits("MLX-8"), doctest::Approx(8.5).epsilon(1e-6));
  CHECK_EQ(layer_bits("MLX-3"), doctest::Approx(3.5).epsilon(1e-6));
  CHECK_EQ(layer_bits("EXL2-4.25"), doctest::Approx(4.25).epsilon(1e-6));
  CHECK_EQ(layer_bits("W4A16"), doctest::Approx(4.125).epsilon(1e-6));
  CHECK_EQ(layer_bits("FP8-block"), doctest::Approx(8 + 32.0 / (128 * 128)).epsilon(1e-6));
  CHECK_EQ(layer_bits("NVFP4-ST"), doctest::Approx(4.5).epsilon(1e-6));
  CHECK_EQ(layer_bits("FP16"), 16);
  CHECK_EQ(layer_bits("FP8"), doctest::Approx(8).epsilon(0.001));
}

TEST_CASE("quantization: repositories of grouped weights have their published sizes") {
  // hugging-quants/Meta-Llama-3.1-8B-Instruct-AWQ-INT4: two files, 4.68 and 1.05 GB
  CHECK_EQ(static_cast<double>(total_bytes("llama-3.1-8b-instruct", "AWQ")), doctest::Approx(5.73e9).epsilon(0.002));
  // TheBloke/Llama-2-7B-GPTQ, branch main: 3.90 GB
  CHECK_EQ(static_cast<double>(total_bytes("llama-2-7b-hf", "GPTQ")), doctest::Approx(3.90e9).epsilon(0.003));
  // mlx-community/DeepSeek-R1-Distill-Qwen-1.5B-4bit: 1.00 GB
  CHECK_EQ(static_cast<double>(total_bytes("deepseek-r1-distill-qwen-1.5b", "MLX-4")), doctest::Approx(1.00e9).epsilon(0.003));
  // openai/gpt-oss-20b: 13.8 GB of MXFP4 experts and BF16
  CHECK_EQ(static_cast<double>(total_bytes("gpt-oss-20b", "MXFP4-ST")), doctest::Approx(13.76e9).epsilon(0.005));
}

TEST_CASE("quantization: what groups leave alone") {
  const auto bytes_of = [](std::string_view quantization, const std::string& name) {
    const auto m = build_model(small_mixture(8));
    std::unique_ptr<Quantization> made;
    const auto stored = store(m, Catalog::builtin().resolve_quantization(quantization, made));
    for (std::size_t i = 0; i < m.tensors.size(); ++i) {
      if (m.tensors[i].name == name) return 8.0 * static_cast<double>(stored.bytes[i]) / static_cast<double>(m.tensors[i].n_elements());
    }
    FAIL("no tensor " << name);
    return 0.0;
  };
  CHECK_EQ(bytes_of("AWQ", "token_embd.weight"), 16);
  CHECK_EQ(bytes_of("AWQ", "output.weight"), 16);
  CHECK_EQ(bytes_of("AWQ", "blk.0.attn_norm.weight"), 16);
  CHECK_EQ(bytes_of("AWQ", "blk.0.ffn_gate_inp.weight"), 16);
  CHECK_EQ(bytes_of("MLX-4", "token_embd.weight"), 4.5);
  CHECK_EQ(bytes_of("MLX-4", "output.weight"), 4.5);
  CHECK_EQ(bytes_of("MLX-4", "blk.0.ffn_gate_inp.weight"), 4.5);
  CHECK_EQ(bytes_of("EXL2-4", "output.weight"), 6);
  CHECK_EQ(bytes_of("EXL2-4", "token_embd.weight"), 16);
  CHECK_EQ(bytes_of("MXFP4-ST", "blk.0.attn_q.weight"), 16);
  CHECK_EQ(bytes_of("MXFP4-ST", "blk.0.ffn_up_exps.weight"), 4.25);
}

TEST_CASE("quantization: more bits are never fewer bytes") {
  double before = 0;
  for (const double bits : {2.0, 2.5, 3.0, 4.0, 4.25, 5.0, 6.0, 8.0}) {
    const auto bytes = static_cast<double>(total_bytes("llama-3.1-8b-instruct", "EXL2-" + std::to_string(bits)));
    CHECK_GT(bytes, before);
    before = bytes;
  }
}
