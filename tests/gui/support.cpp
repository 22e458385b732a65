#include "gui/support.h"

#include <doctest/doctest.h>

#include <QProcess>
#include <QTest>

#include "app/screenshot.h"

namespace planner::gui::test {
namespace {

constexpr int kPatience = 300;

}  // namespace

Shown::Shown(const Facts& facts) : facts_(facts) { reopen(); }

void Shown::reopen() {
  if (window_) window_->close();
  window_.reset();
  settings_ = std::make_unique<QSettings>(folder_.filePath(QStringLiteral("settings.ini")), QSettings::IniFormat);
  window_ = std::make_unique<MainWindow>(facts_, *settings_);
  window_->resize(1400, 900);
  window_->show();
  window_->activateWindow();
  REQUIRE(QTest::qWaitForWindowExposed(window_.get()));
  wait();
}

void Shown::wait() { REQUIRE(wait_for_answers(*window_, kPatience)); }

void type(QWidget* widget, const QString& text) { QTest::keyClicks(widget, text); }

std::string output_of(const QString& program, const QStringList& arguments) {
  QProcess process;
  process.start(program, arguments);
  REQUIRE(process.waitForFinished(kPatience * 1000));
  REQUIRE(process.exitCode() == 0);
  return process.readAllStandardOutput().toStdString();
}

}  // namespace planner::gui::test
