// How ggml's scheduler divides a graph between accelerators and host, and how large the buffer of each becomes.
//
// Every operation goes where its weights lie; where those are on the host and the batch is large, the first accelerator takes the operation and the weights
// are copied to it. Inputs lie on the host. What is then undecided follows its neighbours: accelerators spread first downwards, then upwards, over all but
// operations of the host; the rest follows what is before, then what is behind. Wherever an operation reads what another place has, the start of its run of
// operations holds a copy: one, or `copies` of it in pipeline parallelism, which then are never freed.
// Source: ggml/src/ggml-backend.cpp (ggml_backend_sched_split_graph) of ggml-org/llama.cpp.
#pragma once

#include "engine/graph/graph.h"

namespace planner::engine::graph {

/// What the scheduler has to divide a graph between. Places 0 to accelerators - 1, then the host.
struct Machine {
  Place accelerators = 1;
  int copies = 1;               ///< of inputs and of what crosses places
  bool moves_products = true;   ///< accelerators take products with matrices of the host for large batches, as they do other operations with its weights

  [[nodiscard]] Place host() const { return accelerators; }
};

/// Decides the place of every tensor of `graph` and adds the copies. The graph is changed: it can be laid out and built anew, but not scheduled again.
void schedule(Graph& graph, const Machine& machine);

}  // namespace planner::engine::graph
