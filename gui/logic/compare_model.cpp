#include "logic/compare_model.h"

#include <algorithm>
#include <array>
#include <functional>

#include "logic/device_table_model.h"
#include "logic/glossary.h"
#include "logic/session.h"
#include "logic/words.h"
#include "planner/tensor_format.h"

namespace planner::gui {
namespace {

enum class Better { neither, more, less };

struct Figure {
  const char* title;
  std::string_view term;
  Better better;
  QString (*shown)(const Question&, const DeviceAnswer&);
  std::optional<double> (*value)(const DeviceAnswer&);
};

std::optional<double> no_value(const DeviceAnswer&) { return std::nullopt; }
std::optional<double> positive(double v) { return v > 0 ? std::optional(v) : std::nullopt; }

template <Component component>
QString bytes_of(const Question&, const DeviceAnswer& a) {
  return a.answer && a.answer->memory ? gib(a.answer->memory->bytes(component)) : kDash;
}
template <Component component>
std::optional<double> value_of(const DeviceAnswer& a) {
  return a.answer && a.answer->memory ? std::optional(static_cast<double>(a.answer->memory->bytes(component))) : std::nullopt;
}

QString number(const std::optional<double>& v) { return v ? significant(*v) : kDash; }

const std::array kFigures = {
    Figure{"Model", "model", Better::neither, [](const Question& q, const DeviceAnswer& a) { return a.answer ? to_qt(a.answer->model.name) : q.model; },
           no_value},
    Figure{"Quantization", "quantization", Better::neither,
           [](const Question& q, const DeviceAnswer& a) {
             return a.answer && a.answer->quantization
                        ? QStringLiteral("%1 (%2 bits)").arg(to_qt(a.answer->quantization->name), significant(a.answer->quantization->bits_per_weight))
                        : q.quantization;
           },
           no_value},
    Figure{"Engine", "engine", Better::neither,
           [](const Question& q, const DeviceAnswer& a) { return a.answer ? to_qt(a.answer->engine + ' ' + a.answer->engine_version) : q.engine; }, no_value},
    Figure{"Device", "device", Better::neither,
           [](const Question& q, const DeviceAnswer& a) {
             return (q.count > 1 ? QStringLiteral("%1 × ").arg(q.count) : QString()) + (a.device != nullptr ? to_qt(a.device->name) : kDash);
           },
           no_value},
    Figure{"Context", "context", Better::neither,
           [](const Question& q, const DeviceAnswer&) {
             return thousands(q.context) + (q.concurrency > 1 ? QStringLiteral(" × %1").arg(q.concurrency) : QString());
           },
           no_value},
    Figure{"KV format", "KV format", Better::neither,
           [](const Question& q, const DeviceAnswer& a) { return a.answer ? to_qt(tensor_format(a.answer->workload.kv_type_k).name) : q.kv_type; }, no_value},
    Figure{"Verdict", "verdict", Better::neither, [](const Question&, const DeviceAnswer& a) { return a.answer ? word(a.line.verdict) : a.problem; }, no_value},
    Figure{"Weights", "weights", Better::less, bytes_of<Component::weights>, value_of<Component::weights>},
    Figure{"KV cache", "KV cache", Better::less, bytes_of<Component::kv>, value_of<Component::kv>},
    Figure{"Compute", "compute", Better::less, bytes_of<Component::compute>, value_of<Component::compute>},
    Figure{"Overhead", "overhead", Better::less, bytes_of<Component::overhead>, value_of<Component::overhead>},
    Figure{"Needed / usable", "memory", Better::neither,
           [](const Question&, const DeviceAnswer& a) {
             return a.answer ? QStringLiteral("%1 / %2").arg(gib(a.line.needed_bytes), gib(a.line.usable_bytes)) : kDash;
           },
           no_value},
    Figure{"Free", "free", Better::more, [](const Question&, const DeviceAnswer& a) { return gib(a.line.free_bytes); },
           [](const DeviceAnswer& a) { return a.line.free_bytes ? std::optional(static_cast<double>(*a.line.free_bytes)) : std::nullopt; }},
    Figure{"Largest context", "largest context", Better::more,
           [](const Question&, const DeviceAnswer& a) {
             return a.answer && a.answer->fit && a.answer->fit->max_context ? thousands(*a.answer->fit->max_context) : kDash;
           },
           [](const DeviceAnswer& a) {
             return a.answer && a.answer->fit && a.answer->fit->max_context ? positive(static_cast<double>(*a.answer->fit->max_context)) : std::nullopt;
           }},
    Figure{"Decode tok/s", "decode", Better::more,
           [](const Question&, const DeviceAnswer& a) {
             return a.speed() != nullptr
                        ? QStringLiteral("%1  (%2–%3)")
                              .arg(significant(a.speed()->decode_tokens_per_s), significant(a.speed()->decode_low), significant(a.speed()->decode_high))
                        : kDash;
           },
           [](const DeviceAnswer& a) { return a.speed() != nullptr ? positive(a.speed()->decode_tokens_per_s) : std::nullopt; }},
    Figure{"All sequences tok/s", "concurrency", Better::more,
           [](const Question&, const DeviceAnswer& a) { return a.speed() != nullptr ? significant(a.speed()->aggregate_decode_tokens_per_s) : kDash; },
           [](const DeviceAnswer& a) { return a.speed() != nullptr ? positive(a.speed()->aggregate_decode_tokens_per_s) : std::nullopt; }},
    Figure{"Prefill tok/s", "prefill", Better::more,
           [](const Question&, const DeviceAnswer& a) {
             return a.speed() != nullptr && a.speed()->prefill_tokens_per_s > 0 ? significant(a.speed()->prefill_tokens_per_s) : kDash;
           },
           [](const DeviceAnswer& a) { return a.speed() != nullptr ? positive(a.speed()->prefill_tokens_per_s) : std::nullopt; }},
    Figure{"TTFT", "TTFT", Better::less,
           [](const Question&, const DeviceAnswer& a) {
             return a.speed() != nullptr && a.speed()->time_to_first_token_s > 0 ? seconds(a.speed()->time_to_first_token_s) : kDash;
           },
           [](const DeviceAnswer& a) { return a.speed() != nullptr ? positive(a.speed()->time_to_first_token_s) : std::nullopt; }},
    Figure{"Price", "price", Better::less, [](const Question&, const DeviceAnswer& a) { return dollars(a.line.price_usd); },
           [](const DeviceAnswer& a) { return a.line.price_usd; }},
    Figure{"tok/s per $", "tok/s per dollar", Better::more, [](const Question&, const DeviceAnswer& a) { return number(a.line.decode_per_dollar); },
           [](const DeviceAnswer& a) { return a.line.decode_per_dollar; }},
    Figure{"Watts", "watts", Better::less, [](const Question&, const DeviceAnswer& a) { return number(a.line.power_w); },
           [](const DeviceAnswer& a) { return a.line.power_w; }},
    Figure{"Joules per token", "watts", Better::less, [](const Question&, const DeviceAnswer& a) { return number(a.line.joules_per_token); },
           [](const DeviceAnswer& a) { return a.line.joules_per_token; }},
};

}  // namespace

void CompareModel::set_questions(const std::vector<Question>& questions) {
  beginResetModel();
  questions_ = questions;
  if (questions_.size() > kMost) questions_.resize(kMost);
  answers_.assign(questions_.size(), DeviceAnswer{});
  endResetModel();
}

void CompareModel::set_answers(const std::vector<DeviceAnswer>& answers) {
  if (answers.size() != questions_.size()) return;
  answers_ = answers;
  if (!answers_.empty()) emit dataChanged(index(0, 0), index(rowCount() - 1, columnCount() - 1));
}

int CompareModel::rowCount(const QModelIndex& parent) const { return parent.isValid() ? 0 : static_cast<int>(kFigures.size()); }

int CompareModel::columnCount(const QModelIndex& parent) const { return parent.isValid() ? 0 : static_cast<int>(questions_.size()) + 1; }

bool CompareModel::is_best(int row, int column) const {
  const auto& figure = kFigures[static_cast<std::size_t>(row)];
  const auto own = figure.value(answers_[static_cast<std::size_t>(column)]);
  if (figure.better == Better::neither || !own || answers_.size() < 2) return false;
  bool differs = false;
  for (const auto& a : answers_) {
    const auto other = figure.value(a);
    if (!other) continue;
    if (figure.better == Better::more ? *other > *own : *other < *own) return false;
    differs = differs || *other != *own;
  }
  return differs;
}

QVariant CompareModel::data(const QModelIndex& index, int role) const {
  if (!index.isValid()) return {};
  const auto& figure = kFigures[static_cast<std::size_t>(index.row())];
  if (role == Qt::TextAlignmentRole) return static_cast<int>(Qt::AlignVCenter | (index.column() == 0 ? Qt::AlignLeft : Qt::AlignRight));
  if (role == Qt::ToolTipRole) return meaning_of(figure.term);
  if (index.column() == 0) return role == Qt::DisplayRole ? QVariant(QString::fromLatin1(figure.title)) : QVariant();
  const int column = index.column() - 1;
  const auto& answer = answers_[static_cast<std::size_t>(column)];
  if (role == Qt::DisplayRole)
    return figure.shown(questions_[static_cast<std::size_t>(column)], answer) + (is_best(index.row(), column) ? QStringLiteral(" ★") : QString());
  if (role == kBestRole) return is_best(index.row(), column);
  if (role == kVerdictRole && figure.term == "verdict" && answer.answer) return static_cast<int>(answer.line.verdict);
  return {};
}

QVariant CompareModel::headerData(int section, Qt::Orientation orientation, int role) const {
  if (orientation != Qt::Horizontal || role != Qt::DisplayRole || section >= columnCount()) return {};
  return section == 0 ? QVariant(QString()) : QVariant(QStringLiteral("Configuration %1").arg(section));
}

std::vector<Question> engines_side_by_side(const Question& question, const Facts& facts) {
  static const QStringList kFirst = {QStringLiteral("llama.cpp"), QStringLiteral("vllm"),   QStringLiteral("mlx"),
                                     QStringLiteral("exllamav3"), QStringLiteral("sglang"), QStringLiteral("transformers")};
  std::vector<Question> out;
  const auto* device = question.devices.isEmpty() ? nullptr : facts->find_device(question.devices.front().toStdString());
  if (device == nullptr) return out;
  const std::string vendor_backend = device->vendor == "Apple"         ? "metal"
                                     : device->vendor == "AMD"         ? "rocm"
                                     : device->vendor == "Intel"       ? "sycl"
                                     : device->kind == DeviceKind::cpu ? "cpu"
                                                                       : "cuda";
  for (const auto& id : kFirst) {
    const auto engines = facts->engines();
    const auto engine = std::find_if(engines.begin(), engines.end(), [&](const Engine* e) { return to_qt(e->id) == id; });
    if (engine == engines.end() || out.size() == CompareModel::kMost) continue;
    if (std::find((*engine)->backends.begin(), (*engine)->backends.end(), vendor_backend) == (*engine)->backends.end()) continue;
    Question q = question;
    q.engine = id;
    q.backend.clear();
    q.kv_type.clear();
    put_right(q, facts);
    out.push_back(q);
  }
  return out;
}

}  // namespace planner::gui
