#include "logic/facts.h"

#include <QDir>
#include <QStandardPaths>
#include <filesystem>
#include <vector>

#include "planner/error.h"

namespace planner::gui {

Facts builtin_facts() {
  return {std::shared_ptr<const Catalog>(&Catalog::builtin(), [](const Catalog*) {}), {}};
}

Facts load_facts(const QStringList& folders) {
  std::vector<std::filesystem::path> paths;
  const QDir own(QStandardPaths::writableLocation(QStandardPaths::GenericConfigLocation) + QStringLiteral("/planner"));
  if (own.exists()) paths.emplace_back(own.path().toStdString());
  for (const auto& folder : folders) paths.emplace_back(folder.toStdString());
  auto facts = builtin_facts();
  if (paths.empty()) return facts;
  try {
    facts.catalog = Catalog::with_overlays(paths);
  } catch (const Error& e) {
    facts.problem = QStringLiteral("Your own facts are left out: %1").arg(QString::fromUtf8(e.what()));
  }
  return facts;
}

}  // namespace planner::gui
