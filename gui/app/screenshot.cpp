#include "app/screenshot.h"

#include <QCoreApplication>
#include <QDir>
#include <QElapsedTimer>
#include <QEventLoop>
#include <QPixmap>

#include "app/main_window.h"

namespace planner::gui {

bool wait_for_answers(MainWindow& window, int seconds) {
  QElapsedTimer timer;
  timer.start();
  int quiet = 0;
  while (timer.elapsed() < 1000LL * seconds) {
    QCoreApplication::processEvents(QEventLoop::AllEvents, 20);
    constexpr int kSettled = 3;  // what an answer sets off is seen in the next rounds
    quiet = window.session().idle() ? quiet + 1 : 0;
    if (quiet >= kSettled) return true;
  }
  return false;
}

QString write_screenshots(MainWindow& window, const QString& folder, const QSize& size) {
  if (!QDir().mkpath(folder)) return QStringLiteral("%1 cannot be made").arg(folder);
  constexpr int kPatience = 600;
  window.resize(size);
  window.show();
  for (int i = 0; i < window.view_count(); ++i) {
    window.show_view(i);
    if (!wait_for_answers(window, kPatience)) return QStringLiteral("%1: no answer within %2 s").arg(window.view_name(i)).arg(kPatience);
    const QString path = QDir(folder).filePath(window.view_name(i) + QStringLiteral(".png"));
    if (!window.grab().save(path)) return QStringLiteral("%1 cannot be written").arg(path);
  }
  return {};
}

}  // namespace planner::gui
