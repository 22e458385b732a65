#include "logic/session.h"

#include <QFileInfo>
#include <algorithm>
#include <cmath>

#include "logic/words.h"
#include "planner/error.h"
#include "planner/listing.h"

namespace planner::gui {
namespace {

constexpr qint64 kUsualContextLimit = 131072;
constexpr qsizetype kRecentModels = 8, kMostSelected = 4;

const QString kModelChannel = QStringLiteral("model"), kDetails = QStringLiteral("details"), kTable = QStringLiteral("devices"),
              kCurves = QStringLiteral("curves");

/// Of the engine's quantizations the one with the bits nearest to those of `name`; a file keeps its own.
QString nearest_quantization(const Catalog& catalog, const Engine& engine, const QString& name) {
  std::unique_ptr<Quantization> made;
  std::optional<double> bits;
  try {
    bits = base_bits_per_weight(catalog.resolve_quantization(name.toStdString(), made));
  } catch (const Error&) {
    // an unknown name: the usual size
  }
  constexpr double kUsualBits = 4.5;
  QString best;
  double least = 1e9;
  for (const auto& q : catalog.quantizations_of(engine)) {
    const auto own = base_bits_per_weight(*q);
    const double distance = own && !q->native_only ? std::abs(*own - bits.value_or(kUsualBits)) : 1e6;
    if (distance < least) least = distance, best = to_qt(q->name);
  }
  return best;
}

}  // namespace

Session::Session(const Facts& facts, QObject* parent) : QObject(parent), facts_(facts), devices_(facts) {
  for (auto* estimator : {&quick_, &slow_}) {
    connect(estimator, &Estimator::failed, this, [this](const QString&, const QString& text) { emit message(text); });
  }
}

const Engine& Session::engine() const { return facts_->resolve_engine(question_.engine.toStdString()); }

qint64 Session::context_limit() const {
  if (question_.model_is_file()) return file_context_.value_or(kUsualContextLimit);
  const auto* entry = facts_->find_model(question_.model.toStdString());
  return entry != nullptr ? entry->context.value_or(kUsualContextLimit) : kUsualContextLimit;
}

QString Session::model_name() const {
  if (question_.model_is_file()) return file_name_.isEmpty() ? QFileInfo(question_.model).fileName() : file_name_;
  const auto* entry = facts_->find_model(question_.model.toStdString());
  return entry != nullptr ? to_qt(entry->name) : question_.model;
}

QStringList Session::quantizations() const {
  QStringList names;
  std::vector<std::pair<double, QString>> sorted;
  for (const auto& q : facts_->quantizations_of(engine())) sorted.emplace_back(base_bits_per_weight(*q).value_or(0), to_qt(q->name));
  std::stable_sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  for (const auto& [bits, name] : sorted) names << name;
  return names;
}

void put_right(Question& q, const Facts& facts) {
  const Engine* engine = nullptr;
  try {
    engine = &facts->resolve_engine(q.engine.toStdString());
  } catch (const Error&) {
    q.engine = Question{}.engine;
    engine = &facts->resolve_engine(q.engine.toStdString());
  }
  const bool brings_its_own = q.model.endsWith(u".gguf", Qt::CaseInsensitive);
  if (!brings_its_own || !q.quantization.isEmpty()) {
    const auto loads = facts->quantizations_of(*engine);
    const auto name = q.quantization.toStdString();
    if (std::none_of(loads.begin(), loads.end(), [&](const auto& l) { return l->name == name; }))
      q.quantization = nearest_quantization(*facts, *engine, q.quantization);
  }
  if (!q.kv_type.isEmpty() && std::find(engine->kv_types.begin(), engine->kv_types.end(), q.kv_type.toStdString()) == engine->kv_types.end()) q.kv_type.clear();
  if (!q.backend.isEmpty() && std::find(engine->backends.begin(), engine->backends.end(), q.backend.toStdString()) == engine->backends.end()) q.backend.clear();
  if (!q.model_is_file()) {
    if (const auto* entry = facts->find_model(q.model.toStdString()); entry != nullptr && entry->context)
      q.context = std::min<qint64>(q.context, *entry->context);
  }
  q.context = std::max<qint64>(q.context, 1);
  q.prompt = std::clamp<qint64>(q.prompt, 1, q.context);
  QStringList known;
  for (const auto& id : q.devices) {
    if (facts->find_device(id.toStdString()) != nullptr && known.size() < kMostSelected) known << id;
  }
  q.devices = known;
}

void Session::ask(const std::function<void(Question&)>& change) {
  Question next = question_;
  change(next);
  put_right(next, facts_);
  if (next == question_ && summary_) return;
  question_ = next;
  emit question_changed();
  work();
}

void Session::open_model(const QString& name_or_path) {
  QString typed = name_or_path.trimmed();
  if (QFileInfo(typed).isDir()) typed += QStringLiteral("/config.json");
  Question probe = question_;
  probe.model = typed;
  const auto adopt = [this](const QString& model) {
    ask([&](Question& q) {
      q.model = model;
      if (model.endsWith(u".gguf", Qt::CaseInsensitive))
        q.quantization.clear();
      else if (q.quantization.isEmpty())
        q.quantization = Question{}.quantization;
    });
    recent_.removeAll(model);
    recent_.prepend(model);
    while (recent_.size() > kRecentModels) recent_.removeLast();
    emit message({});
    emit question_changed();
  };
  if (!probe.model_is_file()) {
    try {
      const auto& entry = facts_->resolve_model(typed.toStdString());
      (void)entry.model();  // throws where the geometry is not known
      adopt(to_qt(entry.id));
    } catch (const Error& e) {
      emit message(QString::fromUtf8(e.what()));
    }
    return;
  }
  quick_.submit(kModelChannel, [this, facts = facts_, probe, adopt, typed](const Task&) mutable -> std::function<void()> {
    probe.quantization = typed.endsWith(u".gguf", Qt::CaseInsensitive) ? QString() : Question{}.quantization;
    auto request = request_for(probe, QStringLiteral("cpu"));
    request.context.reset();
    request.kv_type_k.clear();
    request.kv_type_v.clear();
    request.engine = Question{}.engine.toStdString();
    const auto answer = estimate(request, *facts);
    return [this, adopt, typed, name = to_qt(answer.model.name), limit = answer.model.context_max] {
      file_context_ = limit;
      file_name_ = name;
      adopt(typed);
    };
  });
}

void Session::set_facts(const Facts& facts) {
  facts_ = facts;
  devices_.set_facts(facts);
  details_.clear();
  curves_.clear();
  summary_.reset();
  put_right(question_, facts_);
  emit question_changed();
  work();
}

void Session::work() {
  std::vector<const Device*> selected;
  for (const auto& id : question_.devices) selected.push_back(facts_->find_device(id.toStdString()));
  if (!selected.empty()) {
    quick_.submit(kDetails, [this, facts = facts_, question = question_, selected](const Task& task) -> std::function<void()> {
      std::vector<DeviceAnswer> details;
      for (const auto* device : selected) {
        if (!task.cancelled()) details.push_back(gui::ask(question, *device, facts, Detail::full));
      }
      return [this, details = std::move(details)] {
        details_ = details;
        if (!details_.empty() && details_.front().answer) {
          summary_ = details_.front().answer;
          emit message({});
        } else if (!details_.empty()) {
          emit message(details_.front().problem);
        }
        emit details_changed();
      };
    });
  }
  quick_.submit(kTable, [this, facts = facts_, question = question_](const Task& task) -> std::function<void()> {
    auto answers = ask_all(question, facts, task);
    return [this, answers, question] {
      devices_.set_answers(answers);
      answered_ = question;
      if (question_.devices.isEmpty() && !answers->empty()) summary_ = answers->front().answer;
      emit answers_changed();
    };
  });
  if (!selected.empty()) {
    quick_.submit(kCurves, [this, facts = facts_, question = question_, selected, limit = context_limit()](const Task& task) -> std::function<void()> {
      std::vector<Curve> curves;
      for (const auto* device : selected) curves.push_back(curve_over_context(question, *device, limit, facts, task));
      return [this, curves = std::move(curves)] {
        curves_ = curves;
        emit curves_changed();
      };
    });
  }
}

void Session::save(QSettings& settings) const {
  settings.setValue(QStringLiteral("question"), to_map(question_));
  settings.setValue(QStringLiteral("recent"), recent_);
}

void Session::restore(QSettings& settings) {
  recent_ = settings.value(QStringLiteral("recent")).toStringList().mid(0, kRecentModels);
  Question q = question_from(settings.value(QStringLiteral("question")).toMap());
  const QString model = q.model;
  if (q.model_is_file()) q.model = Question{}.model;  // read again below
  if (!q.model_is_file() && facts_->find_model(q.model.toStdString()) == nullptr) q.model = Question{}.model;
  ask([&](Question& now) { now = q; });
  if (model != q.model) open_model(model);
}

}  // namespace planner::gui
