// What the user asks: one value that all views share, so that nothing is typed twice.
#pragma once

#include <QString>
#include <QStringList>
#include <QVariantMap>

#include "planner/estimate.h"

namespace planner::gui {

struct Question {
  QString model = QStringLiteral("deepseek-r1-distill-qwen-1.5b");  ///< catalog id, or the path of a .gguf, a config.json or a folder with one
  QString quantization = QStringLiteral("Q4_K_M");                  ///< empty: the file's own
  qint64 context = 8192;
  QString kv_type;  ///< empty: the engine's default
  QString engine = QStringLiteral("llama.cpp");
  QString backend;  ///< empty: the vendor's own
  qint64 concurrency = 1;
  qint64 prompt = 512;
  QStringList devices = {QStringLiteral("rtx-4090")};  ///< ids of the devices selected, the current one first
  qint64 count = 1;                                    ///< "several of these"

  [[nodiscard]] bool model_is_file() const;
  bool operator==(const Question&) const = default;
};

/// The library's form of the question for one device (or several of it). Without `device`: for none, which has no limit.
[[nodiscard]] EstimateRequest request_for(const Question& question, const QString& device);
/// The same for all selected devices together in one machine.
[[nodiscard]] EstimateRequest request_for_all_together(const Question& question);

/// For QSettings. What is missing or of the wrong kind keeps its default.
[[nodiscard]] QVariantMap to_map(const Question& question);
[[nodiscard]] Question question_from(const QVariantMap& map);

}  // namespace planner::gui
