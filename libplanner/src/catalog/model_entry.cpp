#include <mutex>

#include "planner/catalog.h"
#include "planner/error.h"

namespace planner {

struct ModelEntry::Geometry {
  std::once_flag once, once_untied;
  std::optional<Model> model, untied;
  std::string problem;
};

ModelEntry::ModelEntry() : geometry_(std::make_unique<Geometry>()) {}
ModelEntry::~ModelEntry() = default;
ModelEntry::ModelEntry(ModelEntry&&) noexcept = default;
ModelEntry& ModelEntry::operator=(ModelEntry&&) noexcept = default;

const Model* ModelEntry::find_model() const {
  std::call_once(geometry_->once, [this] {
    try {
      auto model = build_model(hyperparameters_from_config(config_json, id));
      model.release_date = release_date;
      model.checkpoint_stores_head = checkpoint_stores_head;
      geometry_->model = std::move(model);
    } catch (const Error& e) {
      geometry_->problem = e.what();
    }
  });
  return geometry_->model ? &*geometry_->model : nullptr;
}

const Model& ModelEntry::model() const {
  const auto* model = find_model();
  if (model == nullptr) throw Error(ErrorKind::invalid_file, "the geometry of '" + id + "' is not fully known: " + geometry_->problem);
  return *model;
}

const Model& ModelEntry::model_as_stored(const Quantization& quantization) const {
  const auto& tied = model();
  if (!copies_tied_head(tied, quantization)) return tied;
  std::call_once(geometry_->once_untied, [&] {
    auto hp = tied.hyperparameters;
    hp.tied_embeddings = false;
    auto untied = build_model(hp);
    untied.release_date = release_date;
    untied.checkpoint_stores_head = checkpoint_stores_head;
    geometry_->untied = std::move(untied);
  });
  return *geometry_->untied;
}

}  // namespace planner
