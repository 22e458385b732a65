// Lists and entries of the catalog as JSON. Field names are a contract: added, never renamed.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <unordered_map>

#include "catalog/names.h"
#include "core/json_writer.h"
#include "core/text.h"
#include "planner/listing.h"

namespace planner {
namespace {

/// Bytes, operations and watts per second: whole numbers, as unit conversion left them.
template <typename Unit>
std::optional<std::int64_t> whole(const std::optional<Quantity<Unit>>& q) {
  return q ? std::optional(static_cast<std::int64_t>(std::llround(q->value()))) : std::nullopt;
}
template <typename Unit>
std::optional<double> number(const std::optional<Quantity<Unit>>& q) {
  return q ? std::optional(q->value()) : std::nullopt;
}
/// 0 stands for "none" in the catalog's structs.
std::optional<std::int64_t> or_null(std::int64_t n) { return n > 0 ? std::optional(n) : std::nullopt; }

void texts(JsonWriter& j, std::string_view key, const auto& list) {
  j.key(key).begin_array();
  for (const auto& text : list) j.value(std::string_view(text));
  j.end_array();
}

void sources(JsonWriter& j, const std::vector<Source>& list) {
  j.key("sources").begin_array();
  for (const auto& s : list) j.begin_object().key("what").text_or_null(s.what).field("url", s.url).end_object();
  j.end_array();
}

// ---------------------------------------------------------------------------------------------------------------------
// Models
// ---------------------------------------------------------------------------------------------------------------------

/// Ids of the models derived from each base, by the base's key.
using Derivatives = std::unordered_map<std::string, std::vector<std::string>>;

Derivatives all_derivatives(const Catalog& catalog) {
  Derivatives out;
  for (const auto* m : catalog.models()) {
    if (!m->base_model.empty()) out[names::model_key(m->base_model)].push_back(m->id);
  }
  return out;
}

std::vector<std::string> derivatives_in(const Derivatives& all, const ModelEntry& m) {
  std::vector<std::string> keys;
  for (const std::string_view name : {std::string_view(m.hf_id), std::string_view(m.id), std::string_view(m.name)}) {
    const auto key = names::model_key(name);
    if (!key.empty() && std::find(keys.begin(), keys.end(), key) == keys.end()) keys.push_back(key);
  }
  std::vector<std::string> out;
  for (const auto& key : keys) {
    const auto it = all.find(key);
    if (it == all.end()) continue;
    for (const auto& id : it->second) {
      if (id != m.id) out.push_back(id);
    }
  }
  return out;
}

void write_positions(JsonWriter& j, const ModelEntry& m) {
  const auto p = position_encoding(m);
  j.key("position_embedding");
  if (p.kind == PositionEncoding::Kind::unknown) {
    j.null();
    return;
  }
  j.begin_object().field("kind", to_string(p.kind)).field("rope_base", p.base).field("rope_base_sliding", p.sliding_base).field("rotated", p.rotated);
  j.key("scaling");
  p.kind == PositionEncoding::Kind::rope ? j.value(to_string(p.scaling)) : j.null();
  j.field("scaling_factor", p.factor).field("original_context", p.original_context).field("text", in_words(p)).end_object();
}

void write_layers(JsonWriter& j, const Model& model) {
  j.key("layer_groups").begin_array();
  for (const auto& g : layer_groups(model)) {
    j.begin_object().field("count", static_cast<std::int64_t>(g.layers.size())).field("where", layers_in_words(g, model)).field("mtp", g.mtp);
    j.key("mixers").text_or_null(g.mixers).key("feed_forwards").text_or_null(g.feed_forwards);
    j.key("layers").begin_array();
    for (const auto layer : g.layers) j.value(layer);
    j.end_array().end_object();
  }
  j.end_array();
}

void write_cache(JsonWriter& j, const Model& model) {
  const auto c = cache_summary(model);
  j.key("kv_cache")
      .begin_object()
      .field("type", "f16")
      .field("bytes_per_token", c.bytes_per_token)
      .field("bytes_per_token_beyond_windows", c.bytes_per_token_beyond_windows);
  j.key("at").begin_array();
  for (const auto& at : c.at) j.begin_object().field("tokens", at.tokens).field("bytes", at.bytes).end_object();
  j.end_array().end_object();
  j.field("recurrent_state_bytes", c.recurrent_state_bytes);
}

/// What the geometry tells; all null where it is not known.
void write_geometry(JsonWriter& j, const ModelEntry& m) {
  const auto* model = m.find_model();
  if (model == nullptr) {
    for (const auto* key : {"architecture",
                            "model_type",
                            "parameters_total",
                            "parameters_active",
                            "parameters_mtp",
                            "parameters_vision",
                            "parameters_audio",
                            "parameters_embedding",
                            "layers",
                            "kv_layers",
                            "mtp_layers",
                            "hidden_size",
                            "heads",
                            "kv_heads",
                            "head_dim",
                            "head_dim_v",
                            "sliding_window",
                            "ffn_size",
                            "experts",
                            "experts_active",
                            "expert_ffn_size",
                            "shared_ffn_size",
                            "vocab_size",
                            "tied_embeddings",
                            "context",
                            "activation",
                            "normalization",
                            "position_embedding",
                            "layer_groups",
                            "kv_cache",
                            "recurrent_state_bytes"}) {
      if (std::string_view(key) == "context")
        j.field(key, m.context);
      else
        j.key(key).null();
    }
    return;
  }
  const auto& hp = model->hyperparameters;
  const auto n = model->parameters();
  j.field("architecture", hp.architecture).key("model_type").text_or_null(hp.model_type);
  j.field("parameters_total", n.total).field("parameters_active", n.active).field("parameters_mtp", n.mtp).field("parameters_vision", n.vision);
  j.field("parameters_audio", n.audio).field("parameters_embedding", n.embedding);
  j.field("layers", hp.n_layers).field("kv_layers", model->kv_layers()).field("mtp_layers", hp.n_mtp_layers).field("hidden_size", hp.hidden_size);
  j.field("heads", or_null(hp.n_heads))
      .field("kv_heads", or_null(hp.n_kv_heads))
      .field("head_dim", or_null(hp.head_dim))
      .field("head_dim_v", or_null(hp.head_dim_v));
  j.field("sliding_window", or_null(hp.sliding_window))
      .field("ffn_size", or_null(hp.ffn_size))
      .field("experts", hp.n_experts)
      .field("experts_active", hp.n_experts_active);
  j.field("expert_ffn_size", or_null(hp.n_experts > 0 ? hp.expert_ffn_size : 0)).field("shared_ffn_size", or_null(hp.n_experts > 0 ? hp.shared_ffn_size : 0));
  j.field("vocab_size", hp.vocab_size).field("tied_embeddings", hp.tied_embeddings).field("context", m.context ? m.context : or_null(hp.context_length));
  j.key("activation").text_or_null(activation_of(*model)).field("normalization", normalization_of(*model));
  write_positions(j, m);
  write_layers(j, *model);
  write_cache(j, *model);
}

void write_model(JsonWriter& j, const ModelEntry& m, const std::vector<std::string>& derivatives) {
  j.begin_object().field("id", m.id).field("name", m.name).key("hf_id").text_or_null(m.hf_id);
  texts(j, "aliases", m.aliases);
  j.key("publisher").text_or_null(m.publisher).key("family").text_or_null(m.family).key("base_model").text_or_null(m.base_model);
  texts(j, "derivatives", derivatives);
  j.key("license").text_or_null(m.license).key("release_date").text_or_null(m.release_date).key("knowledge_cutoff").text_or_null(m.knowledge_cutoff);
  texts(j, "modality", m.modality);
  texts(j, "recommended_use", m.recommended_use);
  write_geometry(j, m);

  j.key("published_parameters");
  if (m.published.total || m.published.active) {
    j.begin_object().field("total", m.published.total).field("active", m.published.active).key("note").text_or_null(m.published.note);
    j.key("source").text_or_null(m.published.source).end_object();
  } else {
    j.null();
  }
  j.key("evaluations").begin_array();
  for (const auto& e : m.evaluations) {
    j.begin_object().field("benchmark", e.benchmark).field("score", e.score).key("source").text_or_null(e.source).key("note").text_or_null(e.note).end_object();
  }
  j.end_array();
  sources(j, m.sources);
  j.key("notes").begin_array();
  if (m.find_model() == nullptr) {
    try {
      (void)m.model();
    } catch (const Error& e) {
      j.value(e.what());
    }
  }
  if (!m.note.empty()) j.value(m.note);
  j.end_array().end_object();
}

// ---------------------------------------------------------------------------------------------------------------------
// Devices, quantizations, engines
// ---------------------------------------------------------------------------------------------------------------------

void write_device(JsonWriter& j, const Device& d, const Catalog& catalog) {
  j.begin_object().field("id", d.id).field("name", d.name).field("vendor", d.vendor).key("family").text_or_null(d.family);
  j.key("generation").text_or_null(d.generation).key("market").text_or_null(d.market).field("kind", to_string(d.kind)).field("memory_bytes", d.memory_bytes);
  j.key("memory_options").begin_array();
  for (const auto bytes : d.memory_options) j.value(bytes);
  j.end_array();
  j.key("reserve");
  if (d.memory_bytes) {
    const auto reserve = catalog.platform_reserve(d, *d.memory_bytes);
    j.begin_object().field("bytes", reserve.bytes).key("note").text_or_null(reserve.note).key("source").text_or_null(reserve.source).end_object();
  } else {
    j.null();
  }
  j.key("memory_type").text_or_null(d.memory_type).field("bus_bits", d.bus_bits).field("bandwidth_bytes_per_s", whole(d.bandwidth));
  const auto& c = d.compute;
  j.key("compute_ops_per_s").begin_object().field("fp32", whole(c.fp32)).field("fp16", whole(c.fp16)).field("bf16", whole(c.bf16));
  j.field("fp8", whole(c.fp8)).field("fp4", whole(c.fp4)).field("int8", whole(c.int8)).end_object();
  j.field("power_w", number(d.power)).key("pcie").text_or_null(d.pcie);
  j.key("link");
  if (d.link_name.empty())
    j.null();
  else
    j.begin_object().field("name", d.link_name).field("bandwidth_bytes_per_s", whole(d.link_bandwidth)).end_object();
  j.key("node");
  if (d.node_device.empty())
    j.null();
  else
    j.begin_object().field("device", d.node_device).field("count", d.node_count).end_object();
  j.key("launch").text_or_null(d.launch).field("price_usd", number(d.price));
  sources(j, d.sources);
  j.key("notes").begin_array();
  if (!d.note.empty()) j.value(d.note);
  j.end_array().end_object();
}

std::string_view imatrix_name(Imatrix i) { return i == Imatrix::required ? "required" : i == Imatrix::usual ? "usual" : "none"; }

void write_quantization(JsonWriter& j, const Quantization& q, std::string_view measured_model) {
  j.begin_object().field("name", q.name);
  texts(j, "aliases", q.aliases);
  j.field("ecosystem", q.ecosystem).field("base_bits_per_weight", base_bits_per_weight(q));
  const auto* recipe = std::get_if<GgufRecipe>(&q.recipe);
  j.key("base_format");
  recipe != nullptr ? j.value(tensor_format(recipe->base).name) : j.null();
  j.key("imatrix");
  recipe != nullptr ? j.value(imatrix_name(recipe->imatrix)) : j.null();
  j.key("file_type");
  recipe != nullptr && recipe->file_type >= 0 ? j.value(recipe->file_type) : j.null();
  j.key("scheme");
  if (const auto* s = std::get_if<GroupScheme>(&q.recipe)) {
    j.begin_object()
        .field("bits", s->bits > 0 ? std::optional(s->bits) : std::nullopt)
        .field("group", or_null(s->group))
        .field("block_rows", or_null(s->block_rows));
    j.field("scale_bits", s->scale_bits).field("zero_bits", s->zero_bits).field("input_bits", s->input_bits).field("embedding_too", s->embedding_too);
    j.field("head_too", s->head_too).field("head_bits", s->head_bits).field("router_too", s->router_too).field("experts_only", s->experts_only).end_object();
  } else {
    j.null();
  }
  const auto* measured = find_measurement(q, measured_model);
  j.field("kl_divergence", measured != nullptr ? measured->kl_divergence : std::nullopt);
  j.key("kl_divergence_model").text_or_null(measured != nullptr ? measured->model : std::string());
  j.field("quality", q.quality);
  j.key("measurements").begin_array();
  for (const auto& m : q.measurements) {
    j.begin_object().field("model", m.model).field("imatrix", m.imatrix).field("perplexity", m.perplexity).field("perplexity_increase", m.perplexity_increase);
    j.field("kl_divergence", m.kl_divergence).key("dataset").text_or_null(m.dataset).key("source").text_or_null(m.source).end_object();
  }
  j.end_array().key("source").text_or_null(q.source).key("publisher").text_or_null(q.publisher);
  j.key("made").text_or_null(recipe != nullptr ? recipe->made : std::string()).end_object();
}

void write_publisher(JsonWriter& j, const Publisher& p) {
  j.begin_object().field("id", p.id).field("name", p.name).field("account", p.owner);
  texts(j, "aliases", p.aliases);
  j.key("note").text_or_null(p.note).key("imatrix").text_or_null(p.imatrix);
  texts(j, "states", p.states);
  j.key("state_note").text_or_null(p.state_note).field("own_rules", p.has_own_rules()).key("mixes").begin_array();
  for (const auto& mix : p.mixes) j.begin_object().field("name", mix.name).field("of", mix.of).end_object();
  j.end_array().key("unpublished").text_or_null(p.unpublished);
  sources(j, p.sources);
  j.end_object();
}

void write_format(JsonWriter& j, const TensorFormat& f) {
  j.begin_object().field("name", f.name).key("gguf_type");
  f.gguf_type >= 0 ? j.value(f.gguf_type) : j.null();
  j.field("block_weights", f.block_weights).field("block_bytes", f.block_bytes).field("bits_per_weight", f.bits_per_weight()).end_object();
}

void write_overhead(JsonWriter& j, const EngineOverhead& o) {
  j.begin_object().key("backend").text_or_null(o.backend).field("bytes", o.bytes).field("low", o.low).field("high", o.high);
  j.field("basis", o.measured ? "measured" : "assumption").key("source").text_or_null(o.source).key("note").text_or_null(o.note).end_object();
}

void write_engine(JsonWriter& j, const Engine& e) {
  j.begin_object().field("id", e.id).field("name", e.name);
  texts(j, "aliases", e.aliases);
  j.key("based_on").text_or_null(e.based_on).key("version").text_or_null(e.version).key("version_date").text_or_null(e.version_date);
  j.key("homepage").text_or_null(e.homepage).key("description").text_or_null(e.description);
  texts(j, "ecosystems", e.ecosystems);
  texts(j, "backends", e.backends);
  texts(j, "kv_types", e.kv_types);
  j.key("default_kv_type").text_or_null(e.default_kv_type).field("batch", or_null(e.batch)).field("ubatch", or_null(e.ubatch));
  j.key("sliding_window").text_or_null(e.sliding_window).field("kv_cell_padding", e.kv_cell_padding).field("kv_pool", e.kv_pool);
  const double fraction = e.server.empty() ? e.memory_fraction : e.server.back().fraction;
  j.field("memory_fraction", fraction > 0 ? std::optional(fraction) : std::nullopt).field("block_size", or_null(e.server.empty() ? e.block_size : e.server.back().block_size));
  j.field("offload_layers", e.offload_layers).field("offload_experts", e.offload_experts);
  j.field("tensor_parallel", e.tensor_parallel).field("pipeline_parallel", e.pipeline_parallel);
  j.key("overheads").begin_array();
  for (const auto& o : e.overheads) write_overhead(j, o);
  j.end_array().key("host_overhead");
  e.host_overhead ? write_overhead(j, *e.host_overhead) : static_cast<void>(j.null());
  sources(j, e.sources);
  texts(j, "notes", e.notes);
  j.end_object();
}

}  // namespace

std::string to_json(std::span<const ModelEntry* const> models, const Catalog& catalog) {
  const auto derivatives = all_derivatives(catalog);
  JsonWriter j;
  j.begin_object().field("schema", "planner.models/1").key("models").begin_array();
  for (const auto* m : models) write_model(j, *m, derivatives_in(derivatives, *m));
  j.end_array().end_object();
  return j.take();
}

std::string to_json(std::span<const Device* const> devices, const Catalog& catalog) {
  JsonWriter j;
  j.begin_object().field("schema", "planner.gpus/1").key("gpus").begin_array();
  for (const auto* d : devices) write_device(j, *d, catalog);
  j.end_array().end_object();
  return j.take();
}

std::string to_json(std::span<const Quantization* const> quantizations, std::span<const TensorFormat* const> formats,
                    std::span<const Publisher* const> publishers, const Catalog& catalog) {
  const auto measured_model = reference_model(catalog);
  JsonWriter j;
  j.begin_object().field("schema", "planner.quants/1").key("quants").begin_array();
  for (const auto* q : quantizations) write_quantization(j, *q, measured_model);
  j.end_array().key("formats").begin_array();
  for (const auto* f : formats) write_format(j, *f);
  j.end_array().key("publishers").begin_array();
  for (const auto* p : publishers) write_publisher(j, *p);
  j.end_array().end_object();
  return j.take();
}

std::string to_json(std::span<const Engine* const> engines) {
  JsonWriter j;
  j.begin_object().field("schema", "planner.engines/1").key("engines").begin_array();
  for (const auto* e : engines) write_engine(j, *e);
  j.end_array().end_object();
  return j.take();
}

std::string list_json(EntryKind kind, std::span<const std::string> words, const Catalog& catalog) {
  switch (kind) {
    case EntryKind::model: return to_json(filtered_models(catalog, words), catalog);
    case EntryKind::device: return to_json(filtered_devices(catalog, words), catalog);
    case EntryKind::quantization: return to_json(filtered_quantizations(catalog, words), filtered_formats(words), filtered_publishers(catalog, words), catalog);
    case EntryKind::engine: return to_json(filtered_engines(catalog, words));
  }
  return {};
}

std::string to_json(const CatalogEntry& entry, const Catalog& catalog) {
  JsonWriter j;
  j.begin_object().field("schema", "planner.show/1").field("kind", to_string(entry.kind)).key(to_string(entry.kind));
  std::string note;
  switch (entry.kind) {
    case EntryKind::model: write_model(j, *entry.model, derivatives_in(all_derivatives(catalog), *entry.model)); break;
    case EntryKind::device:
      write_device(j, *entry.device.device, catalog);
      note = entry.device.note;
      break;
    case EntryKind::quantization: write_quantization(j, *entry.quantization, reference_model(catalog)); break;
    case EntryKind::engine: write_engine(j, *entry.engine); break;
  }
  j.key("notes").begin_array();
  if (!note.empty()) j.value(note);
  j.end_array().end_object();
  return j.take();
}

}  // namespace planner
