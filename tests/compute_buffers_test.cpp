// Compute buffers: the allocator's layout on small graphs, and that cutting repeated layers short changes nothing, over the whole catalog.
#include <doctest/doctest.h>

#include <array>
#include <map>
#include <vector>

#include "engine/compute_buffers.h"
#include "engine/graph/allocator.h"
#include "engine/graph/builder.h"
#include "engine/graph/graph.h"
#include "engine/graph/scheduler.h"
#include "planner/catalog.h"

using namespace planner;
using engine::GraphOptions;
using engine::graph::Graph;
using engine::graph::Id;

TEST_CASE("allocator: a chain of products needs two tensors at a time") {
  Graph g;
  Id x = g.input(4, 8);  // 32 bytes, one block of alignment
  for (int i = 0; i < 5; ++i) x = g.matmul(16, x);
  g.mark_output(x);
  g.expand(x);
  // The input's block is too small for what follows; two of 64 bytes take turns behind it.
  CHECK_EQ(engine::graph::buffer_bytes(g), 32 + 2 * 64);
}

TEST_CASE("allocator: an activation overwrites its source, never a view of it") {
  Graph g;
  const Id in = g.input(4, 64);
  const Id a = g.matmul(64, in);
  const Id out = g.elementwise({g.elementwise({a})});
  g.expand(out);
  CHECK_EQ(engine::graph::buffer_bytes(g), 2 * 256);

  g.clear();
  const Id b = g.matmul(64, g.input(4, 64));
  g.expand(g.elementwise({g.reshape(b, {8, 8, 1, 1})}));
  // The input is free again by then, and as large.
  CHECK_EQ(engine::graph::buffer_bytes(g), 2 * 256);

  g.clear();
  const Id c = g.matmul(128, g.input(4, 64));
  g.expand(g.elementwise({g.reshape(c, {16, 8, 1, 1})}));
  CHECK_EQ(engine::graph::buffer_bytes(g), 256 + 2 * 512);
}

TEST_CASE("allocator: outputs stay, and the smallest free block that fits is taken") {
  Graph g;
  const Id in = g.input(4, 8);
  const Id kept = g.matmul(64, in);
  g.mark_output(kept);
  const Id wide = g.matmul(256, kept);
  const Id narrow = g.matmul(8, wide);
  g.expand(narrow);
  CHECK_EQ(engine::graph::buffer_bytes(g), 32 + 256 + 1024);  // narrow takes the input's block
  CHECK_EQ(engine::graph::buffer_bytes(g, 128), 128 + 256 + 1024);
}

TEST_CASE("compute buffers: a hash tells the names of tensors apart") {
  std::map<std::pair<std::uint64_t, std::size_t>, std::string> names;
  for (const auto* entry : Catalog::builtin().models()) {
    for (const auto& t : entry->model().tensors) {
      if (!t.name.starts_with("blk.")) continue;
      const auto own = t.name.substr(t.name.find('.', 4) + 1);
      const engine::graph::PartName part(own);
      CHECK_EQ(names.emplace(std::pair(part.hash, part.text.size()), own).first->second, own);
    }
  }
  CHECK_GT(names.size(), 100);
}

TEST_CASE("compute buffers: repetitions of layers change nothing") {
  for (const auto* entry : Catalog::builtin().models()) {
    const auto& model = entry->model();
    CAPTURE(entry->id);
    std::int64_t window = 0;
    for (const auto& layer : model.layers) {
      for (const auto& mixer : layer.mixers) {
        if (const auto* a = std::get_if<Attention>(&mixer)) window = std::max(window, a->window);
      }
    }
    for (int variant = 0; variant < 6; ++variant) {
      CAPTURE(variant);
      GraphOptions o;
      o.flash_attention = variant % 2 == 0;
      o.tokens = variant < 4 ? 512 : 64;
      o.outputs = variant < 2 ? 1 : o.tokens;
      o.sequences = variant == 3 ? 4 : 1;
      o.streams = o.sequences;
      o.cells = variant == 2 ? 32768 : 4096;
      if (window > 0) o.sliding_cells = std::min<std::int64_t>(o.cells, (window + o.tokens + 255) / 256 * 256);
      if (variant == 4) o.kv_type_k = o.kv_type_v = FormatId::q8_0;
      if (variant == 5) o.generation = engine::Generation::b4748;
      CHECK_EQ(engine::compute_buffer_bytes(model, o), engine::compute_buffer_bytes(model, o, true));

      // The same with the first third on the host and the rest on two accelerators; all on one; experts on the host.
      engine::DevicePlan plan;
      const auto n = static_cast<std::size_t>(model.hyperparameters.n_layers);
      plan.accelerators = variant % 3 == 1 ? 1 : 2;
      plan.layers.assign(n, 0);
      plan.experts_on_host.assign(n, variant % 3 == 2);
      if (variant % 3 != 1) {
        for (std::size_t i = 0; i < n; ++i) plan.layers[i] = i < n / 3 && variant % 3 == 0 ? plan.host() : i < 2 * n / 3 ? 0 : 1;
        plan.output = 1;
      }
      plan.copies = variant == 3 ? 4 : 1;
      plan.pins_norms = variant % 3 != 0;
      std::vector<std::int64_t> tensor_bytes;
      for (const auto& t : model.tensors) tensor_bytes.push_back(t.n_elements() / 2);
      const auto bytes = engine::compute_buffers_bytes(model, o, plan, tensor_bytes);
      const auto exhaustive = engine::compute_buffers_bytes(model, o, plan, tensor_bytes, true);
      for (std::size_t i = 0; i < bytes.size(); ++i) CHECK_EQ(bytes[i], exhaustive[i]);
    }
  }
}

TEST_CASE("scheduler: inputs and what crosses places are copied, once for each batch under way") {
  const auto bytes_with = [](int copies) {
    Graph g;
    const Id in = g.input(4, 64);  // on the host
    g.weights_in(0);
    const Id a = g.matmul(1024, in);
    g.weights_in(1);
    const Id out = g.matmul(32, a);
    g.mark_output(out);
    g.expand(out);
    engine::graph::schedule(g, {.accelerators = 2, .copies = copies});
    const std::array<std::int64_t, 3> alignments{128, 128, 32};
    std::vector<std::int64_t> bytes(3);
    engine::graph::buffer_bytes(g, alignments, bytes, {});
    return bytes;
  };
  CHECK_EQ(bytes_with(1), std::vector<std::int64_t>{256 + 4096, 4096 + 128, 256});
  CHECK_EQ(bytes_with(4), std::vector<std::int64_t>{4 * 256 + 4096, 4 * 4096 + 128, 4 * 256});
}

TEST_CASE("scheduler: a large batch takes the weights to the accelerator, a small one leaves them") {
  const auto bytes_with = [](std::int64_t tokens) {
    Graph g;
    const Id in = g.input(4, 64, tokens);
    g.weights_in(1);  // the host
    const Id first = g.matmul(64, in, g.stored(10000, 1, true));
    const Id second = g.matmul(64, first, g.stored(5000, 1, true));
    g.mark_output(second);
    g.expand(second);
    engine::graph::schedule(g, {.accelerators = 1});
    const std::array<std::int64_t, 2> alignments{128, 32};
    std::vector<std::int64_t> bytes(2);
    engine::graph::buffer_bytes(g, alignments, bytes, {});
    return bytes;
  };
  const std::int64_t rows = 64 * 4 * 32;
  CHECK_EQ(bytes_with(31), std::vector<std::int64_t>{0, 2 * 64 * 4 * 31});
  // Weights (10,112 bytes with their alignment), input, result; the second weights come where the first have been.
  CHECK_EQ(bytes_with(32), std::vector<std::int64_t>{10112 + 2 * rows, rows});
}
