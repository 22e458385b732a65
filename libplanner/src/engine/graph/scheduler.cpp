#include "engine/graph/scheduler.h"

#include <algorithm>
#include <vector>

namespace planner::engine::graph {
namespace {

/// Kept from one graph to the next, one per thread.
struct Scratch {
  std::vector<Place> places;   ///< by tensor
  std::vector<Id> copies;      ///< by tensor and place: what stands for it there
  std::vector<Id> former, order, leaves, input_copies, crossing_copies, crossing;
  std::vector<std::size_t> cuts;
};

class Scheduler {
 public:
  Scheduler(Graph& graph, const Machine& machine, Scratch& scratch) : g_(graph), m_(machine), s_(scratch), n_tensors_(graph.n_tensors()) {
    s_.places.assign(n_tensors_, kAnywhere);
    s_.copies.assign(n_tensors_ * static_cast<std::size_t>(m_.accelerators + 1), kNone);
    s_.order.clear();
    s_.leaves.clear();
    s_.cuts.clear();
    s_.input_copies.clear();
    s_.crossing_copies.clear();
  }

  void run() {
    place_by_weights();
    expand(true, true);
    expand(true, false);
    expand(false, true);
    expand(false, false);
    place_rest();
    split();
    s_.leaves.insert(s_.leaves.end(), s_.input_copies.begin(), s_.input_copies.end());
    s_.leaves.insert(s_.leaves.end(), s_.crossing_copies.begin(), s_.crossing_copies.end());
    s_.leaves.insert(s_.leaves.end(), g_.leaves().begin(), g_.leaves().end());
    for (std::size_t i = 0; i < n_tensors_; ++i) g_.at(static_cast<Id>(i)).place = std::max<Place>(s_.places[i], 0);
    g_.reorder(s_.order, s_.leaves, s_.cuts);
  }

 private:
  Place& place(Id id) { return s_.places[static_cast<std::size_t>(id)]; }
  Id& copy(Id id, Place where) { return s_.copies[static_cast<std::size_t>(id) * static_cast<std::size_t>(m_.accelerators + 1) + static_cast<std::size_t>(where)]; }

  void place_by_weights() {
    for (const Id leaf : g_.leaves()) place(leaf) = g_.at(leaf).external ? g_.at(leaf).fixed : m_.host();
    for (const Id node : g_.order()) {
      const auto& t = g_.at(node);
      if (t.view_only) {
        if (t.view_of != kNone && g_.at(t.view_of).external) place(node) = g_.at(t.view_of).fixed;
        continue;
      }
      if (t.fixed != kAnywhere) {
        place(node) = t.fixed;
      } else if (t.weights != kAnywhere) {
        const bool moves = (m_.moves_products || !t.is_product) && t.weights == m_.host() && m_.accelerators > 0 && t.moves && !t.host_only;
        place(node) = moves ? Place{0} : t.weights;
      }
    }
  }

  bool has(Place where, const Tensor& t) const { return where == m_.host() || !t.host_only; }

  /// The undecided take the place of what is before (or behind) them.
  void expand(bool accelerators_only, bool down) {
    const auto& order = g_.order();
    Place current = kAnywhere;
    for (std::size_t i = 0; i < order.size(); ++i) {
      const Id node = down ? order[i] : order[order.size() - 1 - i];
      const auto& t = g_.at(node);
      if (t.view_only) continue;
      if (place(node) != kAnywhere) {
        current = accelerators_only && place(node) == m_.host() ? kAnywhere : place(node);
      } else if (current != kAnywhere && has(current, t)) {
        place(node) = current;
      }
    }
  }

  void place_rest() {
    for (const Id node : g_.order()) {
      auto& t = g_.at(node);
      if (t.view_of != kNone && place(node) == kAnywhere) place(node) = place(t.view_of);
      if (place(node) == kAnywhere && !t.view_only) place(node) = m_.host();
      for (int j = 0; j < t.n_sources; ++j) {
        const Id source = t.sources[static_cast<std::size_t>(j)];
        if (place(source) != kAnywhere) continue;
        const Id whole = g_.at(source).view_of;
        place(source) = whole != kNone ? place(whole) : place(node);
      }
    }
  }

  /// Whether weights of another place are read while the run of operations has copies already: a run of its own lets their memory be used again.
  bool reads_foreign_weights(const Tensor& t, Place current) {
    for (int j = 0; j < t.n_sources; ++j) {
      const Id source = t.sources[static_cast<std::size_t>(j)];
      if (g_.at(source).is_weight && !reads(current, source)) return true;
    }
    return false;
  }

  /// The host reads no accelerator's memory, nor they each other's or the host's.
  bool reads(Place where, Id source) { return place(source) == where; }

  void keep(Id id) { g_.at(id).output = true; }

  void split() {
    auto& order = s_.former;
    order.assign(g_.order().begin(), g_.order().end());  // what is added below goes into the new one
    auto& crossing = s_.crossing;
    crossing.clear();
    std::size_t begin = 0;
    Place current = kAnywhere;
    const auto finish = [&](std::size_t end) {
      for (const Id source : crossing) {
        // A use of the source, so that it lives until it is copied.
        const Id use = g_.sink({source});
        g_.at(use).place = place_of(source);
        s_.order.push_back(use);
        s_.order.push_back(copy(source, current));
      }
      for (; s_.cuts.size() < g_.cuts().size() && g_.cuts()[s_.cuts.size()] < end;) s_.cuts.push_back(s_.order.size() + g_.cuts()[s_.cuts.size()] - begin);
      s_.order.insert(s_.order.end(), order.begin() + static_cast<std::ptrdiff_t>(begin), order.begin() + static_cast<std::ptrdiff_t>(end));
      crossing.clear();
      begin = end;
    };
    for (std::size_t i = 0; i < order.size(); ++i) {
      const Id node = order[i];
      if (g_.at(node).view_only) continue;
      const Place where = place(node);
      if (current == kAnywhere) current = where;
      if (where != current || (!crossing.empty() && reads_foreign_weights(g_.at(node), current))) {
        finish(i);
        current = where;
      }
      for (int j = 0; j < g_.at(node).n_sources; ++j) {
        const Id source = g_.at(node).sources[static_cast<std::size_t>(j)];
        if (m_.copies > 1) repeat_input(source);
        if (reads(current, source)) continue;
        if (copy(source, current) == kNone) {
          copy(source, current) = cross(source, current);
          crossing.push_back(source);
        }
        g_.at(node).sources[static_cast<std::size_t>(j)] = copy(source, current);
      }
    }
    finish(order.size());
    s_.cuts.resize(g_.cuts().size(), s_.order.size());
  }

  [[nodiscard]] Place place_of(Id id) { return static_cast<std::size_t>(id) < n_tensors_ ? place(id) : g_.at(id).place; }

  Id cross(Id source, Place where) {
    Id first = kNone;
    for (int c = 0; c < m_.copies; ++c) {
      const Id id = g_.duplicate(source);
      g_.at(id).place = where;
      if (first == kNone) first = id;
      if (m_.copies == 1) continue;
      keep(id);
      s_.crossing_copies.push_back(id);
    }
    return first;
  }

  /// In pipeline parallelism every input is there once for each batch under way.
  void repeat_input(Id source) {
    const auto& t = g_.at(source);
    if (!t.leaf || t.external || copy(source, m_.host()) != kNone) return;
    copy(source, m_.host()) = source;
    keep(source);
    s_.input_copies.push_back(source);
    for (int c = 1; c < m_.copies; ++c) {
      const Id id = g_.duplicate(source);
      g_.at(id).place = m_.host();
      keep(id);
      s_.input_copies.push_back(id);
    }
  }

  Graph& g_;
  const Machine& m_;
  Scratch& s_;
  std::size_t n_tensors_;
};

}  // namespace

void schedule(Graph& graph, const Machine& machine) {
  thread_local Scratch scratch;
  Scheduler(graph, machine, scratch).run();
}

}  // namespace planner::engine::graph
