// What an engine loads beside the model: a draft model for speculative decoding, a multimodal projector. The model's own prediction layers are no companion: its
// workload says that they draft (memory/speculative.cpp).
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "decision/session.h"
#include "engine/projector.h"

namespace planner::decision {

class Companions {
 public:
  /// Of a request. Throws Error: unknown names, unreadable files, a projector of a model that has none.
  Companions(const EstimateRequest& request, const Subject& subject, const Quantization* quantization, const Deployment& deployment, const Catalog& catalog, std::vector<std::string>& notes);

  [[nodiscard]] bool empty() const { return draft_ == nullptr && !projector_; }
  /// Adds their buffers to the estimate of the model. A server's pool gives way.
  void add_to(MemoryEstimate& memory, const Workload& workload, const Deployment& deployment) const;
  [[nodiscard]] const std::string& draft_name() const { return draft_name_; }
  [[nodiscard]] const std::string& projector_name() const { return projector_name_; }

 private:
  struct Draft {
    Subject subject;
    Weights weights;
    mutable engine::ComputeMemo memo;
  };
  void load_draft(const EstimateRequest& request, const Subject& subject, const Quantization* quantization, const Deployment& deployment, const Catalog& catalog, std::vector<std::string>& notes);
  void load_projector(const EstimateRequest& request, const Subject& subject);
  void add_draft(MemoryEstimate& memory, const Workload& workload, const Deployment& deployment) const;
  void add_projector(MemoryEstimate& memory, const Deployment& deployment) const;

  std::unique_ptr<Draft> draft_;
  std::optional<engine::Projector> projector_;
  bool projector_of_file_ = false;
  std::string draft_name_, projector_name_;
};

}  // namespace planner::decision
