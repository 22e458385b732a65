#include "logic/report.h"

#include <QAbstractItemModel>

#include "logic/explanation.h"
#include "logic/table_export.h"
#include "logic/words.h"
#include "planner/commands.h"

namespace planner::gui {
namespace {

QString heading(const QString& text) { return QStringLiteral("<h2>%1</h2>").arg(text.toHtmlEscaped()); }

QString memory_table(const Estimate& a) {
  QString html = QStringLiteral(
      "<table border='1' cellspacing='0' cellpadding='3'><tr><th>Device</th><th>Weights</th><th>KV "
      "cache</th><th>State</th><th>Compute</th><th>Output</th><th>Overhead</th><th>Total</th><th>Usable</th></tr>");
  for (const auto& d : a.memory->devices) {
    html += QStringLiteral("<tr><td>%1</td>").arg(to_qt(d.name).toHtmlEscaped());
    for (const auto c : {Component::weights, Component::kv, Component::recurrent_state, Component::compute, Component::output, Component::overhead})
      html += QStringLiteral("<td align='right'>%1</td>").arg(gib(d.bytes(c)));
    html += QStringLiteral("<td align='right'>%1</td><td align='right'>%2</td></tr>").arg(gib(d.total_bytes()), gib(d.usable_bytes));
  }
  return html + QStringLiteral("</table>");
}

}  // namespace

QString report_html(const Session& session, const QAbstractItemModel& table) {
  const auto& q = session.question();
  QString html = QStringLiteral("<!DOCTYPE html><html><head><meta charset='utf-8'><title>Planner: %1</title></head><body style='font-family:sans-serif'>")
                     .arg(session.model_name().toHtmlEscaped());
  html += QStringLiteral("<h1>%1, %2, context %3</h1>").arg(session.model_name().toHtmlEscaped(), q.quantization.toHtmlEscaped(), thousands(q.context));
  for (const auto& detail : session.details()) {
    html += heading((q.count > 1 ? QStringLiteral("%1 × ").arg(q.count) : QString()) + to_qt(detail.device->name));
    if (!detail.answer) {
      html += QStringLiteral("<p>%1</p>").arg(detail.problem.toHtmlEscaped());
      continue;
    }
    if (detail.answer->memory) html += memory_table(*detail.answer);
    html += explanation_html(detail, Topic::verdict) + explanation_html(detail, Topic::decode);
    const auto request = request_for(q, to_qt(detail.device->id));
    html += QStringLiteral("<pre>%1\n%2</pre>")
                .arg(to_qt(planner_command(request)).toHtmlEscaped(), to_qt(engine_command(request, *detail.answer, *session.facts())).toHtmlEscaped());
  }
  constexpr int kMostRows = 40;
  html += heading(QStringLiteral("Devices")) + table_html(table, kMostRows);
  return html + QStringLiteral("</body></html>");
}

}  // namespace planner::gui
