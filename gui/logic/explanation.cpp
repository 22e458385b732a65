#include "logic/explanation.h"

#include <QUrl>
#include <algorithm>

#include "logic/words.h"
#include "planner/listing.h"

namespace planner::gui {
namespace {

QString escaped(std::string_view text) { return to_qt(text).toHtmlEscaped(); }

QString row(const QString& left, const QString& right) { return QStringLiteral("<tr><td>%1&nbsp;&nbsp;</td><td align='right'>%2</td></tr>").arg(left, right); }

QString basis_words(const std::string& basis) {
  if (basis == "config") return QStringLiteral("exact, from the model's configuration");
  if (basis == "file") return QStringLiteral("read from the file");
  if (basis == "rule") return QStringLiteral("a rule of the engine");
  if (basis == "assumption") return QStringLiteral("a stated assumption");
  if (basis == "fitted") return QStringLiteral("fitted to measurements");
  if (basis == "calibrated") return QStringLiteral("calibrated on this device");
  if (basis == "measured") return QStringLiteral("measured");
  return QStringLiteral("default, no measurements of the class");
}

/// One term: its value in bold, its formula, its range and what it rests on.
QString term_html(const Explanation& e) {
  QString html = QStringLiteral("<p><b>%1</b>%2: <b>%3</b><br>= %4")
                     .arg(escaped(e.term), e.device.empty() ? QString() : QStringLiteral(" on ") + escaped(e.device), quantity(e.value, e.unit).toHtmlEscaped(),
                          escaped(e.formula));
  if (e.low != e.value || e.high != e.value) html += QStringLiteral("<br>between %1 and %2").arg(quantity(e.low, e.unit), quantity(e.high, e.unit));
  html += QStringLiteral("<br><i>%1</i>").arg(basis_words(e.basis));
  if (!e.source.empty()) html += QStringLiteral(": ") + source_html(e.source);
  return html + QStringLiteral("</p>");
}

bool is_time(const Explanation& e) { return e.term.starts_with("time per token"); }
bool is_prefill(const Explanation& e) { return e.term.find("prefill") != std::string::npos || e.term.find("prompt") != std::string::npos; }
bool is_ttft(const Explanation& e) { return e.term.find("first token") != std::string::npos; }

bool belongs(const Explanation& e, Topic topic) {
  switch (topic) {
    case Topic::verdict:
    case Topic::memory: return e.unit == "bytes";
    case Topic::decode: return is_time(e) || e.term == "decode";
    case Topic::prefill: return is_prefill(e);
    case Topic::ttft: return is_ttft(e) || is_prefill(e);
    case Topic::device: return false;
  }
  return false;
}

QString fit_html(const Estimate& a) {
  const auto& fit = *a.fit;
  QString html = QStringLiteral("<p><b>%1</b>").arg(sentence(fit.verdict));
  if (fit.shortfall_bytes > 0)
    html += QStringLiteral(": %1 short on %2; %3 takes most of it").arg(gib(fit.shortfall_bytes), escaped(fit.limiting_device), escaped(fit.limiting_term));
  html += QStringLiteral(".</p>");
  if (!fit.smallest_change.empty()) {
    html += QStringLiteral("<p>Smallest change that makes it fit:<br>");
    for (const auto& c : fit.smallest_change) html += QStringLiteral("&bull; %1: %2 → <b>%3</b><br>").arg(escaped(c.knob), escaped(c.from), escaped(c.to));
    html += QStringLiteral("</p>");
  }
  html += QStringLiteral("<table>");
  if (fit.max_context) html += row(QStringLiteral("Largest context"), *fit.max_context > 0 ? thousands(*fit.max_context) : QStringLiteral("none fits"));
  if (!fit.best_quantization.empty()) html += row(QStringLiteral("Best quantization"), escaped(fit.best_quantization));
  if (fit.max_concurrency && *fit.max_concurrency > 0) html += row(QStringLiteral("Sequences at once"), thousands(*fit.max_concurrency));
  if (fit.min_gpus) html += row(QStringLiteral("Devices needed"), thousands(*fit.min_gpus));
  html += QStringLiteral("</table>");
  if (!fit.knobs.empty()) {
    html += QStringLiteral("<p>One step of each knob</p><table>");
    for (const auto& k : fit.knobs) {
      html += QStringLiteral("<tr><td>%1&nbsp;&nbsp;</td><td>%2&nbsp;&nbsp;</td><td align='right'>frees %3&nbsp;&nbsp;</td><td align='right'>%4</td></tr>")
                  .arg(escaped(k.knob), escaped(k.step), gib(k.bytes_freed),
                       k.decode_ratio ? QStringLiteral("decode × %1").arg(significant(*k.decode_ratio)) : QString());
    }
    html += QStringLiteral("</table>");
  }
  return html;
}

QString device_html(const Device& d) {
  QString html = QStringLiteral("<table>");
  const auto add = [&](const char* left, const QString& right) {
    if (!right.isEmpty() && right != kDash) html += row(QString::fromLatin1(left), right);
  };
  add("Vendor", escaped(d.vendor));
  add("Family", escaped(d.family));
  add("Generation", escaped(d.generation));
  add("Memory", d.memory_bytes ? gib(d.memory_bytes) + u' ' + escaped(d.memory_type) : QString());
  add("Bandwidth", d.bandwidth ? to_qt(format_bandwidth(*d.bandwidth)) : QString());
  add("FP16", d.compute.fp16 ? to_qt(format_ops(*d.compute.fp16)) : QString());
  add("INT8", d.compute.int8 ? to_qt(format_ops(*d.compute.int8, "TOP/s")) : QString());
  add("Board power", d.power ? significant(d.power->value()) + QStringLiteral(" W") : QString());
  add("PCI Express", escaped(d.pcie));
  add("Launch", escaped(d.launch));
  add("Price at launch", d.price ? dollars(d.price->value()) : QString());
  html += QStringLiteral("</table>");
  if (!d.note.empty()) html += QStringLiteral("<p>%1</p>").arg(escaped(d.note));
  html += QStringLiteral("<p>Sources:<br>");
  for (const auto& s : d.sources)
    html += QStringLiteral("&bull; %1%2<br>").arg(source_html(s.url), s.what.empty() ? QString() : QStringLiteral(" (%1)").arg(escaped(s.what)));
  return html + QStringLiteral("</p>");
}

QString headline(const DeviceAnswer& a, Topic topic) {
  const auto* t = a.speed();
  switch (topic) {
    case Topic::verdict: return QStringLiteral("Does it fit?");
    case Topic::memory: return QStringLiteral("Memory: %1 of %2 usable").arg(gib(a.line.needed_bytes), gib(a.line.usable_bytes));
    case Topic::decode:
      return t != nullptr ? QStringLiteral("Decode: %1 (%2 to %3)").arg(rate(t->decode_tokens_per_s), significant(t->decode_low), significant(t->decode_high))
                          : QStringLiteral("Decode: not known");
    case Topic::prefill:
      return t != nullptr && t->prefill_tokens_per_s > 0
                 ? QStringLiteral("Prefill: %1 (%2 to %3)").arg(rate(t->prefill_tokens_per_s), significant(t->prefill_low), significant(t->prefill_high))
                 : QStringLiteral("Prefill: not known");
    case Topic::ttft:
      return t != nullptr && t->time_to_first_token_s > 0
                 ? QStringLiteral("Time to first token: %1 for %2 tokens").arg(seconds(t->time_to_first_token_s), thousands(a.answer->workload.prompt))
                 : QStringLiteral("Time to first token: not known");
    case Topic::device: return QStringLiteral("The device");
  }
  return {};
}

}  // namespace

QString source_html(const std::string& source) {
  const QUrl url(to_qt(source), QUrl::StrictMode);
  if (url.scheme() != QStringLiteral("https") && url.scheme() != QStringLiteral("http")) return escaped(source);
  QString label = url.host() + url.path();
  constexpr qsizetype kLongest = 56;
  if (label.size() > kLongest) label = label.left(kLongest - 1) + u'…';
  return QStringLiteral("<a href=\"%1\">%2</a>").arg(url.toString(QUrl::FullyEncoded).toHtmlEscaped(), label.toHtmlEscaped());
}

QString explanation_html(const DeviceAnswer& answer, Topic topic) {
  if (answer.device == nullptr && !answer.answer && answer.problem.isEmpty())
    return QStringLiteral("<p>Select a device to see where its numbers come from.</p>");
  QString html = QStringLiteral("<h4>%1</h4>").arg(headline(answer, topic).toHtmlEscaped());
  if (!answer.problem.isEmpty()) return html + QStringLiteral("<p>%1</p>").arg(answer.problem.toHtmlEscaped());
  if (topic == Topic::device && answer.device != nullptr) return html + device_html(*answer.device);
  if (!answer.answer) return html;
  const auto& a = *answer.answer;
  if (topic == Topic::verdict && a.fit) html += fit_html(a);
  if (topic == Topic::decode && a.throughput) {
    html += QStringLiteral("<p>%1-bound at a depth of %2 tokens; %3 read per token, %4 % of bandwidth.</p>")
                .arg(escaped(to_string(a.throughput->bound)), thousands(a.workload.depth), gib(a.throughput->bytes_read_per_token),
                     significant(100 * a.throughput->efficiency));
  }
  for (const auto& e : a.explain) {
    if (topic != Topic::verdict && belongs(e, topic)) html += term_html(e);
  }
  for (const auto& note : a.notes) html += QStringLiteral("<p>Note: %1</p>").arg(escaped(note));
  return html;
}

}  // namespace planner::gui
