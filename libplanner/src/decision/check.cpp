#include "planner/check.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <memory>
#include <set>

#include "core/json_writer.h"
#include "core/text.h"
#include "decision/log_placement.h"
#include "decision/log_subject.h"
#include "decision/session.h"
#include "engine/allocation.h"
#include "import/log_model.h"
#include "planner/error.h"

namespace planner {
namespace {

using namespace decision;

constexpr std::pair<std::string_view, std::string_view> kBackends[] = {{"CUDA", "cuda"},   {"ROCm", "rocm"}, {"Vulkan", "vulkan"}, {"SYCL", "sycl"},
                                                                       {"Metal", "metal"}, {"MTL", "metal"}, {"OpenCL", "vulkan"}, {"RPC", "cuda"},
                                                                       {"rank", "cuda"},   {"GPU", "cuda"}};

const LogDevice* find_device(const EngineLog& log, const std::string& where) {
  const auto it = std::find_if(log.devices.begin(), log.devices.end(),
                               [&](const LogDevice& d) { return d.where == where || (d.where == "Metal" && (where.starts_with("MTL") || where == "Metal")); });
  return it == log.devices.end() ? nullptr : &*it;
}

std::string lower(const std::string& s) { return text::to_lower(s); }

class Checker {
 public:
  Checker(const EngineLog& log, const CheckOptions& options, const Catalog& catalog) : options_(options), catalog_(catalog) {
    out_.log = log;
    out_.tolerance = options.tolerance;
  }

  Check run() {
    names_ = accelerators_of(log());
    build_request();
    auto subject = own_model_ ? described() : resolve_subject(out_.request.model, catalog_);
    if (const auto why = contradiction(*subject.model, log().model); !why.empty()) {
      throw Error(ErrorKind::unknown_name, fmt::format("{}: {} does not fit the log: it has {}", log().origin, out_.request.model, why));
    }
    summarize(subject);
    auto deployment = build_deployment();
    std::vector<std::string> ignored;
    auto workload = build_workload(subject, *deployment.engine, ignored);
    auto weights = build_weights(subject);
    auto placement = build_placement(*subject.model, workload, deployment, weights.map);
    settle_switches(workload, *subject.model, deployment, placement, weights);
    const auto memory = estimate_memory(*subject.model, weights.map, workload, deployment, placement, weights.basis);
    if (const auto pool = printed_pool()) {
      // Tokens that the pool as printed holds, so that the cache's rule is seen apart from what is left for the pool.
      deployment.pool_bytes = *pool;
      tokens_of_printed_pool_ = estimate_memory(*subject.model, weights.map, workload, deployment, placement, weights.basis).kv_capacity_tokens;
    }
    compare(memory, placement);
    add_totals();
    add_forecasts();
    out_.notes.insert(out_.notes.begin(), log().notes.begin(), log().notes.end());
    return std::move(out_);
  }

 private:
  const EngineLog& log() const { return out_.log; }
  const LogSettings& settings() const { return out_.log.settings; }

  // --- the question ---------------------------------------------------------------------------------------------------

  void build_request() {
    auto& r = out_.request;
    const auto& s = settings();
    r.solve = false;
    r.model = options_.model.empty() ? name_model() : options_.model;
    r.quantization = options_.quantization.empty() ? quantization_of_log(log(), catalog_) : options_.quantization;
    r.engine = engine_of_log(log(), out_.notes);
    for (const auto& [prefix, backend] : kBackends) {
      if (!names_.empty() && names_.front().starts_with(prefix)) r.backend = backend;
    }
    if (names_.empty()) r.backend = "cpu";
    const bool server = is_server(log().engine);
    set_context(!server && s.sequences ? std::max<std::int64_t>(1, s.sequences->value) : 1);
    if (!s.context) out_.notes.push_back("the context is not printed: the default is taken");
    if (s.batch) (server ? r.max_batched_tokens : r.batch) = s.batch->value;
    if (server) {
      const auto given = [](const MaybePrinted<std::int64_t>& n, std::int64_t most) { return n && n->value > 0 && n->value <= most ? std::optional(n->value) : std::nullopt; };
      r.tensor_parallel = given(s.tensor_parallel, kMostRanks);
      r.pipeline_parallel = given(s.pipeline_parallel, kMostRanks);
      r.max_num_seqs = given(s.sequences, 1 << 20);
      r.block_size = given(s.block_size, 1 << 16);
      if (is_on_amd()) r.backend = "rocm";
    }
    if (s.ubatch)
      r.ubatch = s.ubatch->value;
    else if (log().engine == LogEngine::ollama && s.batch)
      r.ubatch = s.batch->value;
    if (s.kv_type_k) r.kv_type_k = lower(s.kv_type_k->value);
    if (s.kv_type_v) r.kv_type_v = lower(s.kv_type_v->value);
    if (s.swa_full) r.swa_full = s.swa_full->value;
    if (s.kv_unified) r.kv_unified = s.kv_unified->value;
    if (s.memory_fraction) r.memory_fraction = s.memory_fraction->value;
    if (s.flash_attention) {
      r.flash_attention = s.flash_attention->value ? FlashAttention::on : FlashAttention::off;
    } else if (const auto build = build_of_log(log()); build && *build < kFirstWithFlashByDefault) {
      r.flash_attention = FlashAttention::off;
    }
    const auto lies = [&](bool host) {
      return std::any_of(log().buffers.begin(), log().buffers.end(), [&](const LogBuffer& b) { return b.term == LogTerm::kv && is_host(b.where) == host; });
    };
    const bool layers_offloaded = !names_.empty() && s.gpu_layers && s.gpu_layers->value > 0;
    r.kv_offload = !(layers_offloaded && lies(true) && !lies(false));
    if (s.gpu_layers && !server) r.gpu_layers = s.gpu_layers->value;
    r.n_cpu_moe = static_cast<std::int64_t>(s.expert_layers_on_host.size());
    r.devices = options_.devices;
    if (r.devices.empty()) {
      for (const auto& name : names_) {
        const auto* d = find_device(log(), name);
        if (d != nullptr && !d->name.empty()) r.devices.push_back(d->name);
      }
    }
    if (names_.empty() && options_.devices.empty()) r.devices = {"cpu"};
  }

  bool is_on_amd() const {
    return std::any_of(log().devices.begin(), log().devices.end(), [&](const LogDevice& d) {
      try {
        return !d.name.empty() && catalog_.resolve_device(d.name).device->vendor == "AMD";
      } catch (const Error&) {
        return false;
      }
    });
  }

  /// The catalog's model, or the one that the log describes itself: loaders print a file's metadata and sizes.
  std::string name_model() {
    try {
      return model_of_log(log(), catalog_, out_.notes);
    } catch (const Error&) {
      auto model = model_from_log(log().model, false);
      if (!model || !contradiction(*model, log().model).empty()) model = model_from_log(log().model, true);
      if (!model || !contradiction(*model, log().model).empty()) throw;
      own_model_ = std::make_unique<Model>(std::move(*model));
      const auto name = log().model.name ? log().model.name->value : std::string("model of the log");
      out_.notes.push_back(fmt::format("{} is not in the catalog: its geometry is taken from what the log prints of it", name));
      return name;
    }
  }

  Subject described() {
    Subject s;
    s.own_model = std::move(own_model_);
    s.model = s.own_model.get();
    s.name = out_.request.model;
    return s;
  }

  /// llama.cpp prints the cells of all sequences together.
  void set_context(std::int64_t sequences) {
    out_.request.concurrency = sequences;
    if (settings().context) out_.request.context = std::max<std::int64_t>(1, settings().context->value / sequences);
  }

  /// The number of sequences is not always printed: it shows in the size of the output buffer, four bytes a word of the vocabulary for each, and in what
  /// recurrent layers keep.
  void count_sequences(const Model& model) {
    if (settings().sequences || is_server(log().engine)) return;
    constexpr std::int64_t kMost = 1024;
    const auto accept = [&](std::int64_t n, std::string_view by) {
      if (n < 2 || n > kMost || (settings().context && settings().context->value % n != 0)) return false;
      set_context(n);
      // Servers of that time share one cache between their slots.
      constexpr std::int64_t kFirstWithUnifiedSlots = 6900;
      const auto build = build_of_log(log());
      if (log().engine == LogEngine::llama_cpp && (!build || *build >= kFirstWithUnifiedSlots) && !settings().kv_unified) out_.request.kv_unified = true;
      out_.notes.push_back(fmt::format("{} sequences, by the size of {}", n, by));
      return true;
    };
    const auto output = std::find_if(log().buffers.begin(), log().buffers.end(), [](const LogBuffer& b) { return b.term == LogTerm::output; });
    if (output != log().buffers.end()) {
      const std::int64_t one = 4 * engine::file_vocabulary(model.hyperparameters);
      const std::int64_t n = one > 0 ? (output->amount + one / 2) / one : 0;
      if (std::abs(n * one - output->amount) <= output->rounding) sequences_from_output_ = accept(n, "the output buffer");
      return;
    }
    const auto state = recurrent_state_bytes(model);
    if (state <= 0 || settings().draft_states || !settings().context) return;
    std::int64_t kept = 0;
    for (const auto& b : log().buffers) {
      if (b.term == LogTerm::recurrent_state || (b.term == LogTerm::kv && cache_holds_states(log()))) kept += b.amount;
    }
    if (cache_holds_states(log())) kept -= kv_cache_bytes(model, settings().context->value, FormatId::f16, FormatId::f16);
    const double n = static_cast<double>(kept) / static_cast<double>(state);
    constexpr double kWhole = 0.03;
    if (std::abs(n - std::round(n)) < kWhole) sequences_from_state_ = accept(std::llround(n), "the recurrent state");
  }

  /// The devices as printed; the catalog's knowledge of them where it knows them.
  Deployment build_deployment() {
    auto request = out_.request;
    request.devices = {"cpu"};
    request.tensor_parallel = request.pipeline_parallel = std::nullopt;  // of the ranks that are added below
    std::vector<std::string> ignored;
    auto d = resolve_deployment(request, catalog_, ignored);
    std::size_t count = names_.size();
    if (is_server(log().engine)) {
      // Several ranks may print, or one for all.
      const auto ranks = static_cast<std::size_t>(out_.request.tensor_parallel.value_or(1) * out_.request.pipeline_parallel.value_or(1));
      count = std::max(count, ranks);
      d.tensor_parallel = out_.request.tensor_parallel.value_or(static_cast<std::int64_t>(count) / out_.request.pipeline_parallel.value_or(1));
      d.pipeline_parallel = out_.request.pipeline_parallel.value_or(1);
    }
    const auto& given = options_.devices;
    for (std::size_t i = 0; i < count; ++i) {
      DeploymentDevice device;
      const auto* printed = i < names_.size() ? find_device(log(), names_[i]) : find_device(log(), "rank 0");
      const std::string typed = !given.empty() ? given[std::min(i, given.size() - 1)] : printed != nullptr ? printed->name : std::string();
      device.name = i < names_.size() ? names_[i] : fmt::format("rank {}", i);
      if (!typed.empty()) {
        try {
          const auto match = catalog_.resolve_device(typed);
          device.device = match.device;
          device.kind = match.device->kind;
          device.capacity_bytes = match.memory_bytes > 0 ? std::optional(match.memory_bytes) : match.device->memory_bytes;
        } catch (const Error&) {
          if (!given.empty()) throw;
        }
      }
      if (d.backend == "metal") device.kind = DeviceKind::unified;
      if (printed != nullptr && printed->memory_bytes) device.capacity_bytes = printed->memory_bytes;
      if (printed != nullptr && printed->free_bytes) {
        device.capacity_bytes = std::max(device.capacity_bytes.value_or(0), *printed->free_bytes);
        device.reserve_bytes = *device.capacity_bytes - *printed->free_bytes;
      }
      d.devices.push_back(std::move(device));
    }
    d.unified_memory = d.backend == "metal" && d.devices.size() == 1;
    return d;
  }

  Workload build_workload(const Subject& subject, const Engine& engine, std::vector<std::string>& notes) {
    auto& r = out_.request;
    count_sequences(*subject.model);
    r.outputs = is_server(log().engine) ? "slots" : outputs(*subject.model);
    Workload w;
    try {
      w = resolve_workload(r, subject, engine, notes);
    } catch (const Error& e) {
      if (r.kv_type_k.empty() && r.kv_type_v.empty()) throw;
      cache_unknown_ = e.what();
      r.kv_type_k.clear();
      r.kv_type_v.clear();
      w = resolve_workload(r, subject, engine, notes);
    }
    const auto& s = settings();
    if (s.mla) w.mla = s.mla->value;
    if (s.attention_max_mib) w.attention_max_mib = s.attention_max_mib->value;
    if (s.fused_experts) w.fused_experts = s.fused_experts->value;
    if (s.draft_states) w.draft_tokens = w.draft_states = s.draft_states->value;  // the draft context has rows of its own
    return w;
  }

  /// Logits of every token of a micro-batch, or of one per sequence as servers since the middle of 2026: what is printed is too small for the former.
  std::string outputs(const Model& model) {
    const auto& s = settings();
    const std::int64_t context = s.context ? s.context->value : 512;
    const std::int64_t tokens = std::min(context, s.ubatch ? s.ubatch->value : std::int64_t{512});
    const std::int64_t logits = 4 * engine::file_vocabulary(model.hyperparameters) * tokens;
    std::int64_t largest = 0;
    for (const auto& b : log().buffers) {
      if (b.term == LogTerm::compute) largest = std::max(largest, b.amount + b.rounding);
    }
    return largest > 0 && largest < logits ? "slots" : "batch";
  }

  Weights build_weights(const Subject& subject) {
    Weights w;
    auto& r = out_.request;
    if (subject.file_bytes && options_.quantization.empty()) {
      w.stored = *subject.file_bytes;
      w.map = weight_map(*subject.model, w.stored);
      w.basis = Basis::file;
      out_.quantization = subject.file_quantization;
      r.quantization.clear();
    } else if (r.quantization.empty()) {
      if (!log().model.file_type) {
        if (const auto* q = mix_of_size(*subject.model)) {
          out_.quantization = q->name;
          out_.notes.push_back(fmt::format("the quantization is not printed: the weights add up to those of {}", q->name));
          return weigh(*subject.model, *q);
        }
      }
      // Something has to be placed; the rows that depend on it are not compared.
      weights_unknown_ = log().model.file_type
                             ? fmt::format("the quantization '{}' is not known here: give the file with --model", log().model.file_type->value)
                             : "the quantization is not printed: give it with --quant, or the file with --model";
      w = weigh(*subject.model, *catalog_.find_quantization("Q4_K_M"));
    } else {
      std::unique_ptr<Quantization> made;
      const auto& q = catalog_.resolve_quantization(r.quantization, made);
      w = weigh(*subject.model, q);
      out_.quantization = q.name;
      if (!q.varies.empty() && !log().model.tensor_bytes) weights_unknown_ = fmt::format("{} checkpoints differ in {}: give the model's own config or file with --model", q.name, q.varies);
    }
    if (weights_unknown_.empty() && w.basis != Basis::file) {
      // Published files often deviate from the stock mix: then the size says so, and no row of weights can agree.
      constexpr double kSlack = 0.0075;
      constexpr double kRowsSlack = 0.05;
      const auto rows = printed_weights();
      const double own = static_cast<double>(w.stored.tensor_bytes);
      if (!log().model.tensor_bytes && rows && std::abs(*rows - own) > kRowsSlack * own) {
        weights_unknown_ = fmt::format("the file is no stock {}: its buffers add up to {}, the mix to {}; give the file with --model", out_.quantization,
                                       format_gib(static_cast<std::int64_t>(*rows)), format_gib(w.stored.tensor_bytes));
      }
      const auto printed = log().model.tensor_bytes ? log().model.tensor_bytes->value : w.stored.tensor_bytes;
      const auto difference = std::abs(w.stored.tensor_bytes - printed);
      if (difference > log().model.tensor_bytes_rounding + static_cast<std::int64_t>(kSlack * static_cast<double>(printed))) {
        weights_unknown_ = fmt::format("the file is no stock {}: {} printed in line {}, {} by the mix; give the file with --model", out_.quantization,
                                       format_gib(printed), log().model.tensor_bytes->line, format_gib(w.stored.tensor_bytes));
      }
    }
    return w;
  }

  /// Sum of the weights' rows, a tied table counted once; nothing where they cannot tell: of a part of the devices, or mapped ranges that overlap.
  std::optional<double> printed_weights() const {
    const auto& s = settings();
    const bool whole = names_.empty() || (s.gpu_layers && s.all_layers && s.gpu_layers->value >= s.all_layers->value);
    double sum = 0;
    double host = 0;
    bool is_mapped = false;
    for (const auto& b : log().buffers) {
      if (b.term != LogTerm::model || is_repacked(b.where)) continue;
      if (b.where == "ALL" || b.where.ends_with("_Split")) return std::nullopt;
      sum += static_cast<double>(b.amount);
      if (slot_of(names_, b.where) == kHost) host += static_cast<double>(b.amount), is_mapped = is_mapped || b.where.ends_with("_Mapped");
    }
    constexpr double kTables = 0.2;  // more than tables on the host
    if (sum <= 0 || is_server(log().engine) || !(whole || (s.gpu_layers && s.gpu_layers->value == 0))) return std::nullopt;
    if (!names_.empty() && is_mapped && whole && host > kTables * sum) return std::nullopt;
    return sum;
  }

  /// The mix whose weights add up to what is printed; null: none, or several.
  const Quantization* mix_of_size(const Model& model) const {
    constexpr double kSame = 0.002;
    const auto rows = log().model.tensor_bytes ? std::optional(static_cast<double>(log().model.tensor_bytes->value)) : printed_weights();
    if (!rows) return nullptr;
    const bool twice = !names_.empty() && model.hyperparameters.tied_embeddings && !log().model.tensor_bytes;
    const Quantization* found = nullptr;
    std::vector<std::int64_t> bytes;
    for (const auto* q : catalog_.quantizations()) {
      if (!q->is_gguf()) continue;
      auto w = weigh(model, *q);
      const double own = static_cast<double>(w.stored.tensor_bytes + (twice ? w.map.token_embedding : 0));
      if (std::abs(own - *rows) > kSame * *rows) continue;
      // Some are the same for a model without experts.
      if (found != nullptr && w.stored.bytes == bytes) continue;
      if (found != nullptr) return nullptr;
      found = q;
      bytes = std::move(w.stored.bytes);
    }
    return found;
  }

  // --- placement ------------------------------------------------------------------------------------------------------

  Placement build_placement(const Model& model, const Workload& workload, Deployment& d, WeightMap& weights) {
    const std::int64_t n = model.hyperparameters.n_layers;
    const std::int64_t behind = model.file_holds_mtp ? model.hyperparameters.n_mtp_layers : 0;
    const std::int64_t whole = n + behind + 1;
    std::int64_t gpu_layers = d.devices.empty() ? 0 : whole;
    const auto& s = settings();
    if (!d.devices.empty() && s.gpu_layers && !is_server(log().engine)) {
      const std::int64_t all = s.all_layers ? s.all_layers->value : whole;
      gpu_layers = std::clamp<std::int64_t>(whole - (all - s.gpu_layers->value), 0, whole);
      if (s.gpu_layers->value == 0) gpu_layers = 0;
    }
    std::vector<double> shares;
    const bool all_known = std::all_of(d.devices.begin(), d.devices.end(), [](const DeploymentDevice& x) { return x.usable_bytes().has_value(); });
    for (const auto& x : d.devices) shares.push_back(all_known ? static_cast<double>(*x.usable_bytes()) : 1.0);
    const bool by_llama = d.engine->offload_layers && !d.engine->kv_pool;
    const auto rules = by_llama ? engine::llama_cpp_rules(model, workload, d) : engine::LlamaRules();
    const bool output_stays = !rules.output_first && gpu_layers > 0 && gpu_layers < whole;
    auto p = place_layers(n, output_stays ? gpu_layers + 1 : gpu_layers, shares, behind);
    if (output_stays) p.output = kHost, p.gpu_layers = gpu_layers;
    for (const auto layer : s.expert_layers_on_host) {
      if (layer < n) p.experts_on_host[static_cast<std::size_t>(layer)] = true;
    }
    if (is_server(log().engine) || d.devices.empty()) return p;
    if (d.devices.size() > 1 && out_.request.kv_offload && follow_cache(p, log(), names_, model, workload, rules.caches_mtp_layers && model.file_holds_mtp)) {
      out_.notes.push_back("which layers lie on which device is taken from the cache's rows: the free memory that decides it is not printed, or differs");
    }
    d.placed_by_hand = settings().other_overrides.has_value() || !s.expert_layers_on_host.empty();
    if (s.expert_layers_on_host.empty() && p.gpu_layers == whole && follow_weights(p, log(), names_, model, weights)) {
      placed_by_hand_ = "tensors were placed by hand: for how many layers the experts are on the host is taken from it";
      d.placed_by_hand = true;
    }
    return p;
  }

  /// An excerpt that tells neither how many layers are offloaded nor what lies where.
  bool placement_unknown() const {
    return !names_.empty() && !is_server(log().engine) && !settings().gpu_layers &&
           std::none_of(log().buffers.begin(), log().buffers.end(), [](const LogBuffer& b) { return b.term == LogTerm::model || b.term == LogTerm::kv; });
  }

  /// Two switches are not always printed, and show in the host's compute buffer: how many batches may be under way at once (fixed when the engine is built), for
  /// each of which the host holds the inputs; and whether weights on the host are computed with there whatever the batch.
  void settle_switches(Workload& w, const Model& model, const Deployment& d, const Placement& p, const Weights& weights) {
    if (settings().copies) w.copies = settings().copies->value;
    if (d.devices.empty() || is_server(log().engine)) return;
    std::int64_t printed = 0;
    for (const auto& b : log().buffers) {
      if (b.term == LogTerm::compute && slot_of(names_, b.where) == kHost) printed += b.amount;
    }
    if (printed == 0) return;
    const bool may_copy = !settings().copies && d.devices.size() > 1;
    const bool may_stay = std::find(p.experts_on_host.begin(), p.experts_on_host.end(), true) != p.experts_on_host.end() ||
                          std::find(p.layer.begin(), p.layer.end(), kHost) != p.layer.end();
    struct Choice {
      std::optional<std::int64_t> copies;
      std::optional<bool> moves;
      std::int64_t bytes = 0;
    };
    std::vector<Choice> choices;
    for (const bool alone : {false, true}) {
      for (const bool stays : {false, true}) {
        if ((alone && !may_copy) || (stays && !may_stay)) continue;
        Choice c{alone ? std::optional<std::int64_t>(1) : w.copies, stays ? std::optional(false) : std::nullopt};
        auto with = w;
        with.copies = c.copies;
        with.moves_products = c.moves;
        c.bytes = sum_of(estimate_memory(model, weights.map, with, d, p, weights.basis), names_.size(), kHost, Component::compute).bytes;
        choices.push_back(c);
      }
    }
    // As the engine would have it by itself, unless another choice is closer.
    const auto* best = &choices.front();
    for (const auto& c : choices) {
      if (std::abs(c.bytes - printed) < std::abs(best->bytes - printed)) best = &c;
    }
    switches_from_host_ = std::any_of(choices.begin(), choices.end(), [&](const Choice& c) { return c.bytes != choices.front().bytes; });
    w.copies = best->copies;
    w.moves_products = best->moves;
    if (best->copies != choices.front().copies) out_.notes.push_back("one batch at a time (n_copies 1), by the size of the host's compute buffer");
    if (best->moves) out_.notes.push_back("what lies on the host is computed there whatever the batch, by the size of its compute buffer (formats that the device lacks)");
  }

  // --- rows -----------------------------------------------------------------------------------------------------------

  std::string name_of(int slot) const { return slot == kHost ? "host" : slot == kAll ? "all" : names_[static_cast<std::size_t>(slot)]; }

  struct Sum {
    std::int64_t bytes = 0, uncertainty = 0;
    bool assumption = false;
  };

  static Sum sum_of(const MemoryEstimate& memory, std::size_t n_devices, int slot, Component component) {
    Sum s;
    for (std::size_t i = 0; i < memory.devices.size(); ++i) {
      for (const auto& b : memory.devices[i].buffers) {
        if (b.component != component) continue;
        // What shares its memory with the host has buffers of its own, and the host's.
        const bool hosts = b.name.starts_with("CPU") || i >= n_devices;
        const bool here = slot == kAll || (slot == kHost ? hosts : !hosts && static_cast<int>(i) == slot);
        if (!here) continue;
        s.bytes += b.bytes;
        s.uncertainty += b.uncertainty_bytes;
        s.assumption = s.assumption || b.basis == Basis::assumption;
      }
    }
    return s;
  }

  void compare(const MemoryEstimate& memory, const Placement& placement) {
    const std::size_t n = std::max(names_.size(), is_server(log().engine) ? memory.devices.size() : names_.size());
    std::map<std::pair<int, int>, CheckRow> rows;  // by device and term
    std::set<std::pair<int, int>> mapped;
    for (const auto& b : log().buffers) {
      const bool split = b.where.ends_with("_Split");
      const int slot = split ? kAll : slot_of(names_, b.where);
      // Repacked copies stand beside the rows that they are copies of.
      const int term = static_cast<int>(b.term) + (is_repacked(b.where) ? kRepacked : split ? 2 * kRepacked : 0);
      auto& row = rows[{slot == kHost ? 1 << 20 : slot == kAll ? 1 << 21 : slot, term}];
      row.device = is_repacked(b.where) || split ? b.where : name_of(slot);
      row.term = b.term;
      row.printed += b.amount;
      row.rounding += b.rounding;
      constexpr std::size_t kMostLines = 64;
      if (row.lines.size() < kMostLines) row.lines.push_back(b.line);
      if (b.where.ends_with("_Mapped")) mapped.insert({slot, static_cast<int>(b.term)});
      if (is_repacked(b.where)) row.reason = "a repacked copy of weights: which ones depends on the CPU";
      if (split) row.reason = "split by rows over all devices";
    }
    const bool is_split = std::any_of(log().buffers.begin(), log().buffers.end(), [](const LogBuffer& b) { return b.where.ends_with("_Split"); });
    for (auto& [key, row] : rows) {
      const int slot = key.first == 1 << 20 ? kHost : key.first == 1 << 21 ? kAll : key.first;
      const auto sum = [&](Component c) { return sum_of(memory, n, slot, c); };
      Sum s;
      switch (row.term) {
        case LogTerm::model:
          s = sum(Component::weights);
          if (row.reason.empty() && is_split) row.reason = "weights are split by rows over all devices";
          if (row.reason.empty()) row.reason = weights_unknown_;
          if (row.reason.empty()) row.reason = placed_by_hand_;
          if (row.reason.empty() && settings().lora) row.reason = "slots for LoRA adapters lie beside the weights: their rank is not printed";
          if (row.reason.empty() && settings().other_overrides)
            row.reason = fmt::format("tensors were placed by hand (line {})", settings().other_overrides->line);
          break;
        case LogTerm::kv:
        case LogTerm::kv_pool:
          s = sum(Component::kv);
          if (row.term == LogTerm::kv) {
            if (cache_holds_states(log()) && slot != kAll) s.bytes += sum(Component::recurrent_state).bytes;
            if (row.reason.empty()) row.reason = cache_unknown_;
            if (row.reason.empty() && sequences_from_state_ && cache_holds_states(log())) row.reason = "the number of sequences is taken from it";
            if (!settings().context) row.reason = "the context is not printed";
          } else if (!weights_unknown_.empty()) {
            row.reason = "what is left for the cache depends on the weights: " + weights_unknown_;
          } else if (!std::any_of(memory.devices.begin(), memory.devices.end(), [](const DeviceMemory& d) { return d.capacity_bytes.has_value(); })) {
            row.reason = "the device's memory is not printed: give it with --gpu";
          }
          break;
        case LogTerm::kv_tokens: s.bytes = predicted_tokens(memory, row); break;
        case LogTerm::recurrent_state:
          s = sum(Component::recurrent_state);
          if (sequences_from_state_) row.reason = "the number of sequences is taken from it";
          break;
        case LogTerm::output:
          s = sum(Component::output);
          if (sequences_from_output_) row.reason = "the number of sequences is taken from it";
          break;
        case LogTerm::compute:
          s = sum(Component::compute);
          if (!settings().context && !is_server(log().engine)) row.reason = "the context is not printed";
          if (row.reason.empty() && placement_unknown()) row.reason = "which layers are on the devices is not printed";
          if (!cache_unknown_.empty() && row.reason.empty()) row.reason = cache_unknown_;
          if (switches_from_host_ && slot == kHost && row.reason.empty()) row.reason = "it tells what is not printed: how many batches are under way at once, and where weights of the host are computed with";
          break;
        case LogTerm::non_torch:
          s = is_server(log().engine) ? sum_of_overhead(memory, slot, {kNonTorchBuffer, kCommunicationBuffer}) : sum(Component::overhead);
          break;
        case LogTerm::graphs: s = sum_of_overhead(memory, slot, {kGraphsBuffer}); break;
        case LogTerm::total: row.reason = "a sum"; break;
      }
      if (row.reason.empty() && row.term == LogTerm::model && slot == kHost && mapped.contains({slot, static_cast<int>(row.term)}) && !names_.empty() &&
          (placement.output == kHost || placement.layer.front() == kHost || !settings().expert_layers_on_host.empty()) && row.printed > s.bytes) {
        row.reason = "a mapped range of the file: it holds more than the tensors that are used from it";
      }
      const bool has_no_counterpart = key.second >= kRepacked;
      judge(row, has_no_counterpart ? Sum{} : s);
    }
    for (auto& [key, row] : rows) out_.rows.push_back(std::move(row));
  }

  /// The smallest pool of a rank that is printed.
  std::optional<std::int64_t> printed_pool() const {
    std::optional<std::int64_t> pool;
    for (const auto& b : log().buffers) {
      if (b.term == LogTerm::kv_pool && b.amount > 0) pool = std::min(pool.value_or(b.amount), b.amount);
    }
    return pool;
  }

  std::int64_t predicted_tokens(const MemoryEstimate& memory, CheckRow& row) const {
    if (!cache_unknown_.empty()) row.reason = cache_unknown_;
    if (tokens_of_printed_pool_) return *tokens_of_printed_pool_;
    // Without the pool's size everything that leaves room for it is predicted too.
    const bool limited = std::any_of(memory.devices.begin(), memory.devices.end(), [](const DeviceMemory& d) { return d.capacity_bytes.has_value() && d.kind != DeviceKind::cpu; });
    if (!limited) row.reason = "neither the pool's size nor the device's memory is printed: give it with --gpu";
    else if (!weights_unknown_.empty()) row.reason = "what is left for the cache depends on the weights: " + weights_unknown_;
    return memory.kv_capacity_tokens.value_or(0);
  }

  /// Overhead buffers of a rank by the last words of their names.
  static Sum sum_of_overhead(const MemoryEstimate& memory, int slot, std::initializer_list<std::string_view> names) {
    Sum s;
    if (slot < 0 || static_cast<std::size_t>(slot) >= memory.devices.size()) return s;
    for (const auto& b : memory.devices[static_cast<std::size_t>(slot)].buffers) {
      if (b.component != Component::overhead || std::none_of(names.begin(), names.end(), [&](std::string_view n) { return b.name.ends_with(n); })) continue;
      s.bytes += b.bytes;
      s.uncertainty += b.uncertainty_bytes;
      s.assumption = true;  // ranges, whatever they rest on
    }
    return s;
  }

  void judge(CheckRow& row, const Sum& s) const {
    row.predicted = s.bytes;
    row.uncertainty = s.uncertainty;
    if (!row.reason.empty()) {
      row.verdict = CheckVerdict::not_compared;
      if (s.bytes == 0) row.predicted.reset();
      return;
    }
    const auto difference = std::abs(s.bytes - row.printed);
    if (difference <= row.rounding)
      row.verdict = CheckVerdict::exact;
    else if (static_cast<double>(difference) <= options_.tolerance * static_cast<double>(row.printed) + static_cast<double>(row.rounding))
      row.verdict = CheckVerdict::within;
    else if (s.assumption && difference <= s.uncertainty)
      row.verdict = CheckVerdict::assumed;
    else
      row.verdict = CheckVerdict::outside;
  }

  /// Sums per device. A device of which a row cannot be compared has no total; a row that only settled a switch counts.
  void add_totals() {
    for (const auto& row : out_.rows) {
      if (row.term == LogTerm::kv_tokens || row.term == LogTerm::total) continue;
      const bool is_copy = is_repacked(row.device) || row.device.ends_with("_Split");
      const std::string device = is_repacked(row.device) ? name_of(kHost) : row.device;
      auto it = std::find_if(out_.totals.begin(), out_.totals.end(), [&](const CheckRow& t) { return t.device == device; });
      if (it == out_.totals.end()) {
        CheckRow total;
        total.device = device;
        total.term = LogTerm::total;
        total.predicted = 0;
        it = out_.totals.insert(out_.totals.end(), std::move(total));
      }
      it->printed += row.printed;
      it->rounding += row.rounding;
      it->uncertainty += row.uncertainty;
      if (row.predicted) *it->predicted += *row.predicted;
      const bool settles = (row.term == LogTerm::output && sequences_from_output_) || (row.term == LogTerm::compute && switches_from_host_);
      if (is_copy || !row.predicted || (row.verdict == CheckVerdict::not_compared && !settles)) {
        if (it->reason.empty()) it->reason = fmt::format("a part of it ({}) is not compared", to_string(row.term));
      }
    }
    for (auto& total : out_.totals) judge(total, {*total.predicted, total.uncertainty, false});
  }

  void add_forecasts() {
    for (const auto& f : log().forecasts) {
      CheckRow row;
      row.device = "all";
      row.term = f.term;
      row.printed = f.amount;
      row.rounding = f.rounding;
      row.reason = fmt::format("{}: Ollama's own forecast, made before it loaded", f.detail);
      row.lines = {f.line};
      out_.forecasts.push_back(std::move(row));
    }
  }

  void summarize(const Subject& s) {
    auto& m = out_.model;
    if (s.entry != nullptr) m.id = s.entry->id, m.hf_id = s.entry->hf_id, m.context_max = s.entry->context;
    m.name = s.name;
    m.architecture = s.model->hyperparameters.architecture;
    m.parameters = s.model->parameters();
    m.layers = s.model->hyperparameters.n_layers;
    m.kv_layers = s.model->kv_layers();
  }

  static constexpr std::int64_t kFirstWithFlashByDefault = 6325;  // August 2025: -fa auto
  static constexpr int kRepacked = 100;
  static constexpr std::int64_t kMostRanks = 1024;

  const CheckOptions& options_;
  const Catalog& catalog_;
  Check out_;
  std::vector<std::string> names_;
  std::unique_ptr<Model> own_model_;  ///< that no catalog has
  std::string weights_unknown_, cache_unknown_, placed_by_hand_;
  bool sequences_from_output_ = false, sequences_from_state_ = false, switches_from_host_ = false;
  std::optional<std::int64_t> tokens_of_printed_pool_;
};

bool is_compared(const CheckRow& row) { return row.verdict != CheckVerdict::not_compared; }

}  // namespace

std::string_view to_string(CheckVerdict verdict) {
  constexpr std::array<std::string_view, 5> kNames = {"exact", "within", "outside", "assumed", "not_compared"};
  return kNames[static_cast<std::size_t>(verdict)];
}

std::optional<double> CheckRow::error() const {
  if (!predicted || printed == 0) return std::nullopt;
  return static_cast<double>(*predicted - printed) / static_cast<double>(printed);
}

std::size_t Check::compared() const { return static_cast<std::size_t>(std::count_if(rows.begin(), rows.end(), is_compared)); }

bool Check::holds() const {
  return compared() > 0 && std::none_of(rows.begin(), rows.end(), [](const CheckRow& row) { return row.verdict == CheckVerdict::outside; });
}

const CheckRow* Check::worst() const {
  const CheckRow* worst = nullptr;
  const auto size = [](const CheckRow& row) { return row.verdict == CheckVerdict::exact ? 0.0 : std::abs(row.error().value_or(1.0)); };
  for (const auto& row : rows) {
    if (is_compared(row) && (worst == nullptr || size(row) > size(*worst))) worst = &row;
  }
  return worst;
}

Check check_log(const EngineLog& log, const CheckOptions& options, const Catalog& catalog) {
  if (!(options.tolerance >= 0 && options.tolerance <= 10)) throw Error(ErrorKind::usage, "the tolerance is a percentage from 0 to 1000");
  return Checker(log, options, catalog).run();
}

// ---------------------------------------------------------------------------------------------------------------------

namespace {

void write_rows(JsonWriter& j, std::string_view name, const std::vector<CheckRow>& rows) {
  j.key(name).begin_array();
  for (const auto& row : rows) {
    const bool tokens = row.term == LogTerm::kv_tokens;
    j.begin_object().field("device", row.device).field("component", to_string(row.term));
    j.field(tokens ? "printed_tokens" : "printed_bytes", row.printed).field(tokens ? "predicted_tokens" : "predicted_bytes", row.predicted);
    const auto error = row.error();
    j.field("error_percent", error ? std::optional(std::round(*error * 1e6) / 1e4) : std::nullopt);
    j.field("rounding_bytes", row.rounding).field("uncertainty_bytes", row.uncertainty);
    j.field("verdict", to_string(row.verdict)).key("reason").text_or_null(row.reason);
    j.key("line");
    row.lines.empty() ? j.null() : j.value(row.lines.front());
    j.key("lines").begin_array();
    for (const auto line : row.lines) j.value(line);
    j.end_array().end_object();
  }
  j.end_array();
}

}  // namespace

std::string to_json(const Check& c) {
  JsonWriter j;
  j.begin_object().field("schema", "planner.check/1");
  j.key("log").begin_object().field("file", c.log.origin).field("engine", to_string(c.log.engine));
  j.key("version");
  c.log.version ? j.value(c.log.version->value) : j.null();
  j.field("lines", c.log.lines)
      .field("loads", c.log.loads)
      .field("first_line", c.log.first_line)
      .field("last_line", c.log.last_line)
      .field("complete", c.log.complete);
  j.key("model_name");
  c.log.model.name ? j.value(c.log.model.name->value) : j.null();
  j.key("devices").begin_array();
  for (const auto& d : c.log.devices) {
    j.begin_object().field("where", d.where).key("name").text_or_null(d.name);
    j.field("memory_bytes", d.memory_bytes).field("free_bytes", d.free_bytes).end_object();
  }
  j.end_array().end_object();

  j.key("model").begin_object().key("id").text_or_null(c.model.id).field("name", c.model.name).field("architecture", c.model.architecture);
  j.field("parameters_total", c.model.parameters.total).field("layers", c.model.layers).end_object();
  j.key("quantization").text_or_null(c.quantization);

  const auto& r = c.request;
  const auto flash = r.flash_attention == FlashAttention::on ? "on" : r.flash_attention == FlashAttention::off ? "off" : "auto";
  j.key("request").begin_object().field("model", r.model).key("quant").text_or_null(r.quantization);
  j.key("gpu").begin_array();
  for (const auto& d : r.devices) j.value(d);
  j.end_array().field("engine", r.engine).key("backend").text_or_null(r.backend);
  j.field("context", r.context).field("concurrency", r.concurrency).field("batch", r.batch).field("ubatch", r.ubatch);
  j.key("kv_type_k").text_or_null(r.kv_type_k).key("kv_type_v").text_or_null(r.kv_type_v);
  j.field("flash_attn", flash)
      .field("swa_full", r.swa_full)
      .field("kv_unified", r.kv_unified)
      .field("kv_offload", r.kv_offload)
      .key("outputs")
      .text_or_null(r.outputs);
  j.field("gpu_layers", r.gpu_layers).field("n_cpu_moe", r.n_cpu_moe).field("gpu_memory_utilization", r.memory_fraction).end_object();

  j.field("tolerance_percent", c.tolerance * 100).field("holds", c.holds()).field("compared", static_cast<std::int64_t>(c.compared()));
  write_rows(j, "rows", c.rows);
  write_rows(j, "totals", c.totals);
  write_rows(j, "forecasts", c.forecasts);
  j.key("notes").begin_array();
  for (const auto& note : c.notes) j.value(note);
  j.end_array().end_object();
  return j.take();
}

}  // namespace planner
