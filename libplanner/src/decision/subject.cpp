// The model of a request: from the catalog or from a file.
#include <filesystem>

#include "core/text.h"
#include "decision/session.h"
#include "import/text_file.h"
#include "planner/error.h"
#include "planner/gguf.h"

namespace planner::decision {
namespace {

namespace fs = std::filesystem;

/// Whether the name is meant as a path: it exists, or it looks like nothing else.
bool is_path(const std::string& typed) {
  std::error_code status;
  if (text::ends_with(typed, ".gguf") || text::ends_with(typed, ".json")) return true;
  return (typed.starts_with("/") || typed.starts_with("./") || typed.starts_with("../")) || fs::is_directory(typed, status);
}

Subject from_gguf(const fs::path& path) {
  const auto file = read_gguf_header(path);
  Subject s;
  std::string note;
  s.own_model = std::make_unique<Model>(model_from_gguf(file, &note));
  s.model = s.own_model.get();
  if (!note.empty()) s.notes.push_back(note);
  s.file_bytes = stored_from_gguf(file, *s.model);
  s.file_size_bytes = file.declared_file_bytes;
  s.name = std::string(file.find_string("general.name").value_or(path.filename().string()));
  if (!file.is_complete()) s.notes.push_back("the file holds a header only, or is cut short: the sizes are those that it declares");
  return s;
}

Subject from_config(const fs::path& path) {
  Subject s;
  s.own_model = std::make_unique<Model>(build_model(hyperparameters_from_config(read_text_file(path, kLargestConfig, "config.json"), path.string())));
  s.model = s.own_model.get();
  s.name = path.parent_path().filename().string();
  if (s.name.empty()) s.name = path.filename().string();
  return s;
}

}  // namespace

Subject resolve_subject(const std::string& typed, const Catalog& catalog) {
  if (text::trim(typed).empty()) throw Error(ErrorKind::usage, "no model is given");
  if (is_path(typed)) {
    std::error_code status;
    fs::path path = typed;
    if (fs::is_directory(path, status)) path /= "config.json";
    if (!fs::exists(path, status)) throw Error(ErrorKind::invalid_file, path.string() + ": no such file");
    return path.extension() == ".json" ? from_config(path) : from_gguf(path);
  }
  Subject s;
  s.entry = &catalog.resolve_model(typed);
  s.model = &s.entry->model();
  s.name = s.entry->name;
  return s;
}

void take_prediction_layers(Subject& subject) {
  if (subject.model->file_holds_mtp || subject.model->hyperparameters.n_mtp_layers == 0 || subject.file_bytes) return;
  subject.own_model = std::make_unique<Model>(*subject.model);
  subject.own_model->file_holds_mtp = true;
  subject.own_model->identity = 0;
  subject.model = subject.own_model.get();
  subject.notes.push_back(subject.name + " is taken from a file that keeps its multi-token-prediction layers; most leave them out");
}

}  // namespace planner::decision

namespace planner {

bool names_files(const EstimateRequest& request) {
  const bool projector = !request.mmproj.empty() && request.mmproj != "auto";
  return decision::is_path(request.model) || decision::is_path(request.draft) || !request.machine.empty() || projector;
}

}  // namespace planner
