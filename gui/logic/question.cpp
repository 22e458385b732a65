#include "logic/question.h"

#include <QFileInfo>
#include <algorithm>

namespace planner::gui {
namespace {

constexpr qint64 kMostContext = qint64{1} << 31;
constexpr qint64 kMostSequences = 1 << 16;
constexpr qint64 kMostDevices = 1024;

void read(const QVariantMap& map, const char* key, QString& into) {
  const auto found = map.constFind(QString::fromLatin1(key));
  if (found != map.constEnd() && found->canConvert<QString>()) into = found->toString();
}

void read(const QVariantMap& map, const char* key, qint64 low, qint64 high, qint64& into) {
  bool ok = false;
  const qint64 value = map.value(QString::fromLatin1(key)).toLongLong(&ok);
  if (ok && value >= low && value <= high) into = value;
}

}  // namespace

bool Question::model_is_file() const {
  return model.endsWith(u".gguf", Qt::CaseInsensitive) || model.endsWith(u".json") || model.startsWith(u'/') || model.startsWith(u'.');
}

EstimateRequest request_for(const Question& question, const QString& device) {
  EstimateRequest r;
  r.model = question.model.toStdString();
  r.quantization = question.quantization.toStdString();
  if (!device.isEmpty()) r.devices = {device.toStdString()};
  r.device_count = device.isEmpty() ? 1 : question.count;
  r.engine = question.engine.toStdString();
  r.backend = question.backend.toStdString();
  r.context = question.context;
  if (question.prompt != Question{}.prompt) r.prompt = question.prompt;
  if (question.concurrency > 1) r.concurrency = question.concurrency;
  r.kv_type_k = r.kv_type_v = question.kv_type.toStdString();
  r.solve = false;
  return r;
}

EstimateRequest request_for_all_together(const Question& question) {
  auto r = request_for(question, question.devices.isEmpty() ? QString() : question.devices.front());
  if (question.devices.size() < 2) return r;
  // Several of each, one after the other: the library repeats only a single device by itself.
  r.devices.clear();
  r.device_count = 1;
  for (const auto& device : question.devices) r.devices.insert(r.devices.end(), static_cast<std::size_t>(question.count), device.toStdString());
  return r;
}

QVariantMap to_map(const Question& q) {
  return {{QStringLiteral("model"), q.model},
          {QStringLiteral("quantization"), q.quantization},
          {QStringLiteral("context"), q.context},
          {QStringLiteral("kv_type"), q.kv_type},
          {QStringLiteral("engine"), q.engine},
          {QStringLiteral("backend"), q.backend},
          {QStringLiteral("concurrency"), q.concurrency},
          {QStringLiteral("prompt"), q.prompt},
          {QStringLiteral("devices"), q.devices},
          {QStringLiteral("count"), q.count}};
}

Question question_from(const QVariantMap& map) {
  Question q;
  read(map, "model", q.model);
  read(map, "quantization", q.quantization);
  read(map, "kv_type", q.kv_type);
  read(map, "engine", q.engine);
  read(map, "backend", q.backend);
  read(map, "context", 1, kMostContext, q.context);
  read(map, "concurrency", 1, kMostSequences, q.concurrency);
  read(map, "prompt", 1, kMostContext, q.prompt);
  read(map, "count", 1, kMostDevices, q.count);
  const auto devices = map.value(QStringLiteral("devices")).toStringList();
  if (!devices.isEmpty()) q.devices = devices;
  return q;
}

}  // namespace planner::gui
