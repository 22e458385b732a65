// A window under test.
#pragma once

#include <QSettings>
#include <QString>
#include <QTemporaryDir>
#include <memory>
#include <string>

#include "app/main_window.h"

namespace planner::gui::test {

/// A window with settings of its own, shown and answered.
class Shown {
 public:
  explicit Shown(const Facts& facts = builtin_facts());
  /// Waits until the window shows the answers to its question; fails the test when that takes too long.
  void wait();
  MainWindow& operator*() { return *window_; }
  MainWindow* operator->() { return window_.get(); }
  /// Closes the window and opens another with the same settings.
  void reopen();

 private:
  QTemporaryDir folder_;
  Facts facts_;
  std::unique_ptr<QSettings> settings_;
  std::unique_ptr<MainWindow> window_;
};

/// Types into a widget that has the focus.
void type(QWidget* widget, const QString& text);

/// What a program prints on standard output; fails the test when its status is not 0.
std::string output_of(const QString& program, const QStringList& arguments);

}  // namespace planner::gui::test

/// So that failures show the text.
inline std::ostream& operator<<(std::ostream& out, const QString& text) { return out << text.toStdString(); }
