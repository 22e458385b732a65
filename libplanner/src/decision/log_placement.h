// Where layers and experts lie, as far as the buffers of a log tell: it follows from memory that was free, or from tensors placed by hand, and is no rule of
// the engine.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "planner/deployment.h"
#include "planner/engine_log.h"
#include "planner/model.h"
#include "planner/workload.h"

namespace planner::decision {

/// Beside kHost: nowhere in particular.
inline constexpr int kAll = -2;

[[nodiscard]] bool is_host(std::string_view where);
/// A copy of weights in another order, beside the buffers that it is a copy of.
[[nodiscard]] bool is_repacked(std::string_view where);
/// "Metal_Mapped" -> "Metal"
[[nodiscard]] std::string base_of(std::string_view where);

/// Accelerators that the log's buffers lie on, in order.
[[nodiscard]] std::vector<std::string> accelerators_of(const EngineLog& log);
/// Index into `accelerators`, kHost, or kAll.
[[nodiscard]] int slot_of(const std::vector<std::string>& accelerators, const std::string& where);

/// Whether the rows of the cache hold recurrent states too: ik_llama.cpp keeps them in the cache's buffer, the table at the end of newer llama.cpp adds them up.
[[nodiscard]] bool cache_holds_states(const EngineLog& log);

/// Puts layers where the cache's rows say; whether that differs from `placement`. `with_mtp`: prediction layers have a cache, where the last layer lies.
bool follow_cache(Placement& placement, const EngineLog& log, const std::vector<std::string>& accelerators, const Model& model, const Workload& workload,
                  bool with_mtp);

/// Leaves routed experts on the host (--cpu-moe, --n-cpu-moe, -ot) where far more weights lie there than layers explain: of each device as many layers' as its
/// bytes say, the last ones. Whether there are any. `weights` of another mix than the file's are brought to its size, by proportion of the experts.
bool follow_weights(Placement& placement, const EngineLog& log, const std::vector<std::string>& accelerators, const Model& model, WeightMap& weights);

}  // namespace planner::decision
