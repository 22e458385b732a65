// Why a number is what it is: rich text whose sources are links.
#pragma once

#include <QTextBrowser>

#include "logic/explanation.h"

namespace planner::gui {

class ExplanationPanel : public QTextBrowser {
  Q_OBJECT

 public:
  explicit ExplanationPanel(QWidget* parent = nullptr);

  void explain(const DeviceAnswer& answer, Topic topic);
};

}  // namespace planner::gui
