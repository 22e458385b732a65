// The whole plan as one page that can be kept or sent.
#pragma once

#include <QString>

#include "logic/device_answers.h"
#include "logic/session.h"

namespace planner::gui {

/// HTML on its own (no other files): the question, the answer for each selected device, why, the commands, the best devices of the table.
[[nodiscard]] QString report_html(const Session& session, const QAbstractItemModel& table);

}  // namespace planner::gui
