#include "decision/companions.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "core/text.h"
#include "memory/accountant.h"
#include "planner/error.h"

namespace planner::decision {
namespace {

/// The device's place in an estimate: devices in order, then the host, which a unified device is too.
DeviceMemory& place(MemoryEstimate& m, const Deployment& d, int device) {
  const auto n = d.devices.size();
  if (device != kHost) return m.devices[static_cast<std::size_t>(device)];
  if (d.unified_memory) return m.devices.front();
  if (m.devices.size() <= n) m.devices.push_back({d.host.name, d.host.kind, d.host.capacity_bytes, d.host.usable_bytes(), 0, 0, {}});
  return m.devices.back();
}

/// A pool holds what is left: what comes beside it makes it smaller, as far as the workload does not need it.
void shrink_pool(MemoryEstimate& m, DeviceMemory& device, std::int64_t bytes) {
  const std::int64_t gives = std::min(bytes, device.unused_pool_bytes);
  const auto pool = std::max_element(device.buffers.begin(), device.buffers.end(),
                                     [](const Buffer& a, const Buffer& b) { return (a.component == Component::kv ? a.bytes : 0) < (b.component == Component::kv ? b.bytes : 0); });
  if (gives <= 0 || pool == device.buffers.end() || pool->component != Component::kv || pool->bytes <= gives) return;
  const std::int64_t before = m.bytes(Component::kv);
  pool->bytes -= gives;
  device.unused_pool_bytes -= gives;
  if (m.kv_capacity_tokens && before > 0) *m.kv_capacity_tokens -= static_cast<std::int64_t>(static_cast<double>(*m.kv_capacity_tokens) * static_cast<double>(gives) / static_cast<double>(before));
}

}  // namespace

Companions::Companions(const EstimateRequest& request, const Subject& subject, const Quantization* quantization, const Deployment& deployment, const Catalog& catalog,
                       std::vector<std::string>& notes) {
  if (!request.draft.empty() && !text::equal_ignoring_case(request.draft, "mtp")) load_draft(request, subject, quantization, deployment, catalog, notes);
  if (text::equal_ignoring_case(request.draft, "mtp")) draft_name_ = fmt::format("{} multi-token-prediction layer{}", subject.model->hyperparameters.n_mtp_layers, subject.model->hyperparameters.n_mtp_layers == 1 ? "" : "s");
  if (!request.mmproj.empty()) load_projector(request, subject);
}

void Companions::load_draft(const EstimateRequest& request, const Subject& subject, const Quantization* quantization, const Deployment& deployment, const Catalog& catalog,
                            std::vector<std::string>& notes) {
  draft_ = std::make_unique<Draft>();
  draft_->subject = resolve_subject(request.draft, catalog);
  auto& s = draft_->subject;
  std::string name;
  if (s.file_bytes && request.draft_quantization.empty()) {
    draft_->weights.stored = *s.file_bytes;
    draft_->weights.map = weight_map(*s.model, draft_->weights.stored);
    draft_->weights.basis = Basis::file;
  } else {
    std::unique_ptr<Quantization> made;
    const auto* q = quantization;
    if (!request.draft_quantization.empty() || q == nullptr) {
      const auto& loads = deployment.engine->ecosystems;
      const bool gguf = std::find(loads.begin(), loads.end(), "gguf") != loads.end();
      q = &catalog.resolve_quantization(!request.draft_quantization.empty() ? request.draft_quantization : gguf ? "Q4_K_M" : "BF16", made);
    }
    draft_->weights = weigh(*s.model, *q);
    name = q->name;
  }
  draft_name_ = name.empty() ? s.name : s.name + " " + name;
  // Source: common_speculative_are_compatible in common/speculative.cpp of ggml-org/llama.cpp.
  constexpr std::int64_t kLargestDifference = 128;
  const auto words = [](const Subject& of) { return of.model->hyperparameters.vocab_size; };
  if (std::abs(words(s) - words(subject)) > kLargestDifference) notes.push_back(fmt::format("{} has a vocabulary of {} tokens, {} one of {}: it cannot draft for it without translation", s.name, words(s), subject.name, words(subject)));
}

void Companions::load_projector(const EstimateRequest& request, const Subject& subject) {
  if (text::equal_ignoring_case(request.mmproj, "auto")) {
    projector_ = engine::projector_of(*subject.model);
    if (!projector_) {
      throw Error(ErrorKind::usage, fmt::format("mmproj: no vision or audio tower of {} is known{}", subject.name, subject.file_bytes ? ": a text model's file holds none, give the projector's file" : ""));
    }
    projector_name_ = "vision tower in 16 bit";
    return;
  }
  const std::filesystem::path path = request.mmproj;
  std::error_code status;
  if (!std::filesystem::is_regular_file(path, status)) throw Error(ErrorKind::invalid_file, fmt::format("mmproj: {}: no such file (a projector's .gguf file, or auto)", request.mmproj));
  projector_ = engine::projector_from_gguf(read_gguf_header(path));
  projector_of_file_ = true;
  projector_name_ = path.filename().string();
}

void Companions::add_to(MemoryEstimate& memory, const Workload& workload, const Deployment& deployment) const {
  if (draft_ != nullptr) add_draft(memory, workload, deployment);
  if (projector_) add_projector(memory, deployment);
}

/// The draft model in a context of its own: as long, for as many sequences, on the same devices; its cache in F16 where the engine does not say otherwise.
/// Source: common_base_params_to_speculative, common_speculative_init_result in common/speculative.cpp of ggml-org/llama.cpp.
void Companions::add_draft(MemoryEstimate& memory, const Workload& workload, const Deployment& deployment) const {
  const auto& model = *draft_->subject.model;
  auto w = workload;
  w.draft_tokens = 0;
  w.draft_by_mtp = false;
  w.outputs = workload.concurrency;
  if (is_llama_cpp(*deployment.engine)) w.kv_type_k = w.kv_type_v = FormatId::f16;
  auto d = deployment;
  d.pool_bytes = 0;  // it takes what it needs of a pool
  const auto placement = place_layers(model.hyperparameters.n_layers, d.devices.empty() ? 0 : model.hyperparameters.n_layers + 1, device_shares(d));
  const auto own = estimate_memory(model, draft_->weights.map, w, d, placement, draft_->weights.basis, &draft_->memo);
  for (std::size_t i = 0; i < own.devices.size(); ++i) {
    const bool is_host = i >= d.devices.size();
    auto& device = place(memory, d, is_host ? kHost : static_cast<int>(i));
    std::int64_t added = 0;
    for (auto buffer : own.devices[i].buffers) {
      if (buffer.component == Component::overhead) continue;
      const auto space = buffer.name.find(' ');
      buffer.name.insert(space == std::string::npos ? 0 : space + 1, "draft ");
      added += buffer.bytes;
      device.buffers.push_back(std::move(buffer));
    }
    shrink_pool(memory, device, added);
  }
}

/// On the first device, as tools/mtmd/clip.cpp takes it.
void Companions::add_projector(MemoryEstimate& memory, const Deployment& deployment) const {
  const int index = deployment.devices.empty() ? kHost : 0;
  const auto prefix = memory::buffer_prefix(deployment, index);
  auto& device = place(memory, deployment, index);
  device.buffers.push_back({prefix + " projector", Component::weights, projector_->weights_bytes, projector_of_file_ ? Basis::file : Basis::config, 0});
  if (projector_->compute_bytes > 0) device.buffers.push_back({prefix + " projector compute", Component::compute, projector_->compute_bytes, Basis::rule, projector_->uncertainty_bytes});
  shrink_pool(memory, device, projector_->weights_bytes + projector_->compute_bytes);
  if (index != kHost && projector_->input_bytes > 0) place(memory, deployment, kHost).buffers.push_back({"CPU projector compute", Component::compute, projector_->input_bytes, Basis::rule, 0});
}

}  // namespace planner::decision
