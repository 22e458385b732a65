// Why a number is what it is, as rich text: the terms that make it, their formulas, ranges and sources as links.
#pragma once

#include <QString>

#include "logic/device_answers.h"

namespace planner::gui {

enum class Topic { verdict, memory, decode, prefill, ttft, device };
/// Rich text for a detail panel. `answer` should be a full one (Detail::full); links go to the sources.
[[nodiscard]] QString explanation_html(const DeviceAnswer& answer, Topic topic);
/// "https://..." as a link that shows its host; other text as it is.
[[nodiscard]] QString source_html(const std::string& source);

}  // namespace planner::gui
