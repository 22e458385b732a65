// Servers with a KV pool: vLLM, SGLang, TensorRT-LLM. Every rank holds its part of the weights, what a step and the libraries need, and a pool in the rest.
#include <algorithm>

#include "engine/server.h"
#include "memory/accountant.h"
#include "memory/server_pool.h"
#include "planner/kv_cache.h"

namespace planner::memory {
namespace {

using namespace engine;

class Server {
 public:
  explicit Server(Accountant& a)
      : a_(a),
        q_(a.question()),
        rules_(server_rules(q_.deployment)),
        ranks_(ranks_of(q_.model, q_.deployment)),
        stages_(stages_of(q_.model.hyperparameters.n_layers, ranks_.pipeline, rules_.last_stage_takes_rest)),
        first_(q_.deployment.devices.empty() ? &q_.deployment.host : &q_.deployment.devices.front()),
        limits_(step_limits(rules_, q_.workload, first_, ranks_)),
        pool_(q_.model, q_.workload, rules_, windows_count(q_.model, *q_.deployment.engine), ranks_, limits_, stages_) {}

  void run() {
    for (auto& d : a_.out().devices) d.layers = 0;
    std::vector<std::int64_t> pools(stages_.size());
    for (std::size_t s = 0; s < stages_.size(); ++s) {
      for (std::int64_t t = 0; t < ranks_.tensor; ++t) {
        const auto pool = rank(static_cast<std::int64_t>(s) * ranks_.tensor + t, s);
        // The rank with the least decides how many blocks there are.
        pools[s] = t == 0 ? pool : std::min(pools[s], pool);
      }
    }
    if (const auto& o = q_.deployment.engine->host_overhead; o && !q_.deployment.devices.empty()) add_overhead(kHost, "process", *o);
    if (pool_.is_empty()) return;
    const auto capacity = pool_.capacity(pools, q_.workload.context);
    a_.out().kv_capacity_tokens = capacity.tokens;
    a_.out().kv_capacity_requests = capacity.requests;
  }

 private:
  /// What has been put on a device, and how much it may be off.
  struct Sum {
    std::int64_t bytes = 0, uncertainty = 0;
    Sum& operator+=(const Sum& o) {
      bytes += o.bytes;
      uncertainty += o.uncertainty;
      return *this;
    }
  };

  Sum put(int device, std::string_view what, Component component, std::int64_t bytes, Basis basis, std::int64_t uncertainty = 0) {
    a_.add(device, what, component, bytes, basis, uncertainty);
    return {bytes, uncertainty};
  }
  Sum add_overhead(int device, std::string_view what, const EngineOverhead& o) {
    return put(device, what, Component::overhead, o.bytes, o.measured ? Basis::rule : Basis::assumption, std::max(o.bytes - o.low, o.high - o.bytes));
  }

  Sum weights(int device, const Stage& stage) {
    const auto w = rank_weights(q_.model, q_.weights, *q_.deployment.engine, rules_, ranks_, stage);
    auto sum = put(device, "weights", Component::weights, w.matrices, q_.weights_basis);
    sum += put(device, "rotary tables", Component::weights, w.tables, Basis::rule);
    sum += put(device, "absorbed projections", Component::weights, w.absorbed, Basis::rule);
    sum += put(device, "allocator's rounding of weights", Component::weights, w.slack, Basis::rule, w.slack);
    return sum;
  }

  Sum graphs(int device) {
    const auto n = captured_graphs(rules_.graphs, limits_);
    if (n == 0) return {};
    const auto& base = rules_.graphs.base;
    const std::int64_t bytes = base.bytes + n * rules_.graphs.per_graph;
    return put(device, kGraphsBuffer, Component::overhead, bytes, base.measured ? Basis::rule : Basis::assumption, std::max(base.high - base.bytes, bytes / 2));
  }

  Sum communication(int device, const DeploymentDevice* d) {
    if (ranks_.total() == 1) return {};
    const bool linked = d != nullptr && d->device != nullptr && !d->device->link_name.empty();
    const auto& o = linked ? rules_.link : rules_.bus;
    return o ? add_overhead(device, kCommunicationBuffer, *o) : Sum{};
  }

  /// One rank; the bytes of its pool.
  std::int64_t rank(std::int64_t r, std::size_t stage) {
    const auto& d = q_.deployment;
    const int device = d.devices.empty() ? kHost : static_cast<int>(r);
    const DeploymentDevice* on = d.devices.empty() ? &d.host : &d.devices[static_cast<std::size_t>(r)];
    const auto& s = stages_[stage];
    auto& memory = a_.at(device);
    memory.layers = s.n_layers;

    const auto loaded = weights(device, s);
    const auto activation_bytes = step_activation_bytes(q_.model, rules_, limits_, ranks_, s);
    const auto activations = put(device, "activations", Component::compute, activation_bytes, Basis::assumption, activation_bytes / 2);
    Sum libraries;
    if (const auto* o = a_.overhead()) libraries += add_overhead(device, kNonTorchBuffer, *o);
    libraries += communication(device, on);
    const auto captured = graphs(device);
    const Sum context = rules_.context && !d.devices.empty() ? add_overhead(device, kContextBuffer, *rules_.context) : Sum{};
    const auto states = put(device, "recurrent state", Component::recurrent_state, pool_.state_bytes(stage, std::max(limits_.sequences, q_.workload.concurrency)), Basis::rule);

    const std::int64_t needed = pool_.needed_bytes(stage, q_.workload.concurrency, q_.workload.context);
    std::int64_t pool = needed;
    Sum off = loaded;
    off += activations;
    off += libraries;
    if (const auto memory_bytes = on->usable_bytes()) {
      const double fraction = d.memory_fraction > 0 ? d.memory_fraction : default_fraction(rules_, limits_, ranks_, *memory_bytes);
      const auto share_of = [&](std::int64_t bytes) { return static_cast<std::int64_t>(fraction * static_cast<double>(std::max<std::int64_t>(0, bytes))); };
      std::int64_t budget = 0;
      std::int64_t limit = *memory_bytes;
      switch (rules_.fraction_of) {
        case FractionOf::device: {
          const std::int64_t share = share_of(*memory_bytes);
          budget = share - loaded.bytes - activations.bytes - libraries.bytes - states.bytes - (rules_.graphs_within ? captured.bytes : 0);
          limit = share + context.bytes + (rules_.graphs_within ? 0 : captured.bytes);
          break;
        }
        case FractionOf::loaded: {
          const std::int64_t before = *memory_bytes - context.bytes - libraries.bytes;
          const std::int64_t share = share_of(before);
          budget = share - loaded.bytes - states.bytes;
          limit = *memory_bytes - before + share + activations.bytes + captured.bytes;
          break;
        }
        case FractionOf::left: {
          budget = share_of(*memory_bytes - loaded.bytes - activations.bytes - libraries.bytes - context.bytes - states.bytes);
          limit = loaded.bytes + activations.bytes + libraries.bytes + context.bytes + states.bytes + captured.bytes + budget;
          break;
        }
      }
      pool = std::max(d.pool_bytes.value_or(budget), needed);
      // What does not fit into the share does not fit, though the device may have more.
      if (!d.pool_bytes) memory.usable_bytes = std::min(*memory_bytes, std::max(limit, std::int64_t{0}));
    }
    if (d.pool_bytes) pool = std::max(*d.pool_bytes, needed);
    put(device, "KV pool", Component::kv, pool, Basis::rule, pool > needed && !d.pool_bytes ? off.uncertainty : 0);
    memory.unused_pool_bytes = pool - needed;
    return pool;
  }

  Accountant& a_;
  const Question& q_;
  const ServerRules& rules_;
  Ranks ranks_;
  std::vector<Stage> stages_;
  const DeploymentDevice* first_;
  StepLimits limits_;
  ServerPool pool_;
};

}  // namespace

void account_server(Accountant& a) { Server(a).run(); }

}  // namespace planner::memory
