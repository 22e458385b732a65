// The memory map: where each layer lies, and what happens when it lies elsewhere.
#pragma once

#include <QWidget>

#include "logic/session.h"
#include "planner/memory_map.h"

class QLabel;
class QLineEdit;
class QMenu;
class QPushButton;

namespace planner::gui {

class MemoryMapWidget;

class MemoryMapView : public QWidget {
  Q_OBJECT

 public:
  explicit MemoryMapView(Session& session, QWidget* parent = nullptr);

  [[nodiscard]] MemoryMapWidget* blocks() const { return blocks_; }
  /// The map that is shown.
  [[nodiscard]] const std::optional<MemoryMap>& map() const { return map_; }

 protected:
  void showEvent(QShowEvent* event) override;

 private:
  void start();
  void ask(const EstimateRequest& request);
  void show_map();
  void show_selection();
  void move(std::size_t layer, bool experts, int device);

  Session& session_;
  MemoryMapWidget* blocks_;
  QLabel *totals_, *selection_;
  QPushButton *move_, *reset_;
  QMenu* targets_;
  QLineEdit* command_;
  std::optional<MemoryMap> map_, first_;  ///< first_: before anything was moved
  Question shown_;
  bool started_ = false;
};

}  // namespace planner::gui
