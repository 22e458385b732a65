// Estimate -> "planner.estimate/1", and requests from JSON. Field names are the contract's: added, never renamed.
#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "core/json_writer.h"
#include "core/text.h"
#include "planner/error.h"
#include "planner/estimate.h"

namespace planner {
namespace {

/// Rates to six digits: more would be noise.
double rounded(double v) {
  if (v == 0 || !std::isfinite(v)) return v;
  const double scale = std::pow(10.0, 5 - std::floor(std::log10(std::abs(v))));
  return std::round(v * scale) / scale;
}

std::string lower_name(FormatId id) { return text::to_lower(tensor_format(id).name); }

void write_sizes(JsonWriter& j, const auto& m) {
  j.field("weights_bytes", m.bytes(Component::weights)).field("kv_cache_bytes", m.bytes(Component::kv));
  j.field("recurrent_state_bytes", m.bytes(Component::recurrent_state)).field("compute_bytes", m.bytes(Component::compute));
  j.field("output_bytes", m.bytes(Component::output)).field("overhead_bytes", m.bytes(Component::overhead)).field("total_bytes", m.total_bytes());
}

void write_memory(JsonWriter& j, const MemoryEstimate& m) {
  j.begin_object();
  write_sizes(j, m);
  j.key("devices").begin_array();
  for (const auto& d : m.devices) {
    j.begin_object().field("name", d.name).field("kind", to_string(d.kind)).field("capacity_bytes", d.capacity_bytes).field("usable_bytes", d.usable_bytes).field("layers", d.layers);
    write_sizes(j, d);
    j.field("fits", d.fits()).key("buffers").begin_array();
    for (const auto& b : d.buffers) {
      j.begin_object().field("name", b.name).field("component", to_string(b.component)).field("bytes", b.bytes).field("basis", to_string(b.basis));
      j.field("uncertainty_bytes", b.uncertainty_bytes).end_object();
    }
    j.end_array().end_object();
  }
  j.end_array().end_object();
}

void write_fit(JsonWriter& j, const Fit& f) {
  j.begin_object().field("verdict", to_string(f.verdict)).field("shortfall_bytes", f.shortfall_bytes);
  j.key("limiting_device").text_or_null(f.limiting_device).key("limiting_term").text_or_null(f.limiting_term);
  j.field("max_context", f.max_context).field("max_concurrency", f.max_concurrency).field("gpu_layers", f.gpu_layers).field("n_cpu_moe", f.n_cpu_moe).field("min_gpus", f.min_gpus);
  j.key("best_quant").text_or_null(f.best_quantization);
  const bool solved = f.max_context.has_value();
  j.key("smallest_change");
  if (solved) {
    j.begin_array();
    for (const auto& c : f.smallest_change) j.begin_object().field("knob", c.knob).field("from", c.from).field("to", c.to).end_object();
    j.end_array();
  } else {
    j.null();
  }
  j.key("knobs");
  if (solved) {
    j.begin_array();
    for (const auto& k : f.knobs) {
      j.begin_object().field("knob", k.knob).field("step", k.step).field("bytes_freed", k.bytes_freed);
      j.field("decode_ratio", k.decode_ratio ? std::optional(rounded(*k.decode_ratio)) : std::nullopt).end_object();
    }
    j.end_array();
  } else {
    j.null();
  }
  j.end_object();
}

void write_throughput(JsonWriter& j, const Throughput& t) {
  const bool prefill = t.prefill_tokens_per_s > 0;
  const auto known = [&](double v) { return prefill ? std::optional(rounded(v)) : std::nullopt; };
  j.begin_object().field("decode_tokens_per_s", rounded(t.decode_tokens_per_s)).field("decode_low", rounded(t.decode_low)).field("decode_high", rounded(t.decode_high));
  j.field("prefill_tokens_per_s", known(t.prefill_tokens_per_s)).field("prefill_low", known(t.prefill_low)).field("prefill_high", known(t.prefill_high));
  j.field("time_to_first_token_s", known(t.time_to_first_token_s)).field("aggregate_decode_tokens_per_s", rounded(t.aggregate_decode_tokens_per_s));
  j.field("bytes_read_per_token", t.bytes_read_per_token).field("efficiency", rounded(t.efficiency)).field("bound", to_string(t.bound)).field("basis", t.basis).end_object();
}

}  // namespace

namespace {

void write_sweep(JsonWriter& j, const Estimate& a) {
  j.key("sweep").begin_object().field("axis", a.sweep_axis).key("points").begin_array();
  const auto known = [](const std::optional<double>& v) { return v ? std::optional(rounded(*v)) : std::nullopt; };
  for (const auto& p : a.sweep) {
    j.begin_object().field(a.sweep_axis, p.at).field("total_bytes", p.total_bytes).field("kv_cache_bytes", p.kv_bytes).field("compute_bytes", p.compute_bytes).field("fit", to_string(p.verdict));
    j.field("decode_tokens_per_s", known(p.decode_tokens_per_s)).field("aggregate_decode_tokens_per_s", known(p.aggregate_decode_tokens_per_s));
    j.field("prefill_tokens_per_s", known(p.prefill_tokens_per_s)).field("time_to_first_token_s", known(p.time_to_first_token_s)).end_object();
  }
  j.end_array().end_object();
}

void write_estimate(JsonWriter& j, const Estimate& a, std::string_view difference);

void write_engines(JsonWriter& j, const Estimate& a) {
  j.key("engines").begin_array();
  for (const auto& row : a.engines) {
    if (row.error.empty()) {
      write_estimate(j, row.answer, row.difference);
      continue;
    }
    j.begin_object().key("engine").begin_object().field("name", row.id).end_object().field("error", row.error).end_object();
  }
  j.end_array();
}

void write_estimate(JsonWriter& j, const Estimate& a, std::string_view difference) {
  j.begin_object().field("schema", "planner.estimate/1");
  j.key("model").begin_object();
  j.key("id").text_or_null(a.model.id).field("name", a.model.name).key("hf_id").text_or_null(a.model.hf_id).field("architecture", a.model.architecture);
  j.field("parameters_total", a.model.parameters.total).field("parameters_active", a.model.parameters.active);
  j.field("parameters_mtp", a.model.parameters.mtp).field("parameters_vision", a.model.parameters.vision).field("parameters_audio", a.model.parameters.audio);
  j.field("layers", a.model.layers).field("kv_layers", a.model.kv_layers).field("context_max", a.model.context_max).end_object();

  j.key("quantization");
  if (a.quantization) {
    j.begin_object().key("name").text_or_null(a.quantization->name).field("bits_per_weight", rounded(a.quantization->bits_per_weight));
    j.key("file_size_bytes");
    a.quantization->file_size_bytes > 0 ? j.value(a.quantization->file_size_bytes) : j.null();
    j.field("tensor_bytes", a.quantization->tensor_bytes).end_object();
  } else {
    j.null();
  }

  const auto& w = a.workload;
  j.key("workload").begin_object().field("context", w.context).field("depth", w.depth).field("prompt", w.prompt).field("cached_prompt", w.cached_prompt);
  j.field("concurrency", w.concurrency).field("batch", w.batch).field("ubatch", w.ubatch);
  j.field("kv_type_k", lower_name(w.kv_type_k)).field("kv_type_v", lower_name(w.kv_type_v)).field("flash_attn", w.flash_attention != FlashAttention::off);
  j.field("swa_full", w.swa_full).field("kv_unified", w.kv_unified);
  j.field("outputs", w.outputs > 0 ? w.outputs : w.concurrency * (1 + w.draft_tokens));
  if (w.draft_tokens > 0) j.field("draft_tokens", w.draft_tokens).field("acceptance", w.acceptance);
  if (w.max_num_seqs > 0) j.field("max_num_seqs", w.max_num_seqs);
  if (w.max_batched_tokens > 0) j.field("max_batched_tokens", w.max_batched_tokens);
  if (w.block_size > 0) j.field("block_size", w.block_size);
  j.end_object();
  if (!a.draft.empty()) j.field("draft", a.draft);
  if (!a.projector.empty()) j.field("projector", a.projector);
  if (!a.machine.empty()) j.field("machine", a.machine);
  j.key("engine").begin_object().field("name", a.engine).key("version").text_or_null(a.engine_version).field("backend", a.backend).end_object();

  j.key("memory");
  a.memory ? write_memory(j, *a.memory) : static_cast<void>(j.null());
  j.key("fit");
  a.fit ? write_fit(j, *a.fit) : static_cast<void>(j.null());
  j.field("kv_capacity_tokens", a.memory ? a.memory->kv_capacity_tokens : std::nullopt);
  j.field("kv_capacity_requests", a.memory ? a.memory->kv_capacity_requests : std::nullopt);
  j.key("throughput");
  a.throughput ? write_throughput(j, *a.throughput) : static_cast<void>(j.null());

  if (!a.quantizations.empty()) {
    j.key("quantizations").begin_array();
    for (const auto& r : a.quantizations) {
      j.begin_object().field("name", r.quantization.name).field("ecosystem", r.ecosystem).field("bits_per_weight", rounded(r.quantization.bits_per_weight));
      j.key("file_size_bytes");
      r.quantization.file_size_bytes > 0 ? j.value(r.quantization.file_size_bytes) : j.null();
      j.field("tensor_bytes", r.quantization.tensor_bytes).field("memory_bytes", r.total_bytes).field("fit", to_string(r.verdict));
      j.field("decode_tokens_per_s", r.decode_tokens_per_s ? std::optional(rounded(*r.decode_tokens_per_s)) : std::nullopt).field("quality", r.quality).field("kl_divergence", r.kl_divergence);
      j.key("quality_model").text_or_null(r.quality_model).end_object();
    }
    j.end_array();
  }
  if (!a.devices_ranked.empty()) {
    j.key("devices_ranked").begin_array();
    for (const auto& r : a.devices_ranked) {
      j.begin_object().field("id", r.id).field("name", r.name).field("vendor", r.vendor).field("kind", r.kind).field("tier", r.tier).field("memory_bytes", r.memory_bytes);
      j.field("total_bytes", r.total_bytes).field("decode_tokens_per_s", r.decode_tokens_per_s ? std::optional(rounded(*r.decode_tokens_per_s)) : std::nullopt).field("price_usd", r.price_usd).end_object();
    }
    j.end_array();
  }
  if (!a.sweep.empty()) write_sweep(j, a);
  if (!a.engines.empty()) write_engines(j, a);
  if (!difference.empty()) j.field("difference", difference);
  j.key("advice").text_or_null(a.advice);
  j.key("notes").begin_array();
  for (const auto& note : a.notes) j.value(note);
  j.end_array().key("explain").begin_array();
  for (const auto& e : a.explain) {
    j.begin_object().field("term", e.term).key("device").text_or_null(e.device).field("formula", e.formula).field("value", e.value).field("unit", e.unit);
    j.field("low", e.low).field("high", e.high).field("basis", e.basis).key("source").text_or_null(e.source).end_object();
  }
  j.end_array().end_object();
}

}  // namespace

std::string to_json(const Estimate& answer) {
  JsonWriter j;
  write_estimate(j, answer, {});
  return j.take();
}

namespace {

/// The keys of a request, each with what it sets.
class RequestReader {
 public:
  explicit RequestReader(const nlohmann::json& object) : object_(object) {}

  void text(const char* key, std::string& into) {
    if (const auto* v = take(key)) {
      if (!v->is_string()) fail(key, *v, "text");
      into = v->get<std::string>();
    }
  }
  void texts(const char* key, std::vector<std::string>& into) {
    const auto* v = take(key);
    if (v == nullptr) return;
    if (v->is_string()) {
      into = {v->get<std::string>()};
      return;
    }
    if (!v->is_array()) fail(key, *v, "text or a list of texts");
    into.clear();
    for (const auto& item : *v) {
      if (!item.is_string()) fail(key, item, "text");
      into.push_back(item.get<std::string>());
    }
  }
  template <typename Integer>
  void integer(const char* key, Integer& into) {
    if (const auto* v = take(key)) {
      if (!v->is_number_integer() || (v->is_number_unsigned() && v->get<std::uint64_t>() > INT64_MAX)) fail(key, *v, "a whole number");
      into = v->get<std::int64_t>();
    }
  }
  void number(const char* key, std::optional<double>& into) {
    if (const auto* v = take(key)) {
      if (!v->is_number()) fail(key, *v, "a number");
      into = v->get<double>();
    }
  }
  /// A list of numbers, or text with commas between them.
  void numbers(const char* key, std::vector<double>& into) {
    const auto* v = take(key);
    if (v == nullptr) return;
    if (v->is_string()) {
      into = parse_shares(v->get<std::string>());
      return;
    }
    if (!v->is_array()) fail(key, *v, "a list of numbers");
    into.clear();
    for (const auto& item : *v) {
      if (!item.is_number()) fail(key, item, "a number");
      into.push_back(item.get<double>());
    }
  }
  void boolean(const char* key, bool& into) {
    if (const auto* v = take(key)) {
      if (v->is_boolean()) into = v->get<bool>();
      else if (v->is_string() && (*v == "on" || *v == "off")) into = *v == "on";
      else fail(key, *v, "true, false, on or off");
    }
  }
  void flash_attention(const char* key, FlashAttention& into) {
    if (const auto* v = take(key)) {
      if (v->is_boolean()) into = v->get<bool>() ? FlashAttention::on : FlashAttention::off;
      else if (*v == "on") into = FlashAttention::on;
      else if (*v == "off") into = FlashAttention::off;
      else if (*v == "auto") into = FlashAttention::automatic;
      else fail(key, *v, "on, off or auto");
    }
  }
  const nlohmann::json* take(const char* key) {
    known_.emplace_back(key);
    const auto it = object_.find(key);
    return it == object_.end() || it->is_null() ? nullptr : &*it;
  }
  [[noreturn]] static void fail(const char* key, const nlohmann::json& v, const char* expected) {
    throw Error(ErrorKind::usage, fmt::format("'{}' is {}, expected {}", key, v.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace), expected));
  }
  void finish() const {
    for (const auto& [key, value] : object_.items()) {
      if (std::find(known_.begin(), known_.end(), key) == known_.end()) throw Error(ErrorKind::usage, fmt::format("unknown key '{}'{}", key, text::did_you_mean(key, known_)));
    }
  }

 private:
  const nlohmann::json& object_;
  std::vector<std::string> known_;
};

}  // namespace

EstimateRequest request_from_json(std::string_view json_text) {
  const auto json = nlohmann::json::parse(json_text, nullptr, false);
  if (json.is_discarded()) throw Error(ErrorKind::usage, "not JSON");
  if (!json.is_object()) throw Error(ErrorKind::usage, "expected a JSON object");
  EstimateRequest r;
  RequestReader f(json);
  f.text("model", r.model);
  f.text("quant", r.quantization);
  f.texts("gpu", r.devices);
  f.integer("gpus", r.device_count);
  f.text("machine", r.machine);
  f.text("engine", r.engine);
  f.text("backend", r.backend);
  f.integer("context", r.context);
  f.integer("depth", r.depth);
  f.integer("prompt", r.prompt);
  f.integer("cached_prompt", r.cached_prompt);
  f.integer("concurrency", r.concurrency);
  f.integer("batch", r.batch);
  f.integer("ubatch", r.ubatch);
  std::string kv_type;
  f.text("kv_type", kv_type);
  r.kv_type_k = r.kv_type_v = kv_type;
  f.text("kv_type_k", r.kv_type_k);
  f.text("kv_type_v", r.kv_type_v);
  f.flash_attention("flash_attn", r.flash_attention);
  f.boolean("swa_full", r.swa_full);
  f.boolean("kv_unified", r.kv_unified);
  f.boolean("kv_offload", r.kv_offload);
  if (const auto* v = f.take("outputs")) {
    if (v->is_number_integer()) r.outputs = std::to_string(v->get<std::int64_t>());
    else if (v->is_string()) r.outputs = v->get<std::string>();
    else RequestReader::fail("outputs", *v, "slots, batch or a number of tokens");
  }
  if (const auto* v = f.take("gpu_layers"); v != nullptr && *v != "auto") {
    if (!v->is_number_integer() || v->get<std::int64_t>() < 0) RequestReader::fail("gpu_layers", *v, "a whole number or auto");
    r.gpu_layers = v->get<std::int64_t>();
  }
  f.integer("n_cpu_moe", r.n_cpu_moe);
  f.texts("override_tensor", r.override_tensors);
  f.text("split", r.split);
  f.numbers("tensor_split", r.tensor_split);
  f.boolean("mmap", r.mmap);
  f.boolean("repack", r.repack);
  f.text("draft", r.draft);
  f.text("draft_quant", r.draft_quantization);
  f.integer("draft_tokens", r.draft_tokens);
  f.number("acceptance", r.acceptance);
  f.text("mmproj", r.mmproj);
  f.integer("tensor_parallel", r.tensor_parallel);
  f.integer("pipeline_parallel", r.pipeline_parallel);
  f.integer("max_num_seqs", r.max_num_seqs);
  f.integer("max_batched_tokens", r.max_batched_tokens);
  f.integer("block_size", r.block_size);
  f.text("sweep", r.sweep);
  if (const auto* v = f.take("reserve")) {
    if (v->is_number_integer()) r.reserve_bytes = v->get<std::int64_t>();
    else if (v->is_string()) r.reserve_bytes = parse_bytes(v->get<std::string>());
    else RequestReader::fail("reserve", *v, "bytes, or a size such as 1 GiB");
  }
  f.number("gpu_memory_utilization", r.memory_fraction);
  f.boolean("solve", r.solve);
  f.boolean("explain", r.explain);
  f.finish();
  return r;
}

}  // namespace planner
