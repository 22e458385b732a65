#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include <QApplication>
#include <QStandardPaths>

#include "app/theme.h"

int main(int argc, char** argv) {
  QStandardPaths::setTestModeEnabled(true);  // nobody's own settings
  QApplication app(argc, argv);
  QCoreApplication::setOrganizationName(QStringLiteral("planner"));
  QCoreApplication::setApplicationName(QStringLiteral("planner-gui-tests"));
  planner::gui::apply_theme(planner::gui::ThemeName::light);
  return doctest::Context(argc, argv).run();
}
