// The same question to every engine, side by side, and why the answers differ.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/text.h"
#include "decision/candidates.h"
#include "decision/session.h"
#include "planner/error.h"

namespace planner::decision {
namespace {

/// Differences below this share of the first engine's total are not worth a word.
constexpr double kWorthAWord = 0.03;

std::string signed_size(std::int64_t bytes) { return (bytes < 0 ? "-" : "+") + format_gib(std::abs(bytes)); }

class Comparison {
 public:
  Comparison(const EstimateRequest& request, const Catalog& catalog) : request_(request), catalog_(catalog) {
    request_.solve = false;
    request_.explain = false;
    request_.sweep.clear();
  }

  Estimate run() {
    Estimate out;
    const auto subject = resolve_subject(request_.model, catalog_);
    if (request_.quantization.empty() && !subject.file_bytes) {
      request_.quantization = "Q4_K_M";
      out.notes.emplace_back("the engines are asked about Q4_K_M: --quant names another");
    }
    auto engines = catalog_.engines();
    std::stable_partition(engines.begin(), engines.end(), [](const Engine* e) { return e->id == "llama.cpp"; });
    for (const auto* engine : engines) out.engines.push_back(ask(*engine, subject));
    const auto answers = [](const EngineRow& r) { return r.error.empty(); };
    const auto first = std::find_if(out.engines.begin(), out.engines.end(), answers);
    if (first == out.engines.end()) throw Error(ErrorKind::usage, "no engine answers: " + out.engines.front().error);
    for (auto& row : out.engines) {
      if (answers(row) && &row != &*first) row.difference = difference(*first, row);
    }
    out.model = first->answer.model;
    out.workload = first->answer.workload;
    out.backend = first->answer.backend;
    out.machine = first->answer.machine;
    out.engine = "all";
    return out;
  }

 private:
  EngineRow ask(const Engine& engine, const Subject& subject) {
    EngineRow row;
    row.id = engine.id;
    auto r = request_;
    r.engine = engine.id;
    try {
      std::vector<std::string> ignored;
      const auto deployment = resolve_deployment(r, catalog_, ignored);
      if (!engine.backends.empty() && std::find(engine.backends.begin(), engine.backends.end(), deployment.backend) == engine.backends.end()) {
        row.error = fmt::format("no {} back end", deployment.backend);
        return row;
      }
      std::string note;
      r.quantization = quantization_for(engine, deployment, subject, note);
      row.answer = estimate(r, catalog_);
      if (!note.empty()) row.answer.notes.insert(row.answer.notes.begin(), note);
    } catch (const Error& e) {
      row.error = e.what();
    }
    return row;
  }

  /// What was asked for where the engine loads it; else what it loads that has nearly as many bits.
  std::string quantization_for(const Engine& engine, const Deployment& deployment, const Subject& subject, std::string& note) const {
    const auto loads = [&](const std::string& ecosystem) { return engine.ecosystems.empty() || std::find(engine.ecosystems.begin(), engine.ecosystems.end(), ecosystem) != engine.ecosystems.end(); };
    double bits = 0;
    std::string asked = request_.quantization;
    if (!asked.empty()) {
      std::unique_ptr<Quantization> made;
      const auto& q = catalog_.resolve_quantization(asked, made);
      if (loads(q.ecosystem)) return asked;
      asked = q.name;
      bits = weigh(*subject.model, q).stored.bits_per_weight();
    } else {
      if (loads("gguf")) return {};
      asked = "the GGUF file";
      bits = subject.file_bytes->bits_per_weight();
    }
    const auto choice = candidates(*subject.model, deployment, catalog_);
    const auto nearest = std::min_element(choice->begin(), choice->end(), [&](const Candidate& a, const Candidate& b) { return std::abs(a.bits - bits) < std::abs(b.bits - bits); });
    if (nearest == choice->end()) throw Error(ErrorKind::usage, fmt::format("{} loads no quantization that these facts know of", engine.name));
    note = fmt::format("{} does not load {}: {} has nearly as many bits", engine.name, asked, nearest->name);
    return nearest->name;
  }

  /// Terms that differ from the first engine's, each with its cause.
  std::string difference(const EngineRow& first, const EngineRow& row) const {
    const auto& a = *first.answer.memory;
    const auto& b = *row.answer.memory;
    const auto& engine = catalog_.resolve_engine(row.id);
    const auto& base = catalog_.resolve_engine(first.id);
    const auto worth = static_cast<std::int64_t>(kWorthAWord * static_cast<double>(a.total_bytes()));
    std::vector<std::string> parts;
    const auto add = [&](Component c, std::string_view name, const std::string& cause) {
      const std::int64_t more = b.bytes(c) - a.bytes(c);
      if (std::abs(more) > worth) parts.push_back(fmt::format("{} {}{}{}", name, signed_size(more), cause.empty() ? "" : ": ", cause));
    };
    const auto& qa = first.answer.quantization;
    const auto& qb = row.answer.quantization;
    add(Component::weights, "weights",
        qa && qb && qa->name != qb->name ? fmt::format("{} has {:.2f} bits per weight, {} {:.2f}", qb->name, qb->bits_per_weight, qa->name, qa->bits_per_weight) : "");
    add(Component::kv, "KV", kv_cause(base, engine, first.answer.workload, row.answer.workload));
    add(Component::recurrent_state, "state", "");
    add(Component::compute, "compute", engine.kv_pool || !engine.offload_layers ? fmt::format("activations of up to {} tokens at once, {} {}", row.answer.workload.batch, base.name, first.answer.workload.ubatch) : "");
    const auto process = [](const Engine& e) { return format_gib(e.host_overhead ? e.host_overhead->bytes : 0); };
    add(Component::overhead, "overhead", fmt::format("its process takes {} of host memory, {}'s {}", process(engine), base.name, process(base)));
    if (parts.empty()) return fmt::format("as {}", base.name);
    return fmt::format("{}", fmt::join(parts, "; "));
  }

  static std::string kv_cause(const Engine& base, const Engine& engine, const Workload& a, const Workload& b) {
    if (engine.kv_pool && !base.kv_pool && !engine.server.empty()) {
      const auto& rules = engine.server.back();
      const std::string_view of = rules.fraction_of == FractionOf::device   ? "of the device, less weights and activations"
                                  : rules.fraction_of == FractionOf::loaded ? "of what is free before loading, less weights"
                                                                            : "of what weights and activations leave";
      return rules.fraction > 0 ? fmt::format("the pool takes {:.0f} % {}", 100 * rules.fraction, of) : fmt::format("the pool takes a share {} that follows from its size", of);
    }
    if (tensor_format(a.kv_type_k).bits_per_weight() != tensor_format(b.kv_type_k).bits_per_weight()) return fmt::format("the cache is in {}", text::to_lower(tensor_format(b.kv_type_k).name));
    if (engine.sliding_window == "full" && base.sliding_window != "full") return "sliding layers cache the whole context";
    return "";
  }

  EstimateRequest request_;
  const Catalog& catalog_;
};

}  // namespace

Estimate compare_engines(const EstimateRequest& request, const Catalog& catalog) { return Comparison(request, catalog).run(); }

}  // namespace planner::decision
