// The facts: every file of data/ reads, every entry is plausible and has its source; a user's own files go over them.
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <regex>
#include <set>
#include <string>
#include <vector>

#include "catalog/readers.h"
#include "catalog/record.h"
#include "core/text.h"
#include "planner/catalog.h"
#include "planner/error.h"
#include "planner/speed_class.h"
#include "planner/throughput.h"
#include "planner/units.h"
#include "support/files.h"

namespace {

using namespace planner;
namespace fs = std::filesystem;
using text::contains;

const Catalog& catalog() { return Catalog::builtin(); }

bool is_address(const std::string& url) { return url.starts_with("https://") || url.starts_with("http://"); }
bool is_date(const std::string& date) {
  static const std::regex form(R"((19|20)\d\d(-(0[1-9]|1[0-2])(-(0[1-9]|[12]\d|3[01]))?)?)");
  return std::regex_match(date, form);
}

/// A catalog with one more file, NAME.yaml.
std::unique_ptr<Catalog> with_file(std::string_view content, std::string_view name = "mine.yaml") {
  const test::TemporaryFolder folder;
  folder.write(name, content);
  return Catalog::with_overlays(std::array{folder.path()});
}

/// The message for a file that cannot be taken, without the folder's path.
std::string error_of(std::string_view content) {
  const test::TemporaryFolder folder;
  folder.write("mine.yaml", content);
  try {
    (void)Catalog::with_overlays(std::array{folder.path()});
  } catch (const Error& e) {
    CHECK_EQ(e.kind(), ErrorKind::invalid_file);
    const std::string what = e.what();
    CHECK(what.starts_with(folder.path().string()));
    CHECK_FALSE(contains(what, "\n"));
    return what.substr(folder.path().string().size() + 1);
  }
  return {};
}

constexpr std::string_view kDevice = R"(devices:
  - id: my-x1
    name: My X1
    vendor: NVIDIA
    kind: gpu
    memory: 20 GiB
    bandwidth: 500 GB/s
    sources: [https://example.com/card]
)";

std::string changed(std::string_view from, std::string_view to) {
  std::string text(kDevice);
  const auto at = text.find(from);
  REQUIRE_NE(at, std::string::npos);
  return text.replace(at, from.size(), to);
}

}  // namespace

// ---------------------------------------------------------------------------------------------------------------------
// What is compiled in
// ---------------------------------------------------------------------------------------------------------------------

TEST_CASE("catalog: the compiled facts are those of data/") {
  std::map<RecordKind, std::set<std::string>> ids;
  std::size_t files = 0;
  for (const auto& file : fs::recursive_directory_iterator(test::repository_data())) {
    if (file.path().extension() != ".yaml") continue;
    CAPTURE(file.path());
    ++files;
    for (const auto& record : read_records(file.path(), file.path().string())) {
      CHECK_GT(record.line, 0);
      if (!record.id.empty()) CHECK_MESSAGE(ids[record.kind].insert(record.id).second, "twice: " << record.id);
    }
  }
  CHECK_GE(files, 300);
  CHECK_EQ(catalog().devices().size(), ids[RecordKind::device].size());
  CHECK_EQ(catalog().models().size(), ids[RecordKind::model].size());
  CHECK_EQ(catalog().quantizations().size(), ids[RecordKind::quantization].size());
  CHECK_EQ(catalog().engines().size(), ids[RecordKind::engine].size());
  for (const auto& id : ids[RecordKind::device]) CHECK_NE(catalog().find_device(id), nullptr);
  for (const auto& id : ids[RecordKind::model]) CHECK_NE(catalog().find_model(id), nullptr);
}

TEST_CASE("catalog: devices are plausible") {
  CHECK_GE(catalog().devices().size(), 250);
  for (const auto* d : catalog().devices()) {
    CAPTURE(d->id);
    CHECK_FALSE(d->sources.empty());
    for (const auto& source : d->sources) CHECK(is_address(source.url));
    CHECK_FALSE(d->vendor.empty());
    if (d->memory_bytes) CHECK((*d->memory_bytes >= kGiB && *d->memory_bytes <= 64 * 1024 * kGiB));
    if (d->bandwidth) CHECK((d->bandwidth->value() >= 1e9 && d->bandwidth->value() <= 100e12));
    if (d->bus_bits) CHECK((*d->bus_bits >= 16 && *d->bus_bits <= 16384));
    if (d->power) CHECK((d->power->value() >= 1 && d->power->value() <= 20000));
    if (d->price) CHECK((d->price->value() >= 10 && d->price->value() <= 1e6));
    if (d->link_bandwidth) CHECK((d->link_bandwidth->value() >= 1e9 && d->link_bandwidth->value() <= 10e12));
    if (!d->launch.empty()) CHECK((is_date(d->launch) && d->launch >= "2012" && d->launch < "2028"));
    for (const auto& rate : {d->compute.fp32, d->compute.fp16, d->compute.bf16, d->compute.fp8, d->compute.fp4, d->compute.int8}) {
      if (rate) CHECK((rate->value() >= 1e9 && rate->value() <= 1e18));
    }
    if (d->compute.fp8 && d->compute.fp16) CHECK_GE(d->compute.fp8->value(), 0.99 * d->compute.fp16->value());
    if (!d->memory_options.empty()) {
      CHECK(std::is_sorted(d->memory_options.begin(), d->memory_options.end()));
      if (d->memory_bytes) CHECK(std::find(d->memory_options.begin(), d->memory_options.end(), *d->memory_bytes) != d->memory_options.end());
    }
    if (d->kind == DeviceKind::node) {
      const auto* single = catalog().find_device(d->node_device);
      REQUIRE(single != nullptr);
      CHECK_NE(single->kind, DeviceKind::node);
      CHECK_EQ(*d->memory_bytes, d->node_count * *single->memory_bytes);
    }
  }
}

TEST_CASE("catalog: memory that is not the engine's") {
  for (const auto* d : catalog().devices()) {
    if (!d->memory_bytes || d->kind == DeviceKind::node) continue;  // nodes are asked as their single devices
    CAPTURE(d->id);
    const auto reserve = catalog().platform_reserve(*d, *d->memory_bytes);
    CHECK_GE(reserve.bytes, 0);
    CHECK_LT(reserve.bytes, *d->memory_bytes);
    // A small part of a card; systems share up to half of their memory with the GPU, the smallest computers less.
    if (d->kind == DeviceKind::gpu) CHECK_LE(reserve.bytes, *d->memory_bytes / 8);
    if (d->kind == DeviceKind::unified && *d->memory_bytes >= 8 * kGiB)
      CHECK_LE(static_cast<double>(reserve.bytes), 0.6 * static_cast<double>(*d->memory_bytes));
    CHECK((!reserve.source.empty() || !reserve.note.empty()));
  }
}

TEST_CASE("catalog: every device has a speed profile") {
  const auto& engine = catalog().resolve_engine("llama.cpp");
  for (const auto* d : catalog().devices()) {
    CAPTURE(d->id);
    for (const std::string backend : {"cuda", "metal", "rocm", "vulkan", "sycl", "cpu"}) {
      CAPTURE(backend);
      const auto speed = catalog().speed_profile(d, backend, false, engine);
      for (const double factor : speed->factor) CHECK((factor > 0 && std::isfinite(factor)));
      // Unpacking carries a part of the time where arithmetic is scarce; no device streams twice as fast as its bandwidth, none at less than a tenth of it.
      CHECK(((*speed)[Effect::weights] > 0.5 && (*speed)[Effect::weights] < 10));
      for (const auto& range : {speed->decode, speed->decode_experts, speed->prefill, speed->prefill_experts}) CHECK((range.low > 0 && range.low <= 1 && range.high >= 1 && range.high < 20));
      CHECK((speed->basis == "fitted" || speed->basis == "default"));
      CHECK_FALSE(speed->source.empty());
      CHECK_EQ(catalog().speed_profile(d, backend, false, engine).get(), speed.get());  // kept
    }
  }
}

TEST_CASE("catalog: models are plausible") {
  CHECK_GE(catalog().models().size(), 300);
  std::set<std::string> hf_ids;
  for (const auto* m : catalog().models()) {
    CAPTURE(m->id);
    CHECK_FALSE(m->sources.empty());
    for (const auto& source : m->sources) CHECK(is_address(source.url));
    CHECK_FALSE(m->name.empty());
    CHECK_FALSE(m->family.empty());
    if (!m->hf_id.empty()) {
      CHECK_EQ(std::count(m->hf_id.begin(), m->hf_id.end(), '/'), 1);
      CHECK_MESSAGE(hf_ids.insert(text::to_lower(m->hf_id)).second, "hf_id twice");
    }
    if (!m->release_date.empty()) CHECK((is_date(m->release_date) && m->release_date >= "2018" && m->release_date < "2028"));
    if (m->context) CHECK((*m->context >= 512 && *m->context <= 16 << 20));
    if (m->published.total) CHECK((*m->published.total >= 100000000 && *m->published.total <= 4000000000000));
    if (m->published.total || m->published.active) CHECK(is_address(m->published.source));
    if (m->published.total && m->published.active) CHECK_LE(*m->published.active, *m->published.total);
    for (const auto& e : m->evaluations) {
      CHECK_FALSE(e.benchmark.empty());
      CHECK((e.score >= 0 && e.score <= 5000));
      CHECK(is_address(e.source));
    }
  }
}

TEST_CASE("catalog: every model has a tokenizer of its vocabulary's size") {
  for (const auto* m : catalog().models()) {
    const auto* model = m->find_model();
    if (model == nullptr) continue;
    CAPTURE(m->id);
    const auto& hp = model->hyperparameters;
    const auto t = catalog().tokenizer_of(hp, m->hf_id.empty() ? m->name : m->hf_id);
    CHECK_FALSE(t.model.empty());
    CHECK_EQ(static_cast<double>(t.tokens), doctest::Approx(static_cast<double>(hp.vocab_size)).epsilon(0.05));
    CHECK_GT(t.header_bytes(), 8 * t.tokens);
    CHECK_LT(t.header_bytes(), 64 << 20);
  }
}

TEST_CASE("catalog: quantizations and their measured quality") {
  std::size_t measured = 0;
  for (const auto* q : catalog().quantizations()) {
    CAPTURE(q->name);
    CHECK_FALSE(q->quality.empty());
    CHECK(is_address(q->source));
    if (!q->measurements.empty()) ++measured;
    for (const auto& m : q->measurements) {
      CHECK_FALSE(m.model.empty());
      CHECK(is_address(m.source));
      CHECK((m.perplexity || m.perplexity_increase || m.kl_divergence));
      if (m.kl_divergence) CHECK((*m.kl_divergence >= 0 && *m.kl_divergence < 20));
      if (m.perplexity) CHECK((*m.perplexity > 1 && *m.perplexity < 1e6));
    }
  }
  CHECK_GE(measured, 15);
}

TEST_CASE("catalog: publishers name mixes, models and states that exist") {
  for (const auto* p : catalog().publishers()) {
    CAPTURE(p->id);
    CHECK_EQ(catalog().find_publisher(p->id), p);
    for (const auto& alias : p->aliases) CHECK_EQ(catalog().find_publisher(alias), p);
    CHECK_FALSE(p->sources.empty());
    for (const auto& source : p->sources) CHECK(is_address(source.url));
    CHECK_FALSE(p->note.empty());
    for (const auto& mix : p->mixes) CHECK_MESSAGE(catalog().find_quantization(mix.of) != nullptr, mix.of);
    for (const auto& rule : p->rules) {
      for (const auto& mix : rule.mixes) CHECK_MESSAGE(catalog().find_quantization(mix) != nullptr, mix);
    }
    for (const auto& [original, taken] : p->checkpoints) {
      CHECK_MESSAGE(catalog().find_model(original) != nullptr, original);
      CHECK_MESSAGE(catalog().find_model(taken) != nullptr, taken);
    }
    if (!p->states.empty()) CHECK_FALSE(p->state_note.empty());
  }
  CHECK_EQ(catalog().find_publisher("nobody"), nullptr);
}

TEST_CASE("catalog: engines name things that exist") {
  const std::set<std::string> backends = {"cuda", "metal", "rocm", "vulkan", "sycl", "cpu"};
  std::set<std::string> ecosystems;
  for (const auto* q : catalog().quantizations()) ecosystems.insert(q->ecosystem);
  for (const auto* e : catalog().engines()) {
    CAPTURE(e->id);
    CHECK_FALSE(e->sources.empty());
    CHECK_FALSE(e->ecosystems.empty());
    for (const auto& name : e->ecosystems) CHECK_MESSAGE(ecosystems.contains(name), name);
    for (const auto& name : e->backends) CHECK_MESSAGE(backends.contains(name), name);
    for (const auto& name : e->kv_types) CHECK_MESSAGE(find_tensor_format(name) != nullptr, name);
    if (!e->default_kv_type.empty()) CHECK_MESSAGE(find_tensor_format(e->default_kv_type) != nullptr, e->default_kv_type);
    if (!e->based_on.empty()) CHECK_EQ(catalog().resolve_engine(e->based_on).id, e->based_on);
    CHECK_EQ(e->kv_pool, !e->server.empty());
    for (const auto& r : e->server) {
      CAPTURE(r.since);
      CHECK((r.fraction > 0 || r.reserve.has_value()));
      CHECK_FALSE(r.steps.empty());
      CHECK_GT(r.block_size, 0);
      if (r.graphs.largest > 0) CHECK((r.graphs.base.source.empty() ? !r.graphs.base.note.empty() : is_address(r.graphs.base.source)));
    }
    for (const auto& o : e->overheads) {
      CAPTURE(o.backend);
      CHECK((o.low <= o.bytes && o.bytes <= o.high));
      CHECK((o.source.empty() ? !o.note.empty() : is_address(o.source)));
      CHECK(std::find(e->backends.begin(), e->backends.end(), o.backend) != e->backends.end());
    }
  }
}

// ---------------------------------------------------------------------------------------------------------------------
// A user's own files
// ---------------------------------------------------------------------------------------------------------------------

TEST_CASE("catalog: a file of one's own adds an entry") {
  const auto own = with_file(kDevice);
  REQUIRE(own->find_device("my-x1") != nullptr);
  CHECK_EQ(*own->find_device("my-x1")->memory_bytes, 20 * kGiB);
  CHECK_EQ(own->resolve_device("myx1").device->id, "my-x1");
  CHECK_EQ(own->devices().size(), catalog().devices().size() + 1);
  CHECK_EQ(catalog().find_device("my-x1"), nullptr);
}

TEST_CASE("catalog: a file of one's own replaces an entry, and later folders win") {
  const std::string_view model = "id: llama-3.1-8b\nname: Mine\nhf_id: meta-llama/Llama-3.1-8B\nfamily: x\ncontext: 4096\nconfig_of: qwen3-8b\n";
  const auto own = with_file(model);
  CHECK_EQ(own->models().size(), catalog().models().size());
  CHECK_EQ(own->find_model("llama-3.1-8b")->name, "Mine");
  CHECK_EQ(own->find_model("llama-3.1-8b")->model().hyperparameters.n_layers, 36);
  CHECK_EQ(own->resolve_model("meta-llama/Llama-3.1-8B").name, "Mine");

  const test::TemporaryFolder first, second;
  first.write("a.yaml", changed("20 GiB", "16 GiB"));
  second.write("sub/b.yaml", changed("20 GiB", "48 GiB"));
  first.write("notes.txt", "not a data file: [");
  const auto both = Catalog::with_overlays(std::array{first.path(), second.path()});
  CHECK_EQ(*both->find_device("my-x1")->memory_bytes, 48 * kGiB);
  CHECK_EQ(both->devices().size(), catalog().devices().size() + 1);
}

TEST_CASE("catalog: folders that are not there, and empty files, are nothing") {
  const auto none = Catalog::with_overlays(std::array{fs::path("/nonexistent/planner")});
  CHECK_EQ(none->devices().size(), catalog().devices().size());
  CHECK_EQ(with_file("")->devices().size(), catalog().devices().size());
  CHECK_EQ(with_file("# a comment\n")->devices().size(), catalog().devices().size());
  CHECK_EQ(with_file("devices:\n")->devices().size(), catalog().devices().size());
}

TEST_CASE("catalog: own quantizations, engines, tokenizers, platforms and speeds") {
  const auto own = with_file(
      "source: https://example.com\nquantizations:\n  - name: MINE_4\n    base: Q4_K\n    quality: Mine.\n    rules: [{tensor: [output], to: Q8_0}]\n");
  std::unique_ptr<Quantization> made;
  const auto& q = own->resolve_quantization("mine_4", made);
  const auto& m = own->find_model("qwen3-8b")->model();
  const auto stored = store(m, q);
  for (std::size_t i = 0; i < m.tensors.size(); ++i) {
    if (m.tensors[i].name == "output.weight") CHECK_EQ(stored.formats[i], FormatId::q8_0);
    if (m.tensors[i].name == "blk.0.ffn_down.weight") CHECK_EQ(stored.formats[i], FormatId::q4_k);
  }

  const auto platform = with_file("platforms:\n  - {id: mine, vendor: NVIDIA, generation: Ada, kind: gpu, reserve: 3 GiB, note: a desktop}\n");
  CHECK_EQ(platform->platform_reserve(*platform->find_device("rtx-4090"), 24 * kGiB).bytes, 3 * kGiB);
}

TEST_CASE("catalog: what is wrong with a file is told with file and line") {
  CHECK_EQ(error_of("devices: [\n").substr(0, 10), "mine.yaml:");
  CHECK(contains(error_of("devices: [\n"), "not YAML"));
  CHECK(contains(error_of("- a\n- b\n"), "mine.yaml:1: expected keys at the top level"));
  CHECK(contains(error_of("something: 1\n"), "no kind of data file"));
  CHECK(contains(error_of("devices: 7\n"), "'devices' is not a list"));
  CHECK(contains(error_of("devices:\n  - name: x\n"), "mine.yaml:2: the entry lacks 'id'"));
  CHECK(contains(error_of("devices:\n  - just text\n"), "mine.yaml:2"));
  CHECK(contains(error_of(changed("bandwidth: 500 GB/s", "bandwith: 500 GB/s")), "mine.yaml:7: "));
  CHECK(contains(error_of(changed("bandwidth: 500 GB/s", "bandwith: 500 GB/s")), "did you mean 'bandwidth'"));
  CHECK(contains(error_of(changed("memory: 20 GiB", "memory: 20")), "mine.yaml:6"));
  CHECK(contains(error_of(changed("memory: 20 GiB", "memory: 20 parsec")), "20 parsec"));
  CHECK(contains(error_of(changed("bandwidth: 500 GB/s", "bandwidth: 500 GB")), "mine.yaml:7"));
  CHECK(contains(error_of(changed("kind: gpu", "kind: toaster")), "expected gpu, unified, cpu or node"));
  CHECK(contains(error_of(changed("sources: [https://example.com/card]", "sources: [a friend]")), "'a friend' is no address"));
  CHECK(contains(error_of(changed("    sources: [https://example.com/card]\n", "")), "at least one source"));
  CHECK(contains(error_of(changed("memory: 20 GiB", "memory: 20 GiB\n    memory: 24 GiB")), "given twice"));
  CHECK(contains(error_of(changed("kind: gpu", "kind: gpu\n    bus: wide")), "384 bit"));
}

TEST_CASE("catalog: contradictions are errors") {
  CHECK(contains(error_of(changed("    memory: 20 GiB\n", "")), "memory"));
  CHECK(contains(error_of(changed("kind: gpu", "kind: node")), "of what it is made"));
  CHECK(contains(error_of(changed("kind: gpu", "kind: gpu\n    node: {device: rtx-4090, count: 8}")), "of what it is made"));
  CHECK(contains(error_of(changed("kind: gpu", "kind: node\n    node: {device: rtx-4090, count: 0}")), "count"));
  CHECK(contains(error_of("id: x\nname: x\nconfig_of: nothing\n"), "config_of names no model: 'nothing'"));
  CHECK(contains(error_of("id: x\nname: x\nconfig_of: x\n"), "config_of"));
  CHECK(contains(error_of("id: x\nname: x\nconfig: 7\n"), "config"));
  const std::string head = "source: https://example.com\nquantizations:\n  - name: X\n    quality: q\n";
  CHECK(contains(error_of(head + "    base: Q9_K\n"), "unknown format 'Q9_K'"));
  CHECK(contains(error_of(head + "    base: Q4_K\n    rules: [{tensor: [brain], to: Q4_K}]\n"), "unknown role 'brain'"));
  CHECK(contains(error_of(head + "    base: Q4_K\n    rules: [{tensor: [output], when: [full_moon], to: Q4_K}]\n"), "unknown condition 'full_moon'"));
  CHECK(contains(error_of(head + "    base: Q4_K\n    rules: [{tensor: [output], when: ['first:0'], to: Q4_K}]\n"), "positive number"));
  CHECK(contains(error_of(head + "    base: Q4_K\n    rules: [{uses: nobody}]\n"), "unknown group 'nobody'"));
  CHECK(contains(error_of(head + "    base: Q4_K\n    imatrix: perhaps\n"), "none, usual or required"));
  CHECK(contains(error_of(head + "    ecosystem: mlx\n    parametric: {min: 8, max: 2, default: 4}\n"), "min <= default <= max"));
  CHECK(contains(error_of(head + "    ecosystem: mlx\n    bits: 99\n"), "up to 32"));
}

TEST_CASE("catalog: values of the wrong kind are errors, never worse") {
  for (const std::string bad : {"[1, 2]", "{a: 1}", "true", "null", "''", "1e300", "-1 GiB", "99999999999999999999", "~"}) {
    CAPTURE(bad);
    for (const std::string key :
         {"name: My X1", "vendor: NVIDIA", "kind: gpu", "memory: 20 GiB", "bandwidth: 500 GB/s", "sources: [https://example.com/card]", "id: my-x1"}) {
      CAPTURE(key);
      const std::string name = key.substr(0, key.find(':'));
      const auto file = changed(key, name + ": " + bad);
      // Whatever the file says, it is read or refused with its name.
      const auto error = error_of(file);
      if (!error.empty()) CHECK(error.starts_with("mine.yaml"));
    }
  }
  const std::string deep = "devices: " + std::string(3000, '[') + std::string(3000, ']') + "\n";
  CHECK_NE(error_of(deep), "");
  CHECK_NE(error_of("uses: \xff\xfe\n"), "");
}
