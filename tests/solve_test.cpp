// What holds of every answer, over the whole catalog on a fixed grid: memory grows, devices add up, nothing is lost between them, and what the solver says is so.
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "core/text.h"
#include "decision/candidates.h"
#include "decision/search.h"
#include "planner/error.h"
#include "planner/estimate.h"

namespace {

using namespace planner;

const Catalog& catalog() { return Catalog::builtin(); }

EstimateRequest request(std::string model, std::string quantization, std::vector<std::string> devices) {
  EstimateRequest r;
  r.model = std::move(model);
  r.quantization = std::move(quantization);
  r.devices = std::move(devices);
  r.solve = false;
  return r;
}
Estimate answer(const EstimateRequest& r) { return estimate(r, catalog()); }
Estimate solved(EstimateRequest r) {
  r.solve = true;
  return answer(r);
}
bool is_whole(const Estimate& e) { return e.fit->verdict == Verdict::fits || e.fit->verdict == Verdict::tight; }

std::vector<std::string> every_model() {
  std::vector<std::string> ids;
  for (const auto* m : catalog().models()) {
    if (m->find_model() != nullptr) ids.push_back(m->id);
  }
  return ids;
}

/// `r` with a change applied; quantization and gpus by name.
EstimateRequest changed(EstimateRequest r, const Change& c) {
  if (c.knob == "quantization") r.quantization = c.to;
  else if (c.knob == "context") r.context = text::parse_int(c.to);
  else if (c.knob == "kv_type") r.kv_type_k = r.kv_type_v = c.to;
  else if (c.knob == "concurrency") r.concurrency = text::parse_int(c.to);
  else if (c.knob == "gpus") r.device_count = *text::parse_int(c.to);
  else FAIL("no knob of a change: " << c.knob);
  return r;
}

/// The values that a knob takes on the way from `c.from` to `c.to`, both included.
std::vector<std::string> steps(const Change& c, const std::vector<std::string>& quantizations) {
  std::vector<std::string> out = {c.from};
  if (c.knob == "kv_type") {
    if (c.from == "f16" && c.to == "q4_0") out.emplace_back("q8_0");
  } else if (c.knob == "quantization") {
    const auto from = std::find(quantizations.begin(), quantizations.end(), c.from);
    const auto to = std::find(quantizations.begin(), quantizations.end(), c.to);
    REQUIRE(from < to);
    out.insert(out.end(), from + 1, to);
  } else {
    const std::int64_t step = c.knob == "context" ? -256 : c.knob == "gpus" ? 1 : -1;
    const std::int64_t end = *text::parse_int(c.to);
    std::int64_t at = *text::parse_int(c.from) + step;
    if (c.knob == "context") at = (at + 255) / 256 * 256;
    for (; step < 0 ? at > end : at < end; at += step) out.push_back(std::to_string(at));
  }
  out.push_back(c.to);
  return out;
}

/// Quantizations of llama.cpp, best first for this model.
std::vector<std::string> quantizations_of(const std::string& model) {
  Deployment d;
  d.engine = &catalog().resolve_engine("llama.cpp");
  std::vector<std::string> names;
  for (const auto& c : *decision::candidates(catalog().find_model(model)->model(), d, catalog())) names.push_back(c.name);
  return names;
}

}  // namespace

TEST_CASE("search: the largest and the smallest of a monotone question") {
  for (std::int64_t answer = -1; answer <= 40; ++answer) {
    CHECK_EQ(decision::largest(0, 40, [&](std::int64_t n) { return n <= answer; }), answer);
    CHECK_EQ(decision::smallest(0, 40, [&](std::int64_t n) { return n > answer; }), answer + 1);
    for (const double bend : {0.0, 0.5, 3.0}) {
      int asked = 0;
      const auto margin = [&](std::int64_t n) {
        ++asked;
        const auto left = static_cast<double>(answer - n);
        return static_cast<std::int64_t>(1000 * left + bend * left * std::abs(left) + (left >= 0 ? 1 : -1));
      };
      CHECK_EQ(decision::largest_along_line(0, 40, margin), answer);
      if (bend == 0.0) CHECK_LE(asked, 6);
    }
  }
  // A step instead of a line costs no more than halving, twice.
  int asked = 0;
  CHECK_EQ(decision::largest_along_line(1, 1 << 20, [&](std::int64_t n) { return ++asked, n <= 777 ? 1 : -1; }), 777);
  CHECK_LE(asked, 44);
}

TEST_CASE("catalog: memory grows with context, sequences and bits") {
  const auto total = [](const EstimateRequest& r) { return answer(r).memory->total_bytes(); };
  for (const auto& id : every_model()) {
    CAPTURE(id);
    auto r = request(id, "Q4_K_M", {"h200"});
    r.gpu_layers = 100000;
    std::int64_t before = 0;
    for (const std::int64_t context : {512, 4096, 32768}) {
      r.context = context;
      const auto now = total(r);
      CHECK_GE(now, before);
      before = now;
    }
    before = 0;
    r.context = 4096;
    for (const std::int64_t sequences : {1, 4, 32}) {
      r.concurrency = sequences;
      const auto now = total(r);
      CHECK_GE(now, before);
      before = now;
    }
    before = 0;
    r.concurrency = 1;
    for (const std::string mix : {"Q2_K", "Q4_K_M", "Q8_0", "F16"}) {
      r.quantization = mix;
      const auto now = total(r);
      CHECK_GE(now, before);
      before = now;
    }
  }
}

TEST_CASE("catalog: devices add up, and splitting a model over them loses no tensor") {
  const std::vector<std::vector<std::string>> boxes = {{"h200", "h200"}, {"rtx 4090", "rtx 3060 12gb"}, {"rtx 5090", "rtx 3090", "rtx 3060 12gb"}};
  for (const auto& id : every_model()) {
    CAPTURE(id);
    auto alone = request(id, "Q4_K_M", {"h200"});
    alone.gpu_layers = 100000;
    const auto weights = answer(alone).memory->bytes(Component::weights);
    for (const auto& box : boxes) {
      for (const std::string split : {"layer", "row"}) {
        auto r = request(id, "Q4_K_M", box);
        r.gpu_layers = 100000;
        r.split = split;
        const auto a = answer(r);
        CHECK_EQ(a.memory->bytes(Component::weights), weights);
        std::int64_t sum = 0, layers = 0;
        for (const auto& d : a.memory->devices) sum += d.total_bytes(), layers += d.layers;
        CHECK_EQ(sum, a.memory->total_bytes());
        CHECK_EQ(layers, a.model.layers);
      }
    }
    // Part of the layers, experts or single tensors on the host: the same bytes, but for a tied table, which is copied only where it is multiplied.
    auto r = request(id, "Q4_K_M", {"h200"});
    const auto& model = catalog().find_model(id)->model();
    for (const std::int64_t layers : {0, 1, 7}) {
      r.gpu_layers = layers;
      const auto here = answer(r).memory->bytes(Component::weights);
      if (layers > 0) CHECK_EQ(here, weights);
      else CHECK_LE(here, weights);
    }
    r.gpu_layers = 100000;
    r.n_cpu_moe = 5;
    CHECK_EQ(answer(r).memory->bytes(Component::weights), weights);
    r.n_cpu_moe = 0;
    r.override_tensors = {R"(blk\.[0-9]\.ffn_.*=CPU)"};
    CHECK_EQ(answer(r).memory->bytes(Component::weights), weights);
    r.override_tensors = {"attn=CPU", "ffn=CUDA0"};
    CHECK_EQ(answer(r).memory->bytes(Component::weights), weights);
    if (!model.hyperparameters.tied_embeddings) {
      r.override_tensors = {".*=CUDA0"};
      const auto all = answer(r);
      CHECK_EQ(all.memory->bytes(Component::weights), weights);
      CHECK_EQ(all.memory->devices.front().bytes(Component::weights), weights);
    }
  }
}

TEST_CASE("catalog: the largest context, the most sequences and the best quantization hold, one more of each does not") {
  std::size_t asked = 0;
  for (const auto& id : every_model()) {
    for (const std::string device : {"rtx 4090", "rtx 3060 12gb", "m4 max 64gb"}) {
      // One of the three for each model, in turn.
      if (asked++ % 4 != 0) continue;
      CAPTURE(id);
      CAPTURE(device);
      auto r = request(id, "Q4_K_M", {device});
      const auto a = solved(r);
      const bool whole = is_whole(a);
      const auto holds = [&](const EstimateRequest& q) { return whole ? is_whole(answer(q)) : answer(q).fit->verdict != Verdict::no; };
      REQUIRE(a.fit->max_context.has_value());
      const auto most = *a.fit->max_context;
      if (a.fit->verdict == Verdict::no) {
        CHECK_LT(most, a.workload.context);
      } else {
        REQUIRE_GT(most, 0);
        auto q = r;
        q.context = most;
        CHECK(holds(q));
        if (a.model.context_max && most < *a.model.context_max) {
          CHECK_EQ(most % 256, 0);
          q.context = most + 256;
          CHECK_FALSE(holds(q));
        }
        if (a.fit->max_concurrency) {
          q.context.reset();
          q.concurrency = *a.fit->max_concurrency;
          CHECK(holds(q));
          q.concurrency = *a.fit->max_concurrency + 1;
          CHECK_FALSE(holds(q));
        }
      }
      if (!a.fit->best_quantization.empty()) {
        for (const auto& name : quantizations_of(id)) {
          auto q = r;
          q.quantization = name;
          if (name == a.fit->best_quantization) {
            CHECK(is_whole(answer(q)));
            break;
          }
          CHECK_FALSE_MESSAGE(is_whole(answer(q)), name << " fits and is better than " << a.fit->best_quantization);
        }
      }
      if (a.fit->min_gpus && *a.fit->min_gpus <= 16) {
        auto q = r;
        q.device_count = *a.fit->min_gpus;
        CHECK(is_whole(answer(q)));
        if (*a.fit->min_gpus > 1) {
          q.device_count = *a.fit->min_gpus - 1;
          CHECK_FALSE(is_whole(answer(q)));
        }
      }
    }
  }
  CHECK_GT(asked, 400);
}

TEST_CASE("catalog: the smallest change makes it fit, and no step less of it does") {
  std::size_t changes = 0;
  for (const auto& id : every_model()) {
    for (const std::string device : {"rtx 3060 12gb", "rtx 4090"}) {
      auto r = request(id, "Q8_0", {device});
      r.context = 32768;
      r.concurrency = 2;
      const auto a = solved(r);
      if (is_whole(a)) {
        CHECK(a.fit->smallest_change.empty());
        continue;
      }
      CAPTURE(id);
      CAPTURE(device);
      if (a.fit->smallest_change.empty()) continue;  // not even 64 devices hold it
      const auto quantizations = quantizations_of(id);
      auto all = r;
      for (const auto& c : a.fit->smallest_change) all = changed(all, c);
      CHECK(is_whole(answer(all)));
      for (const auto& c : a.fit->smallest_change) {
        CAPTURE(c.knob);
        CAPTURE(c.to);
        const auto values = steps(c, quantizations);
        auto less = c;
        less.to = values[values.size() - 2];
        CHECK_FALSE(is_whole(answer(changed(all, less))));
        ++changes;
      }
    }
  }
  CHECK_GT(changes, 100);
}

TEST_CASE("estimate: nothing smaller than the smallest change fits, by trying everything") {
  struct Case {
    std::string model, quantization;
    std::int64_t context, concurrency, reserve;
  };
  const std::vector<Case> cases = {
      {"qwen3-0.6b", "Q8_0", 2048, 2, 23 * kGiB - 200 * kMiB}, {"qwen3-0.6b", "F16", 1280, 1, 22 * kGiB + 600 * kMiB}, {"gemma-3-1b-it", "Q8_0", 1024, 3, 22 * kGiB + 900 * kMiB}};
  for (const auto& c : cases) {
    CAPTURE(c.model);
    auto r = request(c.model, c.quantization, {"rtx 4090"});
    r.context = c.context;
    r.concurrency = c.concurrency;
    r.reserve_bytes = c.reserve;
    const auto a = solved(r);
    REQUIRE_FALSE(is_whole(a));
    REQUIRE_FALSE(a.fit->smallest_change.empty());
    const auto quantizations = quantizations_of(c.model);
    std::vector<std::vector<std::string>> values;
    for (const auto& change : a.fit->smallest_change) values.push_back(steps(change, quantizations));
    // All combinations of steps that go no further than the change.
    std::vector<std::size_t> at(values.size(), 0);
    std::size_t tried = 0;
    for (bool more = true; more;) {
      auto q = r;
      bool is_change = true;
      for (std::size_t i = 0; i < at.size(); ++i) {
        auto step = a.fit->smallest_change[i];
        step.to = values[i][at[i]];
        is_change = is_change && at[i] + 1 == values[i].size();
        if (at[i] > 0) q = changed(q, step);
      }
      CHECK_EQ(is_whole(answer(q)), is_change);
      ++tried;
      more = false;
      for (std::size_t i = 0; i < at.size() && !more; ++i) {
        if (++at[i] < values[i].size()) more = true;
        else at[i] = 0;
      }
    }
    CHECK_GE(tried, 2);
  }
}

TEST_CASE("estimate: servers are spread over numbers of devices that divide the heads") {
  auto r = request("llama-3.1-70b-instruct", "FP8", {"rtx 4090"});
  r.engine = "vllm";
  const auto a = solved(r);
  REQUIRE(a.fit->min_gpus.has_value());
  CHECK_EQ(64 % *a.fit->min_gpus, 0);
  const auto knob = std::find_if(a.fit->knobs.begin(), a.fit->knobs.end(), [](const Knob& k) { return k.knob == "gpus"; });
  REQUIRE(knob != a.fit->knobs.end());
  CHECK_EQ(knob->step, "1 -> 2");
}

TEST_CASE("estimate: knobs say what one step frees and costs") {
  auto r = request("qwen3-30b-a3b", "Q8_0", {"rtx 4090"});
  r.concurrency = 2;
  const auto a = solved(r);
  REQUIRE_EQ(a.fit->verdict, Verdict::offload);
  CHECK_GT(a.fit->n_cpu_moe, 0);
  std::vector<std::string> names;
  for (const auto& k : a.fit->knobs) {
    CAPTURE(k.knob);
    names.push_back(k.knob);
    CHECK(text::contains(k.step, " -> "));
    CHECK_GT(k.bytes_freed, 0);
    REQUIRE(k.decode_ratio.has_value());
    if (k.knob == "gpus" || k.knob == "quantization") CHECK_GT(*k.decode_ratio, 1);
    if (k.knob == "gpu_layers" || k.knob == "n_cpu_moe") CHECK_LT(*k.decode_ratio, 1);
  }
  CHECK_EQ(names, std::vector<std::string>{"quantization", "context", "kv_type", "concurrency", "n_cpu_moe", "gpu_layers", "gpus"});
  CHECK(text::contains(a.advice, "weights are"));
  CHECK(text::contains(a.advice, "to fit, change"));
  r.quantization = "Q4_K_M";
  r.concurrency = 1;
  r.context = 32768;
  const auto b = solved(r);
  REQUIRE(is_whole(b));
  CHECK(text::contains(b.advice, "to free memory, first kv_type f16 -> q8_0"));
}
