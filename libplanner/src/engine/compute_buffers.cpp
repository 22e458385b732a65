#include "engine/compute_buffers.h"

#include <algorithm>
#include <memory>
#include <span>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "engine/graph/allocator.h"
#include "engine/graph/builder.h"
#include "engine/graph/scheduler.h"

namespace planner::engine {
namespace {

/// "attn_q.weight" of "blk.7.attn_q.weight".
std::string_view behind_block(std::string_view name) {
  const auto first = name.find('.');
  const auto second = first == std::string_view::npos ? first : name.find('.', first + 1);
  return second == std::string_view::npos ? name : name.substr(second + 1);
}

/// Layers of the model proper, and all tensors by layer (files list them in any order).
struct Layers {
  std::vector<graph::LayerParts> parts;
  std::vector<graph::Part> tensors;
  std::vector<std::size_t> ends;

  void collect(const Model& model) {
    parts.clear();
    for (const auto& layer : model.layers) {
      if (layer.mtp) break;
      parts.push_back({&layer, static_cast<std::int64_t>(parts.size()), {}});
    }
    const auto n = static_cast<std::int32_t>(parts.size());
    const auto counts = [&](const Tensor& t) { return t.layer >= 0 && t.layer < n; };
    ends.assign(parts.size() + 1, 0);
    for (const auto& t : model.tensors) {
      if (counts(t)) ++ends[static_cast<std::size_t>(t.layer) + 1];
    }
    for (std::size_t i = 1; i < ends.size(); ++i) ends[i] += ends[i - 1];
    tensors.assign(ends.back(), {graph::PartName(std::string_view()), nullptr});
    for (std::size_t i = 0; i < parts.size(); ++i) parts[i].parts = std::span(tensors).subspan(ends[i], ends[i + 1] - ends[i]);
    for (const auto& t : model.tensors) {
      if (counts(t)) tensors[ends[static_cast<std::size_t>(t.layer)]++] = {graph::PartName(behind_block(t.name)), &t};
    }
  }
};

/// What tells one layer's graph from another's.
struct Mixing {
  std::uint64_t value = 0xcbf29ce484222325U;
  void add(std::int64_t n) {
    value = (value ^ static_cast<std::uint64_t>(n)) * 0x100000001b3U;
    value ^= value >> 29;
  }
};

void add_mixer(Mixing& h, const Attention& a) {
  h.add(a.n_heads);
  h.add(a.n_kv_heads);
  h.add(a.head_dim);
  h.add(a.head_dim_v);
  h.add(a.window);
  h.add(a.shares_kv_of >= 0 ? 1 : 0);
  h.add(a.gated ? 1 : 0);
}
template <typename Other>
void add_mixer(Mixing&, const Other&) {}  // the tensors' shapes tell

std::uint64_t signature(const graph::LayerParts& p, bool by_number) {
  Mixing h;
  if (by_number) h.add(p.number);
  for (const auto& mixer : p.layer->mixers) {
    h.add(static_cast<std::int64_t>(mixer.index()));
    std::visit([&](const auto& m) { add_mixer(h, m); }, mixer);
  }
  for (const auto& ffn : p.layer->ffns) h.add(static_cast<std::int64_t>(ffn.index()));
  for (const auto& part : p.parts) {
    h.add(static_cast<std::int64_t>(part.name.hash));
    for (int i = 0; i < 3; ++i) h.add(part.tensor->shape[static_cast<std::size_t>(i)]);
  }
  return h.value;
}

/// Many repetitions of a group of layers need no more than a few: the same tensors come and go once more. It is enough to see one repetition that
/// leaves everything as it found it, which is the second as a rule, the third where a group is one layer. Otherwise places change in turns, of two or
/// three, and the number that is left out is a multiple of six. The last layer is not like the others.
class Shortening {
 public:
  /// fewest: of groups of which turns need no fewer; in_turn: enough for what is known of one place; two_turns, six_turns: of all groups, so that the layout
  /// tells of each whether it repeats itself after so many.
  enum class Copies : std::uint8_t { fewest, in_turn, two_turns, six_turns, all };

  /// Replaces `parts`, all layers, by those to lay out. `ids` tell the layers apart.
  void run(std::vector<graph::LayerParts>& parts, std::span<const std::uint64_t> ids, Copies copies) {
    repeated_.clear();
    if (copies == Copies::all || parts.size() <= kLongestGroup) return;
    ids_ = ids;
    kept_.clear();
    const std::size_t n = ids_.size() - 1;
    for (std::size_t i = 0; i < n;) {
      const auto [group, times] = repetition(i, n);
      const std::size_t in_turn = times <= kCopies ? times : kCopies + (times - kCopies) % kCycle;
      const std::size_t settled = group == 1 ? kCopies : kCopies - 1;
      // Between several places so many turns are seen, and a multiple of them is left out.
      const std::size_t turns = copies == Copies::two_turns ? 2 : copies == Copies::six_turns ? kCycle : 1;
      const std::size_t fewest = settled + turns + (times - std::min(times, settled)) % turns;
      const bool several_places = copies == Copies::two_turns || copies == Copies::six_turns;
      const bool shortened = several_places ? fewest < times : copies == Copies::fewest && fewest < in_turn;
      const std::size_t kept = shortened ? fewest : several_places ? times : in_turn;
      if (shortened) repeated_.push_back({kept_.size() + group * (kept - turns), kept_.size() + group * kept});
      for (std::size_t j = 0; j < group * kept; ++j) kept_.push_back(parts[i + j]);
      i += group * times;
    }
    kept_.push_back(parts.back());
    parts.swap(kept_);
  }

  /// The groups of which less was kept than turns need: whether that was enough is seen in the layout.
  [[nodiscard]] std::span<const graph::Repeated> repeated() const { return repeated_; }

 private:
  static constexpr std::size_t kLongestGroup = 12;
  static constexpr std::size_t kCopies = 2;
  static constexpr std::size_t kCycle = 6;

  struct Repetition {
    std::size_t group = 1, times = 1;
  };
  /// The group from `first` on that covers most by repeating more than kCopies times.
  [[nodiscard]] Repetition repetition(std::size_t first, std::size_t end) const {
    Repetition best;
    for (std::size_t group = 1; group <= kLongestGroup && first + group * (kCopies + 1) <= end; ++group) {
      std::size_t same = 0;
      while (first + group + same < end && ids_[first + same] == ids_[first + group + same]) ++same;
      const std::size_t times = 1 + same / group;
      if (times > kCopies && group * (times - kCopies) > best.group * (best.times - std::min(best.times, kCopies))) best = {group, times};
    }
    return best;
  }

  std::span<const std::uint64_t> ids_;
  std::vector<graph::LayerParts> kept_;
  std::vector<graph::Repeated> repeated_;
};

/// A model's layers, and what tells them apart.
struct Index {
  Layers layers;
  std::vector<std::uint64_t> ids;
  const Model* of;
  bool inputs_by_layer;  ///< layers hold tensors of their own from the start: every layer counts
  std::size_t way_in_one_place = 0, way_in_several = 0;  ///< which way of shortening was enough before: fewer copies are not tried again

  explicit Index(const Model& model) : of(&model), inputs_by_layer(model.hyperparameters.indexer_heads > 0) {
    for (const auto& layer : model.layers) {
      for (const auto& mixer : layer.mixers) {
        const auto* attention = std::get_if<Attention>(&mixer);
        inputs_by_layer = inputs_by_layer || (attention != nullptr && attention->cross_tokens > 0);
      }
    }
    layers.collect(model);
    // Gemma 3n's first layers are sparse.
    constexpr std::int64_t kSparseLayers = 10;
    const bool by_number = model.hyperparameters.architecture == "gemma3n";
    for (const auto& p : layers.parts) ids.push_back(signature(p, by_number && p.number < kSparseLayers));
  }
};

/// The index of a model; kept, one per thread, for models with an identity.
Index& index_of(const Model& model) {
  constexpr std::size_t kMostKept = 1024;
  thread_local std::unordered_map<std::uint64_t, std::unique_ptr<Index>> kept;
  thread_local std::unique_ptr<Index> passing;
  if (model.identity == 0) {
    passing = std::make_unique<Index>(model);
    return *passing;
  }
  if (kept.size() > kMostKept) kept.clear();
  auto& index = kept[model.identity];
  if (index == nullptr || index->of != &model) index = std::make_unique<Index>(model);
  return *index;
}

}  // namespace

std::int64_t file_vocabulary(const Hyperparameters& hp) {
  return hp.architecture == "gemma3n" ? hp.extra_or("vocab_size_per_layer_input", hp.vocab_size) : hp.vocab_size;
}

bool graph_is_known(const Model& model) { return graph::is_known(model.hyperparameters); }

namespace {

/// The batches that space is set aside for: a full one, and one of a token per sequence, which needs more only where the full one is hardly larger.
template <typename LayOut>
void for_batches(const GraphOptions& options, bool exhaustive, LayOut lay_out) {
  constexpr std::int64_t kClearlyMore = 4;
  const std::int64_t tokens = (options.tokens + options.sequences - 1) / options.sequences * options.sequences;
  lay_out(graph::Batch{tokens, options.sequences, std::min(options.tokens, options.outputs)});
  if (exhaustive || tokens < kClearlyMore * options.sequences) lay_out(graph::Batch{options.sequences, options.sequences, options.sequences});
}

/// Whether weights on the host may be copied to an accelerator.
bool moves_weights(const DevicePlan& plan) {
  return plan.moves_products && (std::find(plan.layers.begin(), plan.layers.end(), plan.host()) != plan.layers.end() ||
                                   std::find(plan.experts_on_host.begin(), plan.experts_on_host.end(), true) != plan.experts_on_host.end());
}

/// Whether two plans have parts of the same kinds in the same kinds of places.
bool are_similar(const DevicePlan& a, const DevicePlan& b) {
  const auto kinds = [](const DevicePlan& p) {
    const auto on_host = std::count(p.layers.begin(), p.layers.end(), p.host());
    return std::tuple(p.accelerators, p.output, p.copies, p.moves_products, p.pins_norms, p.caches_on_host, p.quantized_attention, p.device_alignment, on_host > 0,
                      on_host == static_cast<std::ptrdiff_t>(p.layers.size()), std::find(p.experts_on_host.begin(), p.experts_on_host.end(), true) != p.experts_on_host.end());
  };
  return kinds(a) == kinds(b);
}

/// With as few repetitions of layers as are enough, which `lay_out` says: the ways are tried in order, from the one on that was enough before.
template <typename LayOut>
void lay_out_enough(std::span<const Shortening::Copies> ways, std::size_t& way, LayOut lay_out) {
  for (way = std::min(way, ways.size() - 1); !lay_out(ways[way]) && way + 1 < ways.size(); ++way) {
  }
}

// The last way is always enough.
constexpr Shortening::Copies kInOnePlace[] = {Shortening::Copies::fewest, Shortening::Copies::in_turn};
constexpr Shortening::Copies kInSeveralPlaces[] = {Shortening::Copies::two_turns, Shortening::Copies::six_turns, Shortening::Copies::all};
constexpr Shortening::Copies kExhaustive[] = {Shortening::Copies::all};

}  // namespace

std::int64_t compute_buffer_bytes(const Model& model, const GraphOptions& options, bool exhaustive) {
  // Kept from one call to the next, one per thread: nothing is allocated once they have grown.
  thread_local std::vector<graph::LayerParts> parts;
  thread_local Shortening shortening;
  thread_local graph::Graph g;
  auto& index = index_of(model);
  const std::int64_t alignment = graph::kHostAlignment;
  std::int64_t most = 0;
  for_batches(options, exhaustive, [&](const graph::Batch& batch) {
    std::size_t way = exhaustive ? 0 : index.way_in_one_place;
    lay_out_enough(exhaustive ? std::span<const Shortening::Copies>(kExhaustive) : kInOnePlace, way, [&](Shortening::Copies copies) {
      parts.assign(index.layers.parts.begin(), index.layers.parts.end());
      shortening.run(parts, index.ids, index.inputs_by_layer ? Shortening::Copies::all : copies);
      graph::Builder(g, model, parts, options, batch).build();
      std::int64_t bytes = 0;
      const bool steady = graph::buffer_bytes(g, std::span(&alignment, 1), std::span(&bytes, 1), shortening.repeated());
      if (steady) most = std::max(most, bytes);
      return steady;
    });
    if (!exhaustive) index.way_in_one_place = way;
  });
  return most;
}

std::vector<std::int64_t> compute_buffers_bytes(const Model& model, const GraphOptions& options, const DevicePlan& plan, std::span<const std::int64_t> tensor_bytes,
                                                bool exhaustive) {
  thread_local std::vector<graph::LayerParts> parts;
  thread_local std::vector<std::uint64_t> ids;
  thread_local Shortening shortening;
  thread_local graph::Graph g;
  auto& index = index_of(model);
  // Pipeline parallelism keeps all its copies, each layer's weights too.
  exhaustive = exhaustive || (plan.copies > 1 && moves_weights(plan));
  const bool in_one_place = !exhaustive && plan.accelerators == 1 && !moves_weights(plan);
  // Layers in different places are different layers.
  ids.assign(index.ids.begin(), index.ids.end());
  for (std::size_t i = 0; i < ids.size(); ++i) {
    Mixing h;
    h.value = ids[i];
    h.add(plan.layers[i] * 2 + (plan.experts_on_host[i] ? 1 : 0));
    if (moves_weights(plan) && !tensor_bytes.empty()) {
      // What is moved needs room: a mix may give layers of the same shapes other formats.
      for (const auto& part : index.layers.parts[i].parts) h.add(tensor_bytes[static_cast<std::size_t>(part.tensor - model.tensors.data())]);
    }
    ids[i] = h.value;
  }
  graph::Machine machine;
  machine.accelerators = static_cast<graph::Place>(plan.accelerators);
  machine.copies = plan.copies;
  machine.moves_products = plan.moves_products;
  const auto n = static_cast<std::size_t>(plan.accelerators) + 1;
  std::vector<std::int64_t> alignments(static_cast<std::size_t>(plan.accelerators), plan.device_alignment);
  alignments.push_back(graph::kHostAlignment);
  std::vector<std::int64_t> most(n);
  std::vector<std::int64_t> bytes(n);
  const graph::Division division{plan, tensor_bytes};
  for_batches(options, exhaustive, [&](const graph::Batch& batch) {
    // Between several places turns are longer than what is known of one place.
    std::size_t none = 0;
    auto& way = exhaustive ? none : in_one_place ? index.way_in_one_place : index.way_in_several;
    const auto ways = exhaustive ? std::span<const Shortening::Copies>(kExhaustive) : in_one_place ? std::span<const Shortening::Copies>(kInOnePlace) : kInSeveralPlaces;
    lay_out_enough(ways, way, [&](Shortening::Copies copies) {
      parts.assign(index.layers.parts.begin(), index.layers.parts.end());
      shortening.run(parts, ids, index.inputs_by_layer ? Shortening::Copies::all : copies);
      graph::Builder(g, model, parts, options, batch, &division).build();
      graph::schedule(g, machine);
      const bool steady = graph::buffer_bytes(g, alignments, bytes, shortening.repeated());
      for (std::size_t i = 0; steady && i < n; ++i) most[i] = std::max(most[i], bytes[i]);
      return steady;
    });
  });
  return most;
}

std::int64_t ComputeMemo::bytes(const Model& model, const GraphOptions& options) {
  const auto it = std::find_if(entries_.begin(), entries_.end(), [&](const Entry& e) { return e.options == options; });
  if (it != entries_.end()) return it->bytes;
  return entries_.emplace_back(Entry{options, compute_buffer_bytes(model, options)}).bytes;
}

const std::vector<std::int64_t>& ComputeMemo::bytes(const Model& model, const GraphOptions& options, const DevicePlan& plan, std::span<const std::int64_t> tensor_bytes,
                                                    std::int64_t stored) {
  if (!moves_weights(plan)) stored = 0;
  if (similar_will_do) {
    const auto similar = std::find_if(plans_.begin(), plans_.end(), [&](const PlanEntry& e) { return e.options == options && are_similar(e.plan, plan); });
    if (similar != plans_.end()) return similar->bytes;
  }
  const auto it = std::find_if(plans_.begin(), plans_.end(), [&](const PlanEntry& e) { return e.stored == stored && e.options == options && e.plan == plan; });
  if (it != plans_.end()) return it->bytes;
  return plans_.emplace_back(PlanEntry{options, plan, stored, compute_buffers_bytes(model, options, plan, tensor_bytes)}).bytes;
}

}  // namespace planner::engine
