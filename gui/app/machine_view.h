// This machine: a machine file (cards in slots, host memory) asked the question above, and how to write one.
#pragma once

#include <QSettings>
#include <QWidget>

#include "logic/device_answers.h"
#include "logic/session.h"

class QLabel;
class QTextBrowser;

namespace planner::gui {

class ExplanationPanel;
class MemoryBars;

class MachineView : public QWidget {
  Q_OBJECT

 public:
  explicit MachineView(Session& session, QWidget* parent = nullptr);

  /// Takes a machine file; what is wrong with it is shown here.
  void open(const QString& path);
  void save(QSettings& settings) const;
  void restore(QSettings& settings);

 protected:
  void showEvent(QShowEvent* event) override;

 private:
  void work();
  void write_file();

  Session& session_;
  QString path_;
  QLabel* answer_;
  MemoryBars* bars_;
  ExplanationPanel* why_;
  QTextBrowser* help_;
};

}  // namespace planner::gui
