#include "logic/model_page.h"

#include <map>

#include "logic/explanation.h"
#include "logic/words.h"
#include "planner/listing.h"

namespace planner::gui {
namespace {

QString escaped(std::string_view text) { return to_qt(text).toHtmlEscaped(); }

/// Rows of two columns; empty values leave no row.
class Sheet {
 public:
  void add(const char* left, const QString& right) {
    if (!right.isEmpty()) rows_ += QStringLiteral("<tr><td><i>%1</i>&nbsp;&nbsp;&nbsp;</td><td>%2</td></tr>").arg(QString::fromLatin1(left), right);
  }
  [[nodiscard]] QString html() const { return QStringLiteral("<table cellpadding='2'>%1</table>").arg(rows_); }

 private:
  QString rows_;
};

QString joined(const std::vector<std::string>& words) {
  QStringList list;
  for (const auto& w : words) list << escaped(w);
  return list.join(QStringLiteral(", "));
}

QString overview(const ModelEntry& e, const ModelSummary& m) {
  Sheet s;
  s.add("Publisher", escaped(e.publisher));
  s.add("Family", escaped(e.family));
  s.add("Based on", escaped(e.base_model));
  s.add("Hugging Face", e.hf_id.empty() ? QString() : source_html("https://huggingface.co/" + e.hf_id));
  s.add("Licence", escaped(e.license));
  s.add("Released", escaped(e.release_date));
  s.add("Knowledge until", escaped(e.knowledge_cutoff));
  s.add("Modality", joined(e.modality));
  s.add("Good for", joined(e.recommended_use));
  QString counts = parameters(m.parameters.total);
  if (m.parameters.active != m.parameters.total) counts += QStringLiteral(", of which %1 active per token").arg(parameters(m.parameters.active));
  s.add("Parameters", counts);
  s.add("Context", e.context ? thousands(*e.context) + QStringLiteral(" tokens") : QString());
  return s.html();
}

QString architecture(const ModelEntry& e, const Model& model) {
  const auto& hp = model.hyperparameters;
  Sheet s;
  s.add("Architecture", escaped(hp.architecture));
  s.add("Layers", QString::number(hp.n_layers));
  s.add("Hidden size", thousands(hp.hidden_size));
  s.add("Vocabulary", thousands(hp.vocab_size));
  for (const auto& group : layer_groups(model)) {
    QString text = escaped(group.mixers);
    if (!group.feed_forwards.empty()) text += (text.isEmpty() ? QString() : QStringLiteral("; ")) + escaped(group.feed_forwards);
    s.add(group.mtp ? "Prediction layers" : "Layers of a kind", QStringLiteral("%1: %2").arg(escaped(layers_in_words(group, model)), text));
  }
  s.add("Positions", escaped(in_words(position_encoding(e))));
  s.add("Normalization", escaped(normalization_of(model)));
  s.add("Activation", escaped(activation_of(model)));
  return s.html();
}

QString cache(const Model& model) {
  const auto c = cache_summary(model);
  Sheet s;
  s.add("KV cache per token", c.bytes_per_token > 0 ? QStringLiteral("%1 bytes in F16").arg(thousands(c.bytes_per_token)) : QString());
  if (c.bytes_per_token_beyond_windows != c.bytes_per_token)
    s.add("Beyond the windows", QStringLiteral("%1 bytes").arg(thousands(c.bytes_per_token_beyond_windows)));
  s.add("Recurrent state", c.recurrent_state_bytes > 0 ? gib(c.recurrent_state_bytes) : QString());
  for (const auto& at : c.at) {
    if (at.bytes > 0) s.add("Cache of one sequence", QStringLiteral("%1 at %2 tokens").arg(gib(at.bytes), tokens(at.tokens)));
  }
  return s.html();
}

QString tiers(const Estimate& ranking) {
  static const std::map<std::string, QString> kTitles = {{"comfortable", QStringLiteral("Comfortably (a third to spare)")},
                                                         {"fits", QStringLiteral("It fits")},
                                                         {"tight", QStringLiteral("Tight")},
                                                         {"offload", QStringLiteral("With a part in host memory")}};
  constexpr int kPerTier = 14;
  std::map<std::string, QStringList> names;
  std::map<std::string, int> counts;
  for (const auto& row : ranking.devices_ranked) {
    if (++counts[row.tier] <= kPerTier) names[row.tier] << escaped(row.name);
  }
  QString html;
  for (const auto* tier : {"comfortable", "fits", "tight", "offload"}) {
    if (counts[tier] == 0) continue;
    html += QStringLiteral("<p><b>%1</b>: %2%3</p>")
                .arg(kTitles.at(tier), names[tier].join(QStringLiteral(", ")),
                     counts[tier] > kPerTier ? QStringLiteral(" and %1 more").arg(counts[tier] - kPerTier) : QString());
  }
  return html.isEmpty() ? QStringLiteral("<p>No device of the catalog holds it alone.</p>") : html;
}

QString evaluations(const ModelEntry& e) {
  QString html = QStringLiteral("<table cellpadding='2'>");
  for (const auto& v : e.evaluations)
    html += QStringLiteral("<tr><td>%1&nbsp;&nbsp;</td><td align='right'>%2&nbsp;&nbsp;</td><td>%3</td></tr>")
                .arg(escaped(v.benchmark), significant(v.score), source_html(v.source));
  return html + QStringLiteral("</table>");
}

QString heading(const char* text) { return QStringLiteral("<h3>%1</h3>").arg(QString::fromLatin1(text)); }

}  // namespace

QString model_page_html(const ModelEntry* entry, const ModelSummary& summary, const Estimate* ranking, const Facts&) {
  QString html = QStringLiteral("<h2>%1</h2>").arg(escaped(summary.name));
  if (entry != nullptr) {
    html += overview(*entry, summary);
    if (!entry->note.empty()) html += QStringLiteral("<p>%1</p>").arg(escaped(entry->note));
    if (const auto* model = entry->find_model())
      html += heading("Architecture") + architecture(*entry, *model) + heading("Memory beside the weights") + cache(*model);
  } else {
    Sheet s;
    s.add("Architecture", escaped(summary.architecture));
    s.add("Parameters", parameters(summary.parameters.total));
    s.add("Layers", QString::number(summary.layers));
    s.add("Context", summary.context_max ? thousands(*summary.context_max) + QStringLiteral(" tokens") : QString());
    html += s.html();
  }
  if (ranking != nullptr) {
    html += heading("Which devices run it") + tiers(*ranking);
  }
  if (entry != nullptr && !entry->evaluations.empty()) html += heading("Evaluations") + evaluations(*entry);
  if (entry != nullptr) {
    html += heading("Where the facts come from");
    for (const auto& s : entry->sources)
      html += QStringLiteral("<p>%1%2</p>").arg(source_html(s.url), s.what.empty() ? QString() : QStringLiteral(" (%1)").arg(escaped(s.what)));
  }
  return html;
}

}  // namespace planner::gui
