#include "app/explanation_panel.h"

#include <QScrollBar>

namespace planner::gui {

ExplanationPanel::ExplanationPanel(QWidget* parent) : QTextBrowser(parent) {
  setOpenExternalLinks(true);
  setAccessibleName(QStringLiteral("Where the selected number comes from"));
  setFrameShape(QFrame::NoFrame);
  document()->setDocumentMargin(8);
  setMinimumHeight(90);
}

void ExplanationPanel::explain(const DeviceAnswer& answer, Topic topic) {
  const QString html = explanation_html(answer, topic);
  const int at = verticalScrollBar()->value();
  setHtml(html);
  verticalScrollBar()->setValue(at);
}

}  // namespace planner::gui
