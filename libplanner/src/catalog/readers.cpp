#include "catalog/readers.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "core/text.h"
#include "planner/error.h"

namespace planner {
namespace {

/// Typed access to an entry's keys. Keys that nobody asked for are typing errors: `finish` says so.
class Fields {
 public:
  Fields(const Record& record, const nlohmann::json& object, std::string prefix = {}) : record_(record), object_(object), prefix_(std::move(prefix)) {
    if (!object.is_object()) throw Error(ErrorKind::invalid_file, record.place(prefix_) + ": '" + prefix_ + "' is not an object");
  }

  [[noreturn]] void fail(const std::string& key, const std::string& problem) const {
    throw Error(ErrorKind::invalid_file, fmt::format("{}: '{}{}{}': {}{}", record_.place(prefix_.empty() ? key : prefix_), prefix_, prefix_.empty() ? "" : ".", key,
                                                     problem, record_.id.empty() ? "" : " (entry '" + record_.id + "')"));
  }

  [[nodiscard]] const Record& record() const { return record_; }

  const nlohmann::json* find(const std::string& key) {
    asked_.insert(key);
    const auto it = object_.find(key);
    return it == object_.end() || it->is_null() ? nullptr : &*it;
  }

  std::string string(const std::string& key) {
    const auto* v = find(key);
    if (v == nullptr) return {};
    if (v->is_string()) return v->get<std::string>();
    if (v->is_number()) return v->dump();
    fail(key, "expected text");
  }
  std::string required_string(const std::string& key) {
    auto s = string(key);
    if (s.empty()) fail(key, "is missing");
    return s;
  }
  std::vector<std::string> strings(const std::string& key) {
    std::vector<std::string> out;
    const auto* v = find(key);
    if (v == nullptr) return out;
    if (!v->is_array()) fail(key, "expected a list");
    for (const auto& item : *v) out.push_back(item.is_string() ? item.get<std::string>() : item.dump());
    return out;
  }
  std::optional<std::int64_t> integer(const std::string& key) {
    const auto* v = find(key);
    if (v == nullptr) return std::nullopt;
    if (!v->is_number_integer() || v->get<std::int64_t>() < 0) fail(key, "is " + v->dump() + ", expected a whole number");
    return v->get<std::int64_t>();
  }
  std::optional<double> number(const std::string& key) {
    const auto* v = find(key);
    if (v == nullptr) return std::nullopt;
    if (!v->is_number()) fail(key, "is " + v->dump() + ", expected a number");
    return v->get<double>();
  }
  bool boolean(const std::string& key, bool otherwise = false) {
    const auto* v = find(key);
    if (v == nullptr) return otherwise;
    if (!v->is_boolean()) fail(key, "is " + v->dump() + ", expected true or false");
    return v->get<bool>();
  }
  /// Text with a unit, through one of the parsers of units.h.
  template <typename Parser>
  auto quantity(const std::string& key, Parser parse) -> std::optional<decltype(parse(std::string_view{}))> {
    const auto* v = find(key);
    if (v == nullptr) return std::nullopt;
    return checked(key, *v, parse);
  }
  template <typename Parser>
  auto checked(const std::string& key, const nlohmann::json& v, Parser parse) -> decltype(parse(std::string_view{})) {
    if (!v.is_string()) fail(key, "is " + v.dump() + ", expected a number with its unit");
    try {
      return parse(v.get<std::string>());
    } catch (const Error& e) {
      fail(key, e.what());
    }
  }
  std::optional<Fields> object(const std::string& key) {
    const auto* v = find(key);
    if (v == nullptr) return std::nullopt;
    if (!v->is_object()) fail(key, "expected keys");
    return Fields(record_, *v, prefix_.empty() ? key : prefix_ + "." + key);
  }

  void finish() const {
    std::vector<std::string> known(asked_.begin(), asked_.end());
    for (const auto& [key, value] : object_.items()) {
      if (!asked_.contains(key)) fail(key, "unknown key" + text::did_you_mean(key, known));
    }
  }

 private:
  const Record& record_;
  const nlohmann::json& object_;
  std::string prefix_;
  std::set<std::string> asked_;
};

std::vector<Source> sources_of(Fields& f, const std::string& key, bool required) {
  std::vector<Source> out;
  const auto* v = f.find(key);
  if (v != nullptr && v->is_array()) {
    for (const auto& item : *v) {
      if (item.is_string()) out.push_back({{}, item.get<std::string>()});
      else if (item.is_object() && item.contains("url")) out.push_back({item.value("what", ""), item["url"].get<std::string>()});
      else f.fail(key, "expected addresses, or {what, url}");
    }
  }
  if (required && out.empty()) f.fail(key, "an entry needs at least one source");
  for (const auto& source : out) {
    if (!source.url.starts_with("https://") && !source.url.starts_with("http://")) f.fail(key, "'" + source.url + "' is no address");
  }
  return out;
}

constexpr std::pair<DeviceKind, std::string_view> kDeviceKinds[] = {
    {DeviceKind::gpu, "gpu"}, {DeviceKind::unified, "unified"}, {DeviceKind::cpu, "cpu"}, {DeviceKind::node, "node"}};

EngineOverhead read_overhead(Fields f, bool with_backend) {
  EngineOverhead o;
  if (with_backend) o.backend = f.required_string("backend");
  const auto bytes = f.quantity("bytes", parse_bytes);
  if (!bytes) f.fail("bytes", "is missing");
  o.bytes = *bytes;
  o.low = f.quantity("low", parse_bytes).value_or(o.bytes);
  o.high = f.quantity("high", parse_bytes).value_or(o.bytes);
  if (o.low > o.bytes || o.high < o.bytes) f.fail("low", "the range does not hold the value");
  const auto basis = f.required_string("basis");
  if (basis != "measured" && basis != "assumption") f.fail("basis", "expected measured or assumption");
  o.measured = basis == "measured";
  o.source = f.string("source");
  o.note = f.string("note");
  f.finish();
  return o;
}

/// One of a few words.
template <typename T>
T one_of(Fields& f, const std::string& key, std::initializer_list<std::pair<std::string_view, T>> words, T otherwise) {
  const auto word = f.string(key);
  if (word.empty()) return otherwise;
  std::string all;
  for (const auto& [name, value] : words) {
    if (name == word) return value;
    all += (all.empty() ? "" : ", ") + std::string(name);
  }
  f.fail(key, "is '" + word + "', expected one of " + all);
}

FractionReserve read_reserve(Fields f) {
  FractionReserve r;
  const auto bytes = [&](const char* key) { return f.quantity(key, parse_bytes).value_or(0); };
  r.base = bytes("base");
  r.per_token = bytes("per_token");
  r.least_tokens = f.integer("least_tokens").value_or(0);
  r.per_graph_sequence = bytes("per_graph_sequence");
  r.per_8_ranks = bytes("per_8_ranks");
  r.large_from = bytes("large_from");
  r.large_least = bytes("large_least");
  f.finish();
  return r;
}

StepDefaults read_step(Fields f) {
  StepDefaults s;
  s.memory_from = f.quantity("memory_from", parse_bytes).value_or(0);
  s.except = f.string("except");
  s.tokens = f.integer("tokens").value_or(0);
  s.sequences = f.integer("sequences").value_or(0);
  s.graph_sequences = f.integer("graph_sequences").value_or(0);
  s.graph_sequences_tp4 = f.integer("graph_sequences_tp4").value_or(0);
  if (s.tokens < 1) f.fail("tokens", "is missing");
  if (s.sequences < 1) f.fail("sequences", "is missing");
  f.finish();
  return s;
}

GraphCapture read_graphs(Fields f) {
  GraphCapture g;
  g.largest = f.integer("largest").value_or(0);
  g.per_sequence = f.integer("per_sequence").value_or(1);
  g.step_beyond = f.integer("step_beyond").value_or(8);
  if (g.step_beyond < 1) f.fail("step_beyond", "expected at least 1");
  g.decode_too = f.boolean("decode_too");
  g.per_graph = f.quantity("per_graph", parse_bytes).value_or(0);
  if (auto base = f.object("base")) g.base = read_overhead(*base, false);
  f.finish();
  return g;
}

/// A generation of rules: what it does not say is as in the generation before.
ServerRules read_server(Fields f, ServerRules r) {
  r.since = f.string("since");
  r.date = f.string("date");
  r.fraction = f.number("fraction").value_or(r.fraction);
  if (r.fraction < 0 || r.fraction > 1) f.fail("fraction", "expected 0 to 1");
  if (auto reserve = f.object("reserve")) r.reserve = read_reserve(*reserve);
  r.fraction_of = one_of<FractionOf>(f, "fraction_of", {{"device", FractionOf::device}, {"loaded", FractionOf::loaded}, {"left", FractionOf::left}}, r.fraction_of);
  r.graphs_within = f.boolean("graphs_within", r.graphs_within);
  if (const auto* steps = f.find("steps")) {
    r.steps.clear();
    for (const auto& item : *steps) r.steps.push_back(read_step(Fields(f.record(), item, "server.steps")));
  }
  r.step_holds_context = f.boolean("step_holds_context", r.step_holds_context);
  r.pool = one_of<PoolKind>(f, "pool", {{"uniform", PoolKind::uniform}, {"shared_pages", PoolKind::shared_pages}, {"per_kind", PoolKind::per_kind}}, r.pool);
  r.block_size = f.integer("block_size").value_or(r.block_size);
  if (r.block_size < 1) f.fail("block_size", "expected at least 1");
  r.block_size_mla = f.integer("block_size_mla").value_or(r.block_size_mla);
  r.chunked_layers_slide = f.boolean("chunked_layers_slide", r.chunked_layers_slide);
  r.state_pages = f.integer("state_pages").value_or(r.state_pages);
  r.sliding_ratio = f.number("sliding_ratio").value_or(r.sliding_ratio);
  r.conv_state_bytes = f.integer("conv_state_bytes").value_or(r.conv_state_bytes);
  r.mamba_state_bytes = f.integer("mamba_state_bytes").value_or(r.mamba_state_bytes);
  r.linear_state_bytes = f.integer("linear_state_bytes").value_or(r.linear_state_bytes);
  r.tokens_printed = one_of<TokensPrinted>(f, "tokens_printed", {{"slots", TokensPrinted::held}, {"context", TokensPrinted::context}}, r.tokens_printed);
  r.absorbed_mla = f.boolean("absorbed_mla", r.absorbed_mla);
  r.last_stage_takes_rest = f.boolean("last_stage_takes_rest", r.last_stage_takes_rest);
  r.logit_bytes = f.integer("logit_bytes").value_or(r.logit_bytes);
  r.rope_bytes = f.integer("rope_bytes").value_or(r.rope_bytes);
  r.vocabulary_multiple = f.integer("vocabulary_multiple").value_or(r.vocabulary_multiple);
  if (auto graphs = f.object("graphs")) r.graphs = read_graphs(*graphs);
  if (auto o = f.object("context")) r.context = read_overhead(*o, false);
  if (auto o = f.object("link")) r.link = read_overhead(*o, false);
  if (auto o = f.object("bus")) r.bus = read_overhead(*o, false);
  (void)f.string("note");
  f.finish();
  return r;
}

ProcessRules read_process(Fields f) {
  ProcessRules r;
  r.mla_expanded = f.boolean("mla_expanded");
  r.window_extra = f.integer("window_extra").value_or(0);
  r.grows_by_copy = f.boolean("grows_by_copy");
  r.whole_prompt = f.boolean("whole_prompt");
  r.dequantizes_cache = f.boolean("dequantizes_cache");
  r.embedding_on_host = f.boolean("embedding_on_host");
  r.rank_splits = f.boolean("rank_splits");
  r.device_reserve = f.quantity("device_reserve", parse_bytes).value_or(0);
  f.finish();
  return r;
}

FormatId format_named(Fields& f, const std::string& key, const std::string& name) {
  if (const auto* format = find_tensor_format(name)) return format->id;
  std::vector<std::string> known;
  for (const auto& format : tensor_formats()) known.emplace_back(format.name);
  f.fail(key, "unknown format '" + name + "'" + text::did_you_mean(name, known));
}

constexpr std::pair<std::string_view, TensorRole> kRoleNames[] = {
    {"output", TensorRole::output},   {"token_embd", TensorRole::token_embd}, {"attn_q", TensorRole::attn_q},
    {"attn_k", TensorRole::attn_k},   {"attn_v", TensorRole::attn_v},         {"attn_qkv", TensorRole::attn_qkv},
    {"attn_kv_b", TensorRole::attn_kv_b}, {"attn_output", TensorRole::attn_output}, {"ffn_up", TensorRole::ffn_up},
    {"ffn_gate", TensorRole::ffn_gate},   {"ffn_down", TensorRole::ffn_down},
};

std::uint32_t bit(TensorRole role) { return 1U << static_cast<unsigned>(role); }

std::uint32_t roles_named(Fields& f, const std::vector<std::string>& names) {
  std::uint32_t roles = 0;
  for (const auto& name : names) {
    if (name == "any") {
      roles = ~0U;
      continue;
    }
    if (name == "v_like") {
      roles |= bit(TensorRole::attn_v) | bit(TensorRole::attn_qkv) | bit(TensorRole::attn_kv_b);
      continue;
    }
    const auto* it = std::find_if(std::begin(kRoleNames), std::end(kRoleNames), [&](const auto& r) { return r.first == name; });
    if (it == std::end(kRoleNames)) f.fail("tensor", "unknown role '" + name + "'");
    roles |= bit(it->second);
  }
  if (roles == 0) f.fail("tensor", "names no role");
  return roles;
}

/// "2026", "2026-03", "2026-03-14"
bool is_date(std::string_view text) {
  constexpr std::string_view kForm = "dddd-dd-dd";
  if (text.size() != 4 && text.size() != 7 && text.size() != 10) return false;
  return std::equal(text.begin(), text.end(), kForm.begin(), [](char c, char form) { return form == 'd' ? c >= '0' && c <= '9' : c == form; });
}

std::string date_in(Fields& f, const std::string& key, std::string text) {
  if (!is_date(text)) f.fail(key, "'" + text + "': expected a date such as 2026-03");
  return text;
}

RecipeRule::Condition condition_named(Fields& f, const std::string& text) {
  const auto number_after = [&](std::size_t at) {
    const auto n = text::parse_int(std::string_view(text).substr(at));
    if (!n || *n < 1) f.fail("when", "'" + text + "': expected a positive number");
    return *n;
  };
  using C = RuleCondition;
  if (text == "imatrix") return {C::imatrix, 0, {}};
  if (text == "!imatrix") return {C::no_imatrix, 0, {}};
  if (text == "70b") return {C::is_70b, 0, {}};
  if (text == "stacked") return {C::stacked, 0, {}};
  if (text == "ragged") return {C::ragged, 0, {}};
  if (text == "more_bits") return {C::more_bits, 0, {}};
  if (text == "middle") return {C::middle, 0, {}};
  if (text == "!ragged") return {C::not_ragged, 0, {}};
  if (text == "mtp") return {C::mtp, 0, {}};
  if (text == "more_bits_of_name") return {C::more_bits_of_name, 0, {}};
  if (text == "outer_of_name") return {C::outer_of_name, 0, {}};
  if (text == "stored_head") return {C::stored_head, 0, {}};
  struct Prefix {
    std::string_view text;
    C kind;
  };
  constexpr Prefix kNumbered[] = {{"gqa>=", C::gqa_at_least},     {"gqa<", C::gqa_below},           {"experts>=", C::experts_at_least}, {"experts<", C::experts_below},
                                  {"experts!=", C::experts_not_equal}, {"experts=", C::experts_equal}, {"first_part:", C::first_part},     {"counted_part:", C::counted_part},
                                  {"first:", C::first}};
  for (const auto& prefix : kNumbered) {
    if (text.starts_with(prefix.text)) return {prefix.kind, number_after(prefix.text.size()), {}};
  }
  if (text.starts_with("made>=")) return {C::made_from, 0, date_in(f, "when", text.substr(6))};
  if (text.starts_with("made<")) return {C::made_before, 0, date_in(f, "when", text.substr(5))};
  if (text.starts_with("arch!=")) return {C::not_arch, 0, text.substr(6)};
  if (text.starts_with("arch=")) return {C::arch, 0, text.substr(5)};
  f.fail("when", "unknown condition '" + text + "'");
}

std::vector<RecipeRule::Condition> conditions_named(Fields& f, const std::vector<std::string>& texts) {
  std::vector<RecipeRule::Condition> out;
  for (const auto& text : texts) out.push_back(condition_named(f, text));
  return out;
}

/// Whether the rule gives the mix's own base format: `to` is left open.
bool read_rule(Fields& f, RecipeRule& rule) {
  rule.names = f.strings("name");
  const auto roles = f.strings("tensor");
  rule.roles = roles.empty() && !rule.names.empty() ? ~0U : roles_named(f, roles);
  rule.when = conditions_named(f, f.strings("when"));
  for (const auto& from : f.strings("from")) rule.from.push_back(format_named(f, "from", from));
  const auto to = f.required_string("to");
  if (to == "base") return true;
  rule.to = format_named(f, "to", to);
  return false;
}

/// A list of lists of conditions.
std::vector<std::vector<RecipeRule::Condition>> read_head_copies(Fields& f) {
  std::vector<std::vector<RecipeRule::Condition>> out;
  const auto* list = f.find("head_copies");
  if (list == nullptr) return out;
  if (!list->is_array()) f.fail("head_copies", "expected lists of conditions");
  for (const auto& item : *list) {
    std::vector<std::string> texts;
    if (!item.is_array()) f.fail("head_copies", "expected lists of conditions");
    for (const auto& text : item) texts.push_back(text.is_string() ? text.get<std::string>() : text.dump());
    out.push_back(conditions_named(f, texts));
  }
  return out;
}

GgufRecipe read_recipe(const Record& record, Fields& f) {
  GgufRecipe recipe;
  recipe.base = format_named(f, "base", f.required_string("base"));
  const auto unquantized = f.string("unquantized");
  recipe.unquantized = unquantized.empty() ? FormatId::f16 : format_named(f, "unquantized", unquantized);
  recipe.file_type = static_cast<std::int32_t>(f.integer("file_type").value_or(-1));
  const auto imatrix = f.string("imatrix");
  if (imatrix == "required") recipe.imatrix = Imatrix::required;
  else if (imatrix == "usual") recipe.imatrix = Imatrix::usual;
  else if (!imatrix.empty() && imatrix != "none") f.fail("imatrix", "expected none, usual or required");
  if (const auto* rules = f.find("rules")) {
    if (!rules->is_array()) f.fail("rules", "expected a list");
    for (const auto& item : *rules) {
      Fields r(record, item, "rules");
      RecipeRule rule;
      if (read_rule(r, rule)) rule.to = recipe.base;
      r.finish();
      recipe.rules.push_back(std::move(rule));
    }
  }
  recipe.head_copies = read_head_copies(f);
  return recipe;
}

GroupScheme read_scheme(Fields& f) {
  GroupScheme s;
  s.bits = f.number("bits").value_or(0);
  s.group = f.integer("group").value_or(0);
  s.scale_bits = f.number("scale_bits").value_or(0);
  s.zero_bits = f.number("zero_bits").value_or(0);
  s.input_bits = f.number("input_bits").value_or(0);
  if (const auto* block = f.find("block")) {
    if (!block->is_array() || block->size() != 2 || !(*block)[0].is_number_integer() || !(*block)[1].is_number_integer()) f.fail("block", "expected [rows, columns]");
    s.block_rows = (*block)[0].get<std::int64_t>();
    s.group = (*block)[1].get<std::int64_t>();
  }
  s.embedding_too = f.string("embedding") == "same";
  s.router_too = f.string("router") == "same";
  s.experts_only = f.boolean("experts_only");
  if (const auto* head = f.find("head")) {
    if (head->is_string() && head->get<std::string>() == "same") s.head_too = true;
    else if (head->is_number()) s.head_bits = head->get<double>();
    else f.fail("head", "expected a number of bits, or same");
  }
  if (s.bits < 0 || s.bits > 32) f.fail("bits", "expected up to 32");
  return s;
}

}  // namespace

std::string_view to_string(DeviceKind kind) { return kDeviceKinds[static_cast<std::size_t>(kind)].second; }

Device read_device(const Record& record) {
  Fields f(record, record.value);
  Device d;
  d.id = f.required_string("id");
  d.name = f.required_string("name");
  d.vendor = f.required_string("vendor");
  d.family = f.string("family");
  d.generation = f.string("generation");
  d.market = f.string("market");
  const auto kind = f.required_string("kind");
  const auto* known = std::find_if(std::begin(kDeviceKinds), std::end(kDeviceKinds), [&](const auto& k) { return k.second == kind; });
  if (known == std::end(kDeviceKinds)) f.fail("kind", "'" + kind + "', expected gpu, unified, cpu or node");
  d.kind = known->first;
  (void)f.strings("aliases");      // read by the name tables
  (void)f.strings("default_for");
  d.memory_bytes = f.quantity("memory", parse_bytes);
  if (const auto* options = f.find("memory_options")) {
    if (!options->is_array()) f.fail("memory_options", "expected a list");
    for (const auto& option : *options) d.memory_options.push_back(f.checked("memory_options", option, parse_bytes));
  }
  d.memory_type = f.string("memory_type");
  if (const auto bus = f.string("bus"); !bus.empty()) {
    const auto words = text::split(bus, ' ');
    d.bus_bits = text::parse_int(words.front());
    if (!d.bus_bits || words.size() != 2 || words[1] != "bit") f.fail("bus", "expected something like '384 bit'");
  }
  d.bandwidth = f.quantity("bandwidth", parse_bandwidth);
  (void)f.integer("memory_channels");
  (void)f.string("memory_speed");
  if (auto c = f.object("compute")) {
    d.compute.fp32 = c->quantity("fp32", parse_ops);
    d.compute.fp16 = c->quantity("fp16", parse_ops);
    d.compute.bf16 = c->quantity("bf16", parse_ops);
    d.compute.fp8 = c->quantity("fp8", parse_ops);
    d.compute.fp4 = c->quantity("fp4", parse_ops);
    d.compute.int8 = c->quantity("int8", parse_ops);
    c->finish();
  }
  d.power = f.quantity("power", parse_power);
  d.pcie = f.string("pcie");
  if (auto link = f.object("link")) {
    d.link_name = link->required_string("name");
    d.link_bandwidth = link->quantity("bandwidth", parse_bandwidth);
    link->finish();
  }
  if (auto node = f.object("node")) {
    d.node_device = node->required_string("device");
    d.node_count = node->integer("count").value_or(0);
    if (d.node_count < 1) f.fail("node", "expected a count of at least 1");
    node->finish();
  }
  if ((d.kind == DeviceKind::node) == d.node_device.empty()) f.fail("node", "a node, and only a node, says of what it is made");
  d.launch = f.string("launch");
  d.price = f.quantity("price", parse_price);
  d.sources = sources_of(f, "sources", true);
  d.note = f.string("note");
  if ((d.kind == DeviceKind::gpu || d.kind == DeviceKind::node) && !d.memory_bytes) f.fail("memory", "is missing");
  f.finish();
  return d;
}

ModelEntry read_model(const Record& record) {
  Fields f(record, record.value);
  ModelEntry m;
  m.id = f.required_string("id");
  m.name = f.required_string("name");
  m.hf_id = f.string("hf_id");
  m.aliases = f.strings("aliases");
  m.publisher = f.string("publisher");
  m.family = f.string("family");
  m.base_model = f.string("base_model");
  m.license = f.string("license");
  m.release_date = f.string("release_date");
  m.knowledge_cutoff = f.string("knowledge_cutoff");
  m.modality = f.strings("modality");
  m.recommended_use = f.strings("recommended_use");
  m.context = f.integer("context");
  if (auto p = f.object("published_parameters")) {
    m.published.total = p->integer("total");
    m.published.active = p->integer("active");
    m.published.source = p->string("source");
    m.published.note = p->string("note");
    p->finish();
  }
  m.sources = sources_of(f, "sources", false);
  m.note = f.string("note");
  m.checkpoint_stores_head = f.boolean("checkpoint_stores_head");
  (void)f.string("config_of");
  (void)f.find("config_overrides");
  if (const auto* rows = f.find("evaluations")) {
    for (const auto& row : *rows) {
      Record r = record;
      r.value = row;
      m.evaluations.push_back(read_evaluation(r).evaluation);
    }
  }
  const auto* config = f.find("config");
  if (config == nullptr || !config->is_object()) f.fail("config", "is missing");
  m.config_json = config->dump();
  f.finish();
  return m;
}

Quantization read_quantization(const Record& record) {
  Fields f(record, record.value);
  Quantization q;
  q.name = f.required_string("name");
  q.aliases = f.strings("aliases");
  q.quality = f.required_string("quality");
  q.source = f.required_string("source");
  q.ecosystem = f.string("ecosystem");
  q.native_only = f.boolean("native_only");
  q.varies = f.string("varies");
  (void)f.find("parametric");
  if (const auto* rows = f.find("measurements")) {
    for (const auto& row : *rows) {
      Record r = record;
      r.value = row;
      q.measurements.push_back(read_quality(r).measurement);
    }
  }
  if (q.ecosystem.empty() || q.ecosystem == "gguf") {
    q.ecosystem = "gguf";
    q.recipe = read_recipe(record, f);
  } else {
    auto scheme = read_scheme(f);
    if (const auto range = read_parametric(record)) scheme.bits = range->standard;
    q.recipe = scheme;
  }
  f.finish();
  return q;
}

std::optional<ParametricRange> read_parametric(const Record& record) {
  Fields f(record, record.value);
  auto p = f.object("parametric");
  if (!p) return std::nullopt;
  ParametricRange range{p->number("min").value_or(0), p->number("max").value_or(0), p->number("default").value_or(0), {}};
  if (const auto* steps = p->find("steps")) {
    for (const auto& step : *steps) {
      if (!step.is_number() || step.get<double>() < range.min || step.get<double>() > range.max) f.fail("parametric", "a step lies outside min and max");
      range.steps.push_back(step.get<double>());
    }
  }
  p->finish();
  if (!(range.min > 0 && range.min <= range.standard && range.standard <= range.max)) f.fail("parametric", "expected min <= default <= max");
  return range;
}

Publisher read_publisher(const Record& record) {
  Fields f(record, record.value);
  Publisher p;
  p.id = f.required_string("id");
  p.name = f.required_string("name");
  p.aliases = f.strings("aliases");
  p.owner = f.string("owner");
  if (p.owner.empty()) p.owner = p.id;
  p.mark = f.string("mark");
  p.note = f.string("note");
  for (const auto& state : f.strings("states")) p.states.push_back(date_in(f, "states", state));
  if (!std::is_sorted(p.states.begin(), p.states.end())) f.fail("states", "expected the oldest first");
  p.state_note = f.string("state_note");
  p.imatrix = f.string("imatrix");
  if (!p.imatrix.empty() && p.imatrix != "always" && p.imatrix != "never" && !is_date(p.imatrix)) f.fail("imatrix", "expected always, never or a date");
  p.unpublished = f.string("unpublished");
  p.head_copies = read_head_copies(f);
  const auto format_in = [](Fields& of, const char* key) {
    const auto name = of.string(key);
    return name.empty() ? std::nullopt : std::optional(format_named(of, key, name));
  };
  if (const auto* list = f.find("mixes")) {
    if (!list->is_array()) f.fail("mixes", "expected a list");
    for (const auto& item : *list) {
      Fields m(record, item, "mixes");
      p.mixes.push_back({m.required_string("name"), m.required_string("of"), m.string("quality"), format_in(m, "output"), format_in(m, "token_embd")});
      m.finish();
    }
  }
  // What all rules have in common.
  const auto applies = conditions_named(f, f.strings("rules_apply"));
  const auto of_mixes = f.strings("rules_mixes");
  if (const auto* list = f.find("rules")) {
    if (!list->is_array()) f.fail("rules", "expected a list");
    for (const auto& item : *list) {
      Fields r(record, item, "rules");
      Publisher::Rule rule;
      rule.mixes = r.strings("mixes");
      if (rule.mixes.empty()) rule.mixes = of_mixes;
      rule.to_base = read_rule(r, rule.rule);
      rule.rule.when.insert(rule.rule.when.begin(), applies.begin(), applies.end());
      r.finish();
      p.rules.push_back(std::move(rule));
    }
  }
  if (const auto* map = f.find("checkpoints")) {
    if (!map->is_object()) f.fail("checkpoints", "expected ORIGINAL: TAKEN");
    for (const auto& [original, taken] : map->items()) {
      if (!taken.is_string()) f.fail("checkpoints", "expected ORIGINAL: TAKEN");
      p.checkpoints.emplace_back(original, taken.get<std::string>());
    }
  }
  p.sources = sources_of(f, "sources", true);
  f.finish();
  return p;
}

Engine read_engine(const Record& record) {
  Fields f(record, record.value);
  Engine e;
  e.id = f.required_string("id");
  e.name = f.required_string("name");
  e.aliases = f.strings("aliases");
  e.based_on = f.string("based_on");
  e.version = f.string("version");
  e.version_date = f.string("version_date");
  e.homepage = f.string("homepage");
  e.description = f.string("description");
  e.ecosystems = f.strings("ecosystems");
  e.backends = f.strings("backends");
  e.kv_types = f.strings("kv_types");
  e.default_kv_type = f.string("default_kv_type");
  (void)f.integer("default_context");
  e.batch = f.integer("batch").value_or(0);
  e.ubatch = f.integer("ubatch").value_or(0);
  (void)f.find("flash_attention");
  e.sliding_window = f.string("sliding_window");
  e.kv_cell_padding = f.integer("kv_cell_padding").value_or(1);
  if (e.kv_cell_padding < 1) f.fail("kv_cell_padding", "expected at least 1");
  e.kv_pool = f.boolean("kv_pool");
  e.memory_fraction = f.number("memory_fraction").value_or(0);
  if (e.memory_fraction < 0 || e.memory_fraction > 1) f.fail("memory_fraction", "expected 0 to 1");
  e.block_size = f.integer("block_size").value_or(0);
  e.offload_layers = f.boolean("offload_layers");
  e.offload_experts = f.boolean("offload_experts");
  e.tensor_parallel = f.boolean("tensor_parallel");
  e.pipeline_parallel = f.boolean("pipeline_parallel");
  e.merges_matrices = f.boolean("merges_matrices");
  e.torch_allocator = f.boolean("torch_allocator");
  e.loads_towers = f.boolean("loads_towers");
  if (const auto* generations = f.find("server")) {
    if (!generations->is_array()) f.fail("server", "expected a list of generations");
    for (const auto& item : *generations) e.server.push_back(read_server(Fields(record, item, "server"), e.server.empty() ? ServerRules() : e.server.back()));
  }
  if (e.kv_pool && e.server.empty()) {
    // A description with the two figures alone.
    ServerRules r;
    r.fraction = e.memory_fraction;
    r.block_size = std::max<std::int64_t>(1, e.block_size);
    constexpr std::int64_t kSequences = 256;
    r.steps.push_back({0, {}, e.batch > 0 ? e.batch : 2048, kSequences, 0, 0});
    e.server.push_back(r);
  }
  if (auto process = f.object("process")) e.process = read_process(*process);
  if (const auto* overheads = f.find("overheads")) {
    for (const auto& item : *overheads) e.overheads.push_back(read_overhead(Fields(record, item, "overheads"), true));
  }
  if (auto host = f.object("host_overhead")) e.host_overhead = read_overhead(*host, false);
  if (const auto* notes = f.find("notes"); notes != nullptr && notes->is_string()) e.notes.push_back(notes->get<std::string>());
  else e.notes = f.strings("notes");
  (void)f.find("activation_note");
  e.sources = sources_of(f, "sources", true);
  f.finish();
  return e;
}

TokenizerRule read_tokenizer(const Record& record) {
  Fields f(record, record.value);
  TokenizerRule rule;
  auto& t = rule.tokenizer;
  t.id = f.required_string("id");
  t.model = f.required_string("model");
  t.pre = f.string("pre");
  t.tokens = f.integer("tokens").value_or(0);
  t.token_bytes = f.integer("token_bytes").value_or(0);
  t.merges = f.integer("merges").value_or(0);
  t.merge_bytes = f.integer("merge_bytes").value_or(0);
  t.scores = f.boolean("scores");
  t.token_types = f.boolean("token_types", true);
  t.other_bytes = f.integer("other_bytes").value_or(0);
  t.chat_template_bytes = f.integer("chat_template_bytes").value_or(0);
  t.small_keys = f.strings("small_keys");
  t.basis = f.required_string("basis");
  t.source = f.required_string("source");
  (void)f.string("note");
  if (t.tokens < 1) f.fail("tokens", "is missing");
  const auto stored = f.required_string("stored_tokens");
  using Stored = TokenizerRule::StoredTokens;
  constexpr std::pair<std::string_view, Stored> kStored[] = {{"config", Stored::config}, {"pad8", Stored::pad8}, {"pad16", Stored::pad16}, {"fixed", Stored::fixed}};
  const auto* it = std::find_if(std::begin(kStored), std::end(kStored), [&](const auto& s) { return s.first == stored; });
  if (it == std::end(kStored)) f.fail("stored_tokens", "expected config, pad8, pad16 or fixed");
  rule.stored = it->second;
  rule.real_tokens = f.integer("real_tokens").value_or(0);
  rule.real_token_bytes = f.integer("real_token_bytes").value_or(0);
  if (const auto* list = f.find("applies_to")) {
    if (!list->is_array()) f.fail("applies_to", "expected a list");
    for (const auto& item : *list) {
      Fields a(record, item, "applies_to");
      TokenizerRule::AppliesTo applies;
      applies.model_types = a.strings("model_types");
      applies.name_contains = a.strings("name_contains");
      if (const auto* sizes = a.find("vocab_sizes")) {
        for (const auto& size : *sizes) {
          if (!size.is_number_integer()) a.fail("vocab_sizes", "expected whole numbers");
          applies.vocab_sizes.push_back(size.get<std::int64_t>());
        }
      }
      a.finish();
      rule.applies_to.push_back(std::move(applies));
    }
  }
  f.finish();
  return rule;
}

TokenizerAverages read_tokenizer_averages(const Record& record) {
  Fields f(record, record.value);
  TokenizerAverages a;
  a.model = f.required_string("model");
  a.max_tokens = f.integer("max_tokens").value_or(0);
  a.token_bytes = f.number("token_bytes").value_or(0);
  a.merges_per_token = f.number("merges_per_token").value_or(0);
  a.merge_bytes = f.number("merge_bytes").value_or(0);
  (void)f.string("merge_style");
  a.scores = f.boolean("scores");
  a.token_types = f.boolean("token_types", true);
  (void)f.string("note");
  f.finish();
  return a;
}

namespace {

DeviceClass read_class(Fields& f) {
  DeviceClass c;
  c.vendor = f.string("vendor");
  c.generation = f.string("generation");
  c.backend = f.string("backend");
  if (const auto kind = f.string("kind"); !kind.empty()) {
    const auto* known = std::find_if(std::begin(kDeviceKinds), std::end(kDeviceKinds), [&](const auto& k) { return k.second == kind; });
    if (known == std::end(kDeviceKinds)) f.fail("kind", "'" + kind + "', expected gpu, unified, cpu or node");
    c.kind = known->first;
  }
  return c;
}

}  // namespace

PlatformRule read_platform(const Record& record) {
  Fields f(record, record.value);
  PlatformRule rule;
  (void)f.required_string("id");
  rule.applies_to = read_class(f);
  rule.up_to_bytes = f.quantity("up_to", parse_bytes).value_or(0);
  rule.reserve_bytes = f.quantity("reserve", parse_bytes).value_or(0);
  rule.usable_fraction = f.number("usable_fraction").value_or(1);
  if (!(rule.usable_fraction > 0 && rule.usable_fraction <= 1)) f.fail("usable_fraction", "expected more than 0, up to 1");
  rule.note = f.string("note");
  rule.source = f.string("source");
  f.finish();
  return rule;
}

EvaluationRow read_evaluation(const Record& record) {
  Fields f(record, record.value);
  EvaluationRow row;
  row.model = f.required_string("model");
  row.evaluation.benchmark = f.required_string("benchmark");
  row.evaluation.score = f.number("score").value_or(0);
  row.evaluation.source = f.required_string("source");
  row.evaluation.note = f.string("note");
  f.finish();
  return row;
}

QualityRow read_quality(const Record& record) {
  Fields f(record, record.value);
  QualityRow row;
  row.quantization = f.required_string("quant");
  auto& m = row.measurement;
  m.model = f.required_string("model");
  m.imatrix = f.boolean("imatrix");
  m.perplexity = f.number("perplexity");
  m.perplexity_increase = f.number("perplexity_increase");
  m.kl_divergence = f.number("kl_divergence");
  m.dataset = f.string("dataset");
  m.source = f.required_string("source");
  (void)f.find("calibration");
  f.finish();
  return row;
}

void inherit_config(Record& record, const Record& base) {
  nlohmann::json config = base.value.at("config");
  if (const auto it = record.value.find("config_overrides"); it != record.value.end()) config.merge_patch(*it);
  record.value["config"] = std::move(config);
}

}  // namespace planner
