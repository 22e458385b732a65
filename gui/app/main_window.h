// The window: the question on top, the views beneath it, a line for messages.
#pragma once

#include <QMainWindow>
#include <QSettings>

#include "app/theme.h"
#include "logic/session.h"

class QFrame;
class QLabel;
class QStackedWidget;
class QTabBar;

namespace planner::gui {

class CompareView;
class DevicesView;
class HeatMapView;
class MachineView;
class MemoryMapView;
class ModelView;
class QuestionBar;
class ServerView;

class MainWindow : public QMainWindow {
  Q_OBJECT

 public:
  /// `settings` may be one that cannot be written: then nothing is kept, and a message says so.
  MainWindow(const Facts& facts, QSettings& settings);

  [[nodiscard]] Session& session() { return session_; }
  [[nodiscard]] QuestionBar* question_bar() const { return question_; }
  [[nodiscard]] DevicesView* devices_view() const { return devices_; }
  [[nodiscard]] HeatMapView* heat_map_view() const { return heat_map_; }
  [[nodiscard]] ModelView* model_view() const { return model_; }
  [[nodiscard]] MemoryMapView* memory_map_view() const { return memory_map_; }
  [[nodiscard]] CompareView* compare_view() const { return compare_; }
  [[nodiscard]] ServerView* server_view() const { return server_; }
  [[nodiscard]] MachineView* machine_view() const { return machine_; }
  [[nodiscard]] int view_count() const;
  /// A word for file names: "devices", "compare" ...
  [[nodiscard]] QString view_name(int n) const;
  void show_view(int n);
  /// Says something, until it is dismissed or something else is said.
  void show_message(const QString& text);
  [[nodiscard]] QString message() const;
  void set_theme(ThemeName theme);
  /// Writes a file by its ending: .html or .pdf the report, .png or .svg the curves. What goes wrong is a message; false: it did.
  bool write_report(const QString& path);
  bool write_plot(const QString& path);

 protected:
  void closeEvent(QCloseEvent* event) override;
  void dragEnterEvent(QDragEnterEvent* event) override;
  void dropEvent(QDropEvent* event) override;

 private:
  void show_messages();
  void add_view(QWidget* view, const QString& name, const QString& title);
  void make_menus();
  void copy_table(int format);
  void copy_cell();
  void show_glossary();
  void save();
  void restore();

  QSettings& settings_;
  Session session_;
  QuestionBar* question_;
  QTabBar* tabs_;
  QStackedWidget* views_;
  QFrame* message_bar_;
  QLabel* message_;
  QString said_;     ///< about the window: stays until it is dismissed
  QString problem_;  ///< of the question: goes with it
  DevicesView* devices_;
  HeatMapView* heat_map_;
  ModelView* model_;
  MemoryMapView* memory_map_;
  CompareView* compare_;
  ServerView* server_;
  MachineView* machine_;
  ThemeName theme_ = ThemeName::system;
};

}  // namespace planner::gui
