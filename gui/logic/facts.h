// The facts that the window works with: the built-in catalog with the user's own files over it. A broken file is a message, never an end.
#pragma once

#include <QString>
#include <QStringList>
#include <memory>

#include "planner/catalog.h"

namespace planner::gui {

/// Cheap to copy; keeps the catalog alive for work in other threads.
struct Facts {
  std::shared_ptr<const Catalog> catalog;
  QString problem;  ///< why the user's files are not used; empty: they are, or there are none

  [[nodiscard]] const Catalog& operator*() const { return *catalog; }
  [[nodiscard]] const Catalog* operator->() const { return catalog.get(); }
};

/// The built-in facts alone.
[[nodiscard]] Facts builtin_facts();
/// With $XDG_CONFIG_HOME/planner (~/.config/planner) and `folders` over them. Falls back to the built-in facts where a file is broken.
[[nodiscard]] Facts load_facts(const QStringList& folders = {});

}  // namespace planner::gui
