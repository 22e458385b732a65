#include "app/theme.h"

#include <QApplication>
#include <QStyleFactory>
#include <array>

namespace planner::gui {
namespace {

struct Pair {
  const char* light;
  const char* dark;
};
constexpr std::array<Pair, 4> kVerdicts = {{{"#1a7f37", "#4cc764"}, {"#8a6100", "#e0b23c"}, {"#b45309", "#f59a4c"}, {"#c2222f", "#ff7b72"}}};
// weights, kv, recurrent state, compute, output, overhead
constexpr std::array<Pair, 6> kComponents = {
    {{"#2f6fd0", "#5b9bf3"}, {"#0f8f83", "#38c2b3"}, {"#7a8f1f", "#b5cc4f"}, {"#8a4fc7", "#b98af0"}, {"#b0417f", "#ec85bd"}, {"#7b8490", "#98a2af"}}};
constexpr std::array<Pair, 4> kSeries = {{{"#2f6fd0", "#5b9bf3"}, {"#c25a00", "#ffa657"}, {"#0f8f83", "#38c2b3"}, {"#8a4fc7", "#b98af0"}}};

QColor of(const Pair& pair, const QPalette& palette) { return QColor(QString::fromLatin1(is_dark(palette) ? pair.dark : pair.light)); }

QPalette light_palette() {
  QPalette p;
  const auto set = [&](QPalette::ColorRole role, const char* colour) { p.setColor(role, QColor(QString::fromLatin1(colour))); };
  set(QPalette::Window, "#f4f5f7");
  set(QPalette::WindowText, "#1c2128");
  set(QPalette::Base, "#ffffff");
  set(QPalette::AlternateBase, "#f8f9fb");
  set(QPalette::Text, "#1c2128");
  set(QPalette::Button, "#ffffff");
  set(QPalette::ButtonText, "#1c2128");
  set(QPalette::BrightText, "#ffffff");
  set(QPalette::Highlight, "#2f6fd0");
  set(QPalette::HighlightedText, "#ffffff");
  set(QPalette::Link, "#1f5fbf");
  set(QPalette::LinkVisited, "#1f5fbf");
  set(QPalette::ToolTipBase, "#ffffff");
  set(QPalette::ToolTipText, "#1c2128");
  set(QPalette::PlaceholderText, "#6b7480");
  set(QPalette::Mid, "#c9ced6");
  set(QPalette::Midlight, "#e4e7ec");
  set(QPalette::Dark, "#9aa3af");
  set(QPalette::Light, "#ffffff");
  return p;
}

QPalette dark_palette() {
  QPalette p;
  const auto set = [&](QPalette::ColorRole role, const char* colour) { p.setColor(role, QColor(QString::fromLatin1(colour))); };
  set(QPalette::Window, "#1b1f25");
  set(QPalette::WindowText, "#e6e9ee");
  set(QPalette::Base, "#13161b");
  set(QPalette::AlternateBase, "#181c22");
  set(QPalette::Text, "#e6e9ee");
  set(QPalette::Button, "#262b33");
  set(QPalette::ButtonText, "#e6e9ee");
  set(QPalette::BrightText, "#ffffff");
  set(QPalette::Highlight, "#3d7de0");
  set(QPalette::HighlightedText, "#ffffff");
  set(QPalette::Link, "#7db3ff");
  set(QPalette::LinkVisited, "#7db3ff");
  set(QPalette::ToolTipBase, "#262b33");
  set(QPalette::ToolTipText, "#e6e9ee");
  set(QPalette::PlaceholderText, "#8b95a3");
  set(QPalette::Mid, "#3a414b");
  set(QPalette::Midlight, "#2c323a");
  set(QPalette::Dark, "#0d0f12");
  set(QPalette::Light, "#39404a");
  return p;
}

void fade_disabled(QPalette& p) {
  for (const auto role : {QPalette::WindowText, QPalette::Text, QPalette::ButtonText})
    p.setColor(QPalette::Disabled, role, blended(p.color(role), p.color(QPalette::Window), 0.45));
}

/// The desktop's own palette, kept before another is set.
const QPalette& desktop_palette() {
  static const QPalette kept = QApplication::palette();
  return kept;
}

}  // namespace

ThemeName theme_named(const QString& name) {
  if (name == QStringLiteral("light")) return ThemeName::light;
  return name == QStringLiteral("dark") ? ThemeName::dark : ThemeName::system;
}

QString to_string(ThemeName theme) {
  switch (theme) {
    case ThemeName::light: return QStringLiteral("light");
    case ThemeName::dark: return QStringLiteral("dark");
    case ThemeName::system: break;
  }
  return QStringLiteral("system");
}

void apply_theme(ThemeName theme) {
  const bool dark = theme == ThemeName::dark || (theme == ThemeName::system && is_dark(desktop_palette()));
  QPalette palette = dark ? dark_palette() : light_palette();
  fade_disabled(palette);
  QApplication::setStyle(QStyleFactory::create(QStringLiteral("Fusion")));
  QApplication::setPalette(palette);
}

bool is_dark(const QPalette& palette) { return palette.color(QPalette::Window).lightness() < palette.color(QPalette::WindowText).lightness(); }

QColor verdict_colour(Verdict verdict, const QPalette& palette) { return of(kVerdicts[static_cast<std::size_t>(verdict)], palette); }

QColor component_colour(Component component, const QPalette& palette) { return of(kComponents[static_cast<std::size_t>(component)], palette); }

QColor series_colour(int n, const QPalette& palette) { return of(kSeries[static_cast<std::size_t>(n) % kSeries.size()], palette); }

QColor quiet_text(const QPalette& palette) { return blended(palette.color(QPalette::WindowText), palette.color(QPalette::Window), 0.68); }

QColor blended(const QColor& over, const QColor& under, double share) {
  const auto mix = [share](int a, int b) { return static_cast<int>(share * a + (1 - share) * b + 0.5); };
  return {mix(over.red(), under.red()), mix(over.green(), under.green()), mix(over.blue(), under.blue())};
}

QString component_name(Component component) {
  static const std::array<QString, 6> kNames = {QStringLiteral("weights"), QStringLiteral("KV cache"), QStringLiteral("recurrent state"),
                                                QStringLiteral("compute"), QStringLiteral("output"),   QStringLiteral("overhead")};
  return kNames[static_cast<std::size_t>(component)];
}

}  // namespace planner::gui
