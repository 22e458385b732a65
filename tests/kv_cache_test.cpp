// What a model keeps per token and per sequence.
#include <doctest/doctest.h>

#include <string>

#include "planner/catalog.h"
#include "planner/kv_cache.h"
#include "planner/units.h"

namespace {

using namespace planner;

const Model& model(const std::string& id) {
  const auto* entry = Catalog::builtin().find_model(id);
  REQUIRE_MESSAGE(entry != nullptr, "no model " << id);
  return entry->model();
}
std::int64_t f16_bytes(const std::string& id, std::int64_t tokens) { return kv_cache_bytes(model(id), tokens, FormatId::f16, FormatId::f16); }
std::int64_t per_token(const Mixer& mixer, FormatId k = FormatId::f16, FormatId v = FormatId::f16, MlaCache mla = MlaCache::compressed) {
  const auto needs = cache_needs(mixer, k, v, mla);
  std::int64_t bytes = 0;
  for (const auto& part : needs.token_caches()) bytes += part.row_bytes_k + part.row_bytes_v;
  return bytes;
}

}  // namespace

TEST_CASE("kv cache: GQA keeps a key and a value per KV head") {
  Attention a{.n_heads = 32, .n_kv_heads = 8, .head_dim = 128, .head_dim_v = 128};
  CHECK_EQ(per_token(a), 4096);
  CHECK_EQ(per_token(a, FormatId::f32, FormatId::f32), 8192);
  // q8_0: 34 bytes per 32 elements, q4_0: 18
  CHECK_EQ(per_token(a, FormatId::q8_0, FormatId::q8_0), 4096 * 34 / 64);
  CHECK_EQ(per_token(a, FormatId::q4_0, FormatId::q4_0), 4096 * 18 / 64);
  CHECK_EQ(per_token(a, FormatId::q8_0, FormatId::f16), 2048 * 34 / 64 + 2048);
  a.n_kv_heads = 1;  // MQA
  CHECK_EQ(per_token(a), 512);
  a.head_dim_v = 64;  // narrower values
  CHECK_EQ(per_token(a), 384);
  a.n_kv_heads = 0;  // a layer without attention
  CHECK_EQ(per_token(a), 0);
}

TEST_CASE("kv cache: known models, f16") {
  // layers x KV heads x head_dim, K and V, two bytes
  CHECK_EQ(f16_bytes("deepseek-r1-distill-qwen-1.5b", 1), 28672);
  CHECK_EQ(f16_bytes("deepseek-r1-distill-qwen-1.5b", 131072), 7 * kGiB / 2);
  CHECK_EQ(f16_bytes("deepseek-r1-distill-llama-8b", 1), 131072);
  CHECK_EQ(f16_bytes("deepseek-r1-distill-llama-8b", 131072), 16 * kGiB);
  CHECK_EQ(f16_bytes("llama-3.1-8b-instruct", 8192), kGiB);
  CHECK_EQ(f16_bytes("qwen3-8b", 1), 147456);
  CHECK_EQ(f16_bytes("qwen3-32b", 1), 262144);
  CHECK_EQ(f16_bytes("qwen3-32b", 32768), 8 * kGiB);
  CHECK_EQ(f16_bytes("llama-3.1-70b-instruct", 1), 327680);
  CHECK_EQ(f16_bytes("llama-3.1-70b-instruct", 32768), 10 * kGiB);
  CHECK_EQ(kv_cache_bytes(model("llama-3.1-8b-instruct"), 8192, FormatId::q8_0, FormatId::q8_0), kGiB * 17 / 32);
  CHECK_EQ(f16_bytes("llama-3.1-8b-instruct", 0), 0);
}

TEST_CASE("kv cache: MLA keeps one compressed row, or all heads expanded") {
  MlaAttention a{.n_heads = 128, .q_lora_rank = 1536, .kv_lora_rank = 512, .qk_nope_head_dim = 128, .qk_rope_head_dim = 64, .v_head_dim = 128};
  CHECK_EQ(per_token(a), 2 * 576);
  CHECK_EQ(per_token(a, FormatId::f16, FormatId::f16, MlaCache::expanded), 2 * 128 * (192 + 128));
  CHECK_EQ(per_token(a, FormatId::q8_0, FormatId::q8_0), 576 * 34 / 32);
  a.indexer_heads = 64;  // sparse attention adds a key of the indexer
  a.indexer_head_dim = 128;
  CHECK_EQ(per_token(a), 2 * (576 + 128));
  CHECK_EQ(f16_bytes("deepseek-v3", 1), 70272);
  CHECK_EQ(kv_cache_bytes(model("deepseek-v3"), 1, FormatId::f16, FormatId::f16, MlaCache::expanded), 61 * 2 * 128 * (192 + 128));
  CHECK_EQ(f16_bytes("deepseek-v3.2", 1), 61 * 2 * (576 + 128));
}

TEST_CASE("kv cache: sliding layers keep their window at most") {
  const TokenCache window{.row_bytes_k = 100, .row_bytes_v = 20, .window = 1024};
  CHECK_EQ(window.bytes(512), 512 * 120);
  CHECK_EQ(window.bytes(1024), 1024 * 120);
  CHECK_EQ(window.bytes(100000), 1024 * 120);
  // Gemma 3 27B: five sliding layers of 1024 tokens, then a full one; 62 layers, 16 KV heads of 128
  const auto& gemma = model("gemma-3-27b-it");
  const std::int64_t row = 2 * 16 * 128 * 2;
  const std::int64_t full_layers = 62 / 6;
  CHECK_EQ(f16_bytes("gemma-3-27b-it", 131072), row * (full_layers * 131072 + (62 - full_layers) * 1024));
  CHECK_EQ(f16_bytes("gemma-3-27b-it", 1000), row * 62 * 1000);
  CHECK_EQ(gemma.kv_layers(), 62);
  // gpt-oss-20b: 12 of 24 layers slide over 128 tokens, 8 KV heads of 64
  CHECK_EQ(f16_bytes("gpt-oss-20b", 8192), 2 * 8 * 64 * 2 * 12 * (8192 + 128));
}

TEST_CASE("kv cache: layers that read another layer's cache keep nothing") {
  CHECK_EQ(per_token(Attention{.n_heads = 8, .n_kv_heads = 2, .head_dim = 256, .head_dim_v = 256, .shares_kv_of = 3}), 0);
  const auto& e4b = model("gemma-3n-e4b-it");  // 35 layers, the last 15 share
  CHECK_EQ(e4b.kv_layers(), 20);
}

TEST_CASE("kv cache: image tokens are a fixed number, compressed rows stand for groups of tokens") {
  const Mixer cross = Attention{.n_heads = 32, .n_kv_heads = 8, .head_dim = 128, .head_dim_v = 128, .cross_tokens = 6404};
  const auto needs = cache_needs(cross, FormatId::f16, FormatId::f16);
  CHECK_EQ(needs.token_caches()[0].bytes(1000000), 6404 * 4096);
  const TokenCache grouped{.row_bytes_k = 10, .tokens_per_row = 4};
  CHECK_EQ(grouped.bytes(3), 0);
  CHECK_EQ(grouped.bytes(400), 1000);
}

TEST_CASE("kv cache: recurrent layers keep a state of fixed size, in F32") {
  const Mixer mamba2 = Mamba{.inner_size = 4096, .state_size = 128, .conv_kernel = 4, .n_heads = 64, .n_groups = 1};
  CHECK_EQ(per_token(mamba2), 0);
  const auto needs = cache_needs(mamba2, FormatId::f16, FormatId::f16);
  CHECK_EQ(needs.conv_state_bytes, 4 * 3 * (4096 + 2 * 128));
  CHECK_EQ(needs.recurrent_state_bytes, 4 * 128 * 4096);

  const Mixer delta = LinearAttention{.n_k_heads = 16, .n_v_heads = 32, .k_head_dim = 128, .v_head_dim = 128, .conv_kernel = 4};
  const auto net = cache_needs(delta, FormatId::q8_0, FormatId::q8_0);  // whatever the cache's type
  CHECK_EQ(net.conv_state_bytes, 4 * 3 * (2 * 16 * 128 + 32 * 128));
  CHECK_EQ(net.recurrent_state_bytes, 4 * 32 * 128 * 128);

  const auto conv = cache_needs(ShortConv{.kernel = 3, .width = 2048}, FormatId::f16, FormatId::f16);
  CHECK_EQ(conv.conv_state_bytes, 4 * 2 * 2048);
  const auto rwkv = cache_needs(Rwkv{.n_heads = 40, .head_dim = 64}, FormatId::f16, FormatId::f16);
  CHECK_EQ(rwkv.conv_state_bytes, 4 * 2 * 40 * 64);
  CHECK_EQ(rwkv.recurrent_state_bytes, 4 * 40 * 64 * 64);
}

TEST_CASE("kv cache: hybrids grow with their attention layers alone") {
  // Qwen3-Next: every fourth of 48 layers attends, 2 KV heads of 256
  CHECK_EQ(f16_bytes("qwen3-next-80b-a3b-instruct", 1), 12 * 2 * 2 * 256 * 2);
  CHECK_EQ(model("qwen3-next-80b-a3b-instruct").kv_layers(), 12);
  CHECK_EQ(recurrent_state_bytes(model("qwen3-next-80b-a3b-instruct")), 36 * 4 * (3 * (2 * 16 * 128 + 32 * 128) + 32 * 128 * 128));
  CHECK_EQ(f16_bytes("falcon-mamba-7b", 100000), 0);
  CHECK_GT(recurrent_state_bytes(model("falcon-mamba-7b")), 0);
  CHECK_EQ(recurrent_state_bytes(model("llama-3.1-8b-instruct")), 0);
}

TEST_CASE("kv cache: grows with the tokens for every model of the catalog, never shrinks") {
  for (const auto* entry : Catalog::builtin().models()) {
    const auto* m = entry->find_model();
    if (m == nullptr) continue;
    CAPTURE(entry->id);
    std::int64_t before = 0;
    for (const std::int64_t tokens : {1, 100, 1024, 8192, 131072, 1 << 20}) {
      const auto bytes = kv_cache_bytes(*m, tokens, FormatId::f16, FormatId::f16);
      CHECK_GE(bytes, before);
      CHECK_LE(kv_cache_bytes(*m, tokens, FormatId::q8_0, FormatId::q8_0), bytes);
      before = bytes;
    }
    CHECK_EQ(before > 0, m->kv_layers() > 0);
  }
}
