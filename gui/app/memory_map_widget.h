// Layers as blocks on devices. A block is taken with the mouse to another device, or with Shift and the arrow keys.
#pragma once

#include <QWidget>
#include <optional>
#include <vector>

#include "planner/memory_map.h"

namespace planner::gui {

class MemoryMapWidget : public QWidget {
  Q_OBJECT

 public:
  explicit MemoryMapWidget(QWidget* parent = nullptr);

  void set_map(const MemoryMap& map);
  void clear();
  /// A layer or its experts, as selected.
  struct Block {
    std::size_t layer = 0;
    bool experts = false;
    bool operator==(const Block&) const = default;
  };
  [[nodiscard]] std::optional<Block> selected() const { return selected_; }
  void select(const Block& block);
  /// Where a block is drawn; nothing: it is not.
  [[nodiscard]] QRect rect_of(const Block& block) const;
  /// The lane of a device (kHost: the host).
  [[nodiscard]] QRect lane_of(int device) const;

  [[nodiscard]] QSize sizeHint() const override;
  [[nodiscard]] bool hasHeightForWidth() const override { return true; }
  [[nodiscard]] int heightForWidth(int width) const override;

 signals:
  void moved(std::size_t layer, bool experts, int device);
  void selection_changed();

 protected:
  void paintEvent(QPaintEvent* event) override;
  void resizeEvent(QResizeEvent* event) override;
  void keyPressEvent(QKeyEvent* event) override;
  void mousePressEvent(QMouseEvent* event) override;
  void mouseMoveEvent(QMouseEvent* event) override;
  void mouseReleaseEvent(QMouseEvent* event) override;
  bool event(QEvent* event) override;

 private:
  struct Drawn {
    Block block;
    QRect rect;
  };
  struct Lane {
    int device = -1;
    QRect rect;
  };
  /// Places lanes and blocks for a width; returns the height.
  int arrange(int width);
  [[nodiscard]] const Drawn* at(const QPoint& point) const;
  [[nodiscard]] int device_of(const Block& block) const;
  [[nodiscard]] const DeviceMemory* memory_of(int device) const;
  [[nodiscard]] QString words_of(const Block& block) const;
  void move_selected(int step);

  std::optional<MemoryMap> map_;
  std::vector<Drawn> blocks_;
  std::vector<Lane> lanes_;
  std::optional<Block> selected_, dragged_;
  QPoint pressed_, dragged_to_;
};

}  // namespace planner::gui
