// Layers on devices: a move changes that layer's bytes and nothing else, and back again is as before.
#include "planner/memory_map.h"

#include <doctest/doctest.h>

#include "planner/deployment.h"
#include "planner/error.h"

namespace {

using namespace planner;

const Catalog& catalog() { return Catalog::builtin(); }

EstimateRequest request(const char* model, std::vector<std::string> devices) {
  EstimateRequest r;
  r.model = model;
  r.quantization = "Q4_K_M";
  r.devices = std::move(devices);
  r.context = 8192;
  return r;
}

std::int64_t weights_on(const MemoryMap& map, std::size_t device) { return map.answer.memory->devices[device].bytes(Component::weights); }
std::int64_t cache_on(const MemoryMap& map, int device) {
  std::int64_t bytes = 0;
  for (const auto& l : map.layers) bytes += l.cache_device == device ? l.cache_bytes : 0;
  return bytes;
}

}  // namespace

TEST_CASE("The map is the estimate's: layers and cache lie where it counts them") {
  for (const char* model : {"llama-3.1-8b-instruct", "qwen3-30b-a3b", "gemma-3-12b-it"}) {
    CAPTURE(model);
    const auto map = memory_map(request(model, {"rtx-4090", "rtx-3060-12gb"}), catalog());
    REQUIRE(map.answer.memory->devices.size() >= 2);
    for (std::size_t i = 0; i < 2; ++i) {
      std::int64_t layers = 0;
      for (const auto& l : map.layers) layers += map.split[static_cast<std::size_t>(&l - map.layers.data())] == static_cast<int>(i) ? 1 : 0;
      CHECK(layers == map.answer.memory->devices[i].layers);
      // the engine pads the cache to cells; never less than what the tokens take
      CHECK(cache_on(map, static_cast<int>(i)) <=
            map.answer.memory->devices[i].bytes(Component::kv) + map.answer.memory->devices[i].bytes(Component::recurrent_state));
    }
    CHECK(map.buffers == std::vector<std::string>{"CUDA0", "CUDA1"});
  }
}

TEST_CASE("A layer moved takes exactly its weights with it") {
  const auto before = memory_map(request("llama-3.1-8b-instruct", {"rtx-4090", "rtx-3060-12gb"}), catalog());
  std::size_t layer = 0;
  while (before.layers[layer].device != 0) ++layer;
  const auto bytes = before.layers[layer].dense_bytes;
  REQUIRE(bytes > 0);
  const auto after = memory_map(with_layer_on(before, layer, 1), catalog());
  CHECK(after.layers[layer].device == 1);
  CHECK(after.layers[layer].cache_device == 0);
  CHECK(weights_on(after, 0) == weights_on(before, 0) - bytes);
  CHECK(weights_on(after, 1) == weights_on(before, 1) + bytes);
  for (std::size_t i = 0; i < before.layers.size(); ++i) {
    if (i != layer) CHECK(after.layers[i].device == before.layers[i].device);
  }
  const auto back = memory_map(with_layer_on(after, layer, 0), catalog());
  CHECK(back.request.override_tensors.empty());
  CHECK(back.answer.memory->total_bytes() == before.answer.memory->total_bytes());
}

TEST_CASE("Experts move alone, and decode gets slower when they go to the host") {
  const auto before = memory_map(request("qwen3-30b-a3b", {"rtx-4090"}), catalog());
  const std::size_t layer = before.layers.size() - 1;
  REQUIRE(before.layers[layer].expert_bytes > 0);
  const auto after = memory_map(with_experts_on(before, layer, kHost), catalog());
  CHECK(after.layers[layer].experts_device == kHost);
  CHECK(after.layers[layer].device == before.layers[layer].device);
  CHECK(weights_on(after, 0) == weights_on(before, 0) - before.layers[layer].expert_bytes);
  CHECK(after.answer.throughput->decode_tokens_per_s < before.answer.throughput->decode_tokens_per_s);
  // the rest of the layer goes without them, and the rule of the experts still counts
  const auto both = memory_map(with_layer_on(after, layer, kHost), catalog());
  CHECK(both.layers[layer].device == kHost);
  CHECK(both.layers[layer].experts_device == kHost);
  CHECK(memory_map(with_experts_on(both, layer, 0), catalog()).layers[layer].experts_device == 0);
}

TEST_CASE("What cannot be is refused") {
  const auto map = memory_map(request("llama-3.1-8b-instruct", {"rtx-4090"}), catalog());
  CHECK_THROWS_AS((void)with_layer_on(map, 999, 0), Error);
  CHECK_THROWS_AS((void)with_layer_on(map, 0, 7), Error);
  CHECK_THROWS_AS((void)with_experts_on(map, 0, kHost), Error);
  auto other = request("llama-3.1-8b-instruct", {"h100-sxm"});
  other.engine = "vllm";
  other.quantization = "BF16";
  CHECK_THROWS_AS((void)memory_map(other, catalog()), Error);
}
