// The model in a GGUF file: tensors from the file, layers from the description of its architecture.
#include <algorithm>
#include <cassert>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "core/text.h"
#include "import/gguf_index.h"
#include "import/gguf_layers.h"
#include "import/gguf_reader.h"
#include "model/architecture.h"
#include "model/builder.h"
#include "planner/error.h"
#include "planner/gguf.h"

namespace planner {
namespace {

using text::contains;
using text::ends_with;

/// Looked up by row, not multiplied.
bool is_table(std::string_view name) {
  return name == "token_embd.weight" || name == "per_layer_token_embd.weight" || name == "position_embd.weight" ||
         name == "token_types.weight" || ends_with(name, "nextn.embed_tokens.weight");
}

/// A stack of routed experts, or one of them in files that keep them apart ("blk.0.ffn_up.3.weight").
bool is_expert(std::string_view name) {
  if (ends_with(name, "_exps.weight") || ends_with(name, "_exps.bias")) return true;
  const auto rest = layer_name(name).rest;
  for (const std::string_view part : {"ffn_gate.", "ffn_up.", "ffn_down."}) {
    if (rest.starts_with(part) && rest.size() > part.size() && rest[part.size()] >= '0' && rest[part.size()] <= '9') return true;
  }
  return false;
}

/// Files that some engines make have the towers beside the text model.
ModelPart part_of(std::string_view name, std::int64_t layer, const Hyperparameters& hp) {
  if (name.starts_with("a.") || name.starts_with("mm.a.")) return ModelPart::audio;
  if (name.starts_with("v.") || name.starts_with("mm.")) return ModelPart::vision;
  return layer >= hp.n_layers ? ModelPart::mtp : ModelPart::text;
}

bool holds_integers(FormatId format) {
  return format == FormatId::i8 || format == FormatId::i16 || format == FormatId::i32 || format == FormatId::i64;
}

Tensor model_tensor(const GgufTensor& in, const Hyperparameters& hp) {
  Tensor out;
  out.name = in.name;
  out.shape = in.shape;
  out.n_dims = std::max(in.n_dims, 1);
  const std::int64_t layer = layer_name(in.name).layer;
  out.layer = static_cast<std::int32_t>(layer);
  out.role = role_of(in.name);
  out.storage = holds_integers(in.format) ? Storage::integer : storage_of(in.name, out.n_dims);
  out.part = part_of(in.name, layer, hp);
  out.is_parameter = !contains(in.name, "rope_f") && out.storage != Storage::integer;
  out.is_expert = is_expert(in.name);
  out.is_table = is_table(in.name);
  return out;
}

std::string shape_text(const std::array<std::int64_t, 4>& shape) {
  std::size_t n = shape.size();
  while (n > 1 && shape[n - 1] <= 1) --n;
  std::string out = "[";
  for (std::size_t i = 0; i < n; ++i) out += (i > 0 ? ", " : "") + std::to_string(shape[i]);
  return out + "]";
}

std::vector<GgufTensorDifference> differences(const Model& described, const GgufFile& file, const GgufIndex& index) {
  using Kind = GgufTensorDifference::Kind;
  const auto& hp = described.hyperparameters;
  const bool holds_mtp = index.n_layers() > hp.n_layers;
  std::vector<GgufTensorDifference> out;
  std::unordered_set<std::string_view> predicted;
  for (const auto& tensor : described.tensors) {
    if (tensor.part == ModelPart::vision || tensor.part == ModelPart::audio || (tensor.part == ModelPart::mtp && !holds_mtp)) continue;
    predicted.insert(tensor.name);
    const auto* actual = index.find(tensor.name);
    if (actual == nullptr) {
      out.push_back({Kind::missing, tensor.name, tensor.shape, {}});
    } else if (actual->shape != tensor.shape) {
      out.push_back({Kind::shape, tensor.name, tensor.shape, actual->shape});
    }
  }
  for (const auto& tensor : file.tensors) {
    const auto part = part_of(tensor.name, layer_name(tensor.name).layer, hp);
    if (part == ModelPart::vision || part == ModelPart::audio || predicted.contains(tensor.name)) continue;
    out.push_back({Kind::extra, tensor.name, {}, tensor.shape});
  }
  return out;
}

/// What only a description knows of a tensor: that it is no parameter, that it is a table.
void take_flags(const std::vector<Tensor>& described, std::vector<Tensor>& tensors) {
  std::unordered_map<std::string_view, const Tensor*> by_name;
  for (const auto& tensor : described) by_name.emplace(tensor.name, &tensor);
  for (auto& tensor : tensors) {
    const auto it = by_name.find(tensor.name);
    if (it == by_name.end()) continue;
    tensor.is_parameter = it->second->is_parameter;
    tensor.is_expert = it->second->is_expert;
    tensor.is_table = it->second->is_table;
  }
}

std::string describe(const std::vector<GgufTensorDifference>& found, const std::string& architecture) {
  if (found.empty()) return {};
  const auto n = found.size();
  return std::to_string(n) + (n == 1 ? " tensor is" : " tensors are") + " not as the description of architecture '" + architecture +
         "' predicts: " + found.front().text() + (n > 1 ? " and others" : "");
}

}  // namespace

std::string GgufTensorDifference::text() const {
  std::string shown = printable(name);
  switch (kind) {
    case Kind::missing: return "missing " + shown + " " + shape_text(predicted);
    case Kind::extra: return "extra " + shown + " " + shape_text(actual);
    case Kind::shape: return "shape of " + shown + ": " + shape_text(actual) + ", predicted " + shape_text(predicted);
  }
  return shown;
}

std::vector<GgufTensorDifference> compare_with_description(const GgufFile& file) {
  return differences(build_model(hyperparameters_from_gguf(file)), file, GgufIndex(file));
}

Model model_from_gguf(const GgufFile& file, std::string* note) {
  const auto hp = hyperparameters_from_gguf(file);
  if (file.tensors.empty()) {
    throw Error(ErrorKind::invalid_file, printable_path(file.path) + ": holds no tensors (a vocabulary alone), expected a model");
  }
  const GgufIndex index(file);
  std::vector<Tensor> tensors;
  tensors.reserve(file.tensors.size());
  for (const auto& tensor : file.tensors) tensors.push_back(model_tensor(tensor, hp));

  Model model;
  std::string told;
  if (find_architecture(hp.architecture) == nullptr) {
    told = "architecture '" + printable(hp.architecture) + "' is not described: its layers were read off the file's tensors";
  } else {
    try {
      model = build_model(hp);
      told = describe(differences(model, file, index), hp.architecture);
      take_flags(model.tensors, tensors);
    } catch (const Error& problem) {
      model = {};
      told = "the description of architecture '" + hp.architecture + "' does not cover this file (" + problem.what() +
             "): its layers were read off the tensors";
    }
  }
  if (model.layers.empty()) {
    model.hyperparameters = hp;
    model.layers = layers_from_tensors(index, hp);
    const bool slides = std::find(hp.layer_kinds.begin(), hp.layer_kinds.end(), LayerKind::sliding_attention) != hp.layer_kinds.end();
    if (hp.sliding_window > 0 && !slides) {
      told += "; it has a sliding window, but does not say in which layers: all are taken as full attention";
    }
  }
  model.tensors = std::move(tensors);
  model.identity = 0;  // the tensors are the file's now
  model.file_holds_mtp = index.n_layers() > hp.n_layers;
  if (note != nullptr) *note = std::move(told);
  return model;
}

StoredModel stored_from_gguf(const GgufFile& file, const Model& model) {
  assert(model.tensors.size() == file.tensors.size());
  StoredModel stored;
  stored.bytes.reserve(file.tensors.size());
  stored.formats.reserve(file.tensors.size());
  for (std::size_t i = 0; i < file.tensors.size(); ++i) {
    stored.bytes.push_back(file.tensors[i].bytes);
    stored.formats.push_back(file.tensors[i].format);
    if (model.tensors[i].is_parameter) stored.parameters += model.tensors[i].n_elements();
  }
  stored.tensor_bytes = file.tensor_bytes;
  return stored;
}

}  // namespace planner
