#include <mutex>

#include "planner/catalog.h"
#include "planner/error.h"

namespace planner {

struct ModelEntry::Geometry {
  std::once_flag once;
  std::optional<Model> model;
  std::string problem;
};

ModelEntry::ModelEntry() : geometry_(std::make_unique<Geometry>()) {}
ModelEntry::~ModelEntry() = default;
ModelEntry::ModelEntry(ModelEntry&&) noexcept = default;
ModelEntry& ModelEntry::operator=(ModelEntry&&) noexcept = default;

const Model* ModelEntry::find_model() const {
  std::call_once(geometry_->once, [this] {
    try {
      geometry_->model = build_model(hyperparameters_from_config(config_json, id));
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

}  // namespace planner
