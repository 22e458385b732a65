// Published files of a mix: what they hold, and how they differ from what the quantizer makes.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "decision/session.h"

namespace planner::decision {
namespace {

/// File sizes below this difference are not worth a word: headers and rounding differ as much.
constexpr double kNotable = 0.01;

std::string gb(std::int64_t bytes) { return fmt::format("{:.2f} GB", static_cast<double>(bytes) / 1e9); }

/// Bytes of the file that `typed` names; nothing where the subject is none of the catalog's.
std::int64_t bytes_of(const std::string& typed, const Subject& subject, const Catalog& catalog) {
  std::unique_ptr<Quantization> made;
  const auto& quantization = catalog.resolve_quantization(typed, made);
  Subject other;
  other.entry = subject.entry;
  other.model = &subject.entry->model();
  other.name = subject.name;
  take_as_stored(other, quantization, catalog);
  return gguf_bytes(other, *other.model, store(*other.model, quantization), catalog);
}

void note_others(std::vector<std::string>& notes, const Subject& subject, const Quantization& quantization, std::int64_t bytes, const Catalog& catalog) {
  std::string list;
  std::string first;
  for (const auto* publisher : catalog.publishers()) {
    if (!publisher->has_own_rules()) continue;
    const auto name = quantization.name + "@" + publisher->id;
    const auto theirs = bytes_of(name, subject, catalog);
    const double difference = static_cast<double>(theirs - bytes) / static_cast<double>(bytes);
    if (std::abs(difference) <= kNotable) continue;
    list += fmt::format("{}{} {} ({:+.1f} %)", list.empty() ? "" : ", ", publisher->id, gb(theirs), 100 * difference);
    if (first.empty()) first = name;
  }
  if (!list.empty()) notes.push_back(fmt::format("some publishers' {} files differ from the quantizer's own {}: {}; ask for {}", quantization.name, gb(bytes), list, first));
}

void note_states(std::vector<std::string>& notes, const Subject& subject, const Quantization& quantization, const Publisher& publisher, const Catalog& catalog) {
  if (publisher.states.empty() || !std::get<GgufRecipe>(quantization.recipe).made.empty()) return;
  auto low = std::numeric_limits<std::int64_t>::max();
  std::int64_t high = 0;
  for (const auto& state : publisher.states) {
    // A file is not older than its model.
    const auto released = std::string_view(subject.entry->release_date).substr(0, state.size());
    if (!released.empty() && state != publisher.states.back() && released > state) continue;
    const auto at = quantization.name.find('@');
    const auto plus = quantization.name.find('+');
    const auto options = plus == std::string::npos ? std::string() : quantization.name.substr(plus);
    const auto bytes = bytes_of(fmt::format("{}@{}-{}{}", quantization.name.substr(0, at), publisher.id, state, options), subject, catalog);
    low = std::min(low, bytes);
    high = std::max(high, bytes);
  }
  const auto& released = subject.entry->release_date;
  const auto as_of = released.empty() ? std::string("of today, as the model's release is not known") : "of the model's release, " + released;
  if (static_cast<double>(high - low) <= kNotable * static_cast<double>(high)) return;
  notes.push_back(fmt::format("{}'s recipe is that {}; {}: by the states known the file has {} to {}", publisher.name, as_of, publisher.state_note, gb(low), gb(high)));
}

}  // namespace

void take_as_stored(Subject& subject, const Quantization& quantization, const Catalog& catalog) {
  if (!quantization.is_gguf() || subject.file_bytes) return;
  if (subject.entry != nullptr) {
    const auto* publisher = quantization.publisher.empty() ? nullptr : catalog.find_publisher(quantization.publisher);
    if (publisher != nullptr) {
      for (const auto& [original, taken] : publisher->checkpoints) {
        const auto* entry = original == subject.entry->id ? catalog.find_model(taken) : nullptr;
        if (entry == nullptr) continue;
        subject.notes.push_back(fmt::format("{}'s files are converted from {}", publisher->name, entry->name));
        subject.entry = entry;
      }
    }
    subject.model = &subject.entry->model_as_stored(quantization);
  } else if (copies_tied_head(*subject.model, quantization)) {
    auto hp = subject.model->hyperparameters;
    hp.tied_embeddings = false;
    subject.own_model = std::make_unique<Model>(build_model(hp));
    subject.model = subject.own_model.get();
  }
}

std::int64_t gguf_bytes(const Subject& subject, const Model& model, const StoredModel& stored, const Catalog& catalog) {
  const auto& name = subject.entry != nullptr && !subject.entry->hf_id.empty() ? subject.entry->hf_id : subject.name;
  return gguf_file_size(model, stored, catalog.tokenizer_of(model.hyperparameters, name)).total_bytes;
}

void add_publisher_notes(std::vector<std::string>& notes, const Subject& subject, const Quantization& quantization, const StoredModel& stored, const Catalog& catalog) {
  if (subject.entry == nullptr || !quantization.is_gguf()) return;
  if (quantization.publisher.empty()) {
    // With an option in the name somebody has a certain file in mind.
    if (quantization.name.find('+') == std::string::npos) note_others(notes, subject, quantization, gguf_bytes(subject, *subject.model, stored, catalog), catalog);
  } else if (const auto* publisher = catalog.find_publisher(quantization.publisher)) {
    note_states(notes, subject, quantization, *publisher, catalog);
  }
}

}  // namespace planner::decision
