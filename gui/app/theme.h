// Colours and measures of the window, light and dark. Colours never stand alone: a word goes with each.
#pragma once

#include <QColor>
#include <QPalette>
#include <QString>

#include "planner/estimate.h"
#include "planner/memory.h"

namespace planner::gui {

enum class ThemeName { system, light, dark };
[[nodiscard]] ThemeName theme_named(const QString& name);
[[nodiscard]] QString to_string(ThemeName theme);

/// Sets the application's style and palette.
void apply_theme(ThemeName theme);
[[nodiscard]] bool is_dark(const QPalette& palette);

[[nodiscard]] QColor verdict_colour(Verdict verdict, const QPalette& palette);
[[nodiscard]] QColor component_colour(Component component, const QPalette& palette);
/// Of the n-th of several lines or configurations.
[[nodiscard]] QColor series_colour(int n, const QPalette& palette);
/// Text that matters less.
[[nodiscard]] QColor quiet_text(const QPalette& palette);
/// `over` laid over `under`; `share` of it, 0 to 1.
[[nodiscard]] QColor blended(const QColor& over, const QColor& under, double share);
/// Name of a part of memory on the screen: "weights", "KV cache" ...
[[nodiscard]] QString component_name(Component component);

}  // namespace planner::gui
