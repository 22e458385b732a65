// Every view as a picture, without a screen: for the documentation and the tests.
#pragma once

#include <QSize>
#include <QString>
#include <QStringList>

namespace planner::gui {

class MainWindow;

/// Waits until the window shows the answers to its question. False: not within `seconds`.
bool wait_for_answers(MainWindow& window, int seconds);

/// Writes DIR/NAME.png for every view, in `size` (device-independent pixels; the scale is the application's). Returns what went wrong; empty: nothing.
[[nodiscard]] QString write_screenshots(MainWindow& window, const QString& folder, const QSize& size);

}  // namespace planner::gui
