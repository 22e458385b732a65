#include "logic/model_tree_model.h"

#include <algorithm>
#include <map>

#include "logic/device_table_model.h"
#include "logic/words.h"

namespace planner::gui {
namespace {

// Scores of one typed word; a model's score is their sum.
constexpr int kWholeWord = 100, kBeginning = 80, kInside = 50, kScattered = 10;

/// Letters and digits in lower case, everything else a space.
QString normalised(const QString& text) {
  QString out = text.toLower();
  for (auto& c : out) {
    if (!c.isLetterOrNumber() && c != u'.') c = u' ';
  }
  return out;
}

/// Whether the letters of `word` occur in `text` in that order, near each other.
bool scattered(const QString& word, const QString& text) {
  constexpr qsizetype kShortest = 3, kWidest = 3;  // a scattered match of two letters is chance; so is one over half the name
  if (word.size() < kShortest) return false;
  qsizetype at = -1, first = -1;
  for (const auto c : word) {
    at = text.indexOf(c, at + 1);
    if (at < 0) return false;
    if (first < 0) first = at;
  }
  return at - first + 1 <= kWidest * word.size();
}

int word_score(const QString& word, const QString& text) {
  int best = 0;
  for (qsizetype at = text.indexOf(word); at >= 0; at = text.indexOf(word, at + 1)) {
    const bool begins = at == 0 || text[at - 1] == u' ';
    const bool ends = at + word.size() == text.size() || text[at + word.size()] == u' ';
    // "7b" is not in "27b".
    if (!begins && word[0].isDigit() && text[at - 1].isDigit()) continue;
    best = std::max(best, begins && ends ? kWholeWord : begins ? kBeginning : kInside);
  }
  return best > 0 ? best : scattered(word, text) ? kScattered : 0;
}

std::int64_t size_of(const ModelEntry& entry) { return entry.published.total.value_or(0); }

}  // namespace

std::optional<int> match_score(const QString& typed, const ModelEntry& entry) {
  const QString names = normalised(to_qt(entry.name) + u' ' + to_qt(entry.id) + u' ' + to_qt(entry.hf_id));
  QString others = normalised(to_qt(entry.family) + u' ' + to_qt(entry.publisher));
  for (const auto& alias : entry.aliases) others += u' ' + normalised(to_qt(alias));
  int score = 0;
  for (const auto& word : normalised(typed).split(u' ', Qt::SkipEmptyParts)) {
    const int here = std::max(word_score(word, names), word_score(word, others) * 3 / 4);
    if (here == 0) return std::nullopt;
    score += here;
  }
  // Of equal matches the one with the shorter name is the plainer one.
  return score * 100 - static_cast<int>(entry.name.size());
}

ModelTreeModel::ModelTreeModel(const Facts& facts, QObject* parent) : QAbstractItemModel(parent), facts_(facts) { rebuild(); }

void ModelTreeModel::search(const QString& typed) {
  if (typed == typed_) return;
  typed_ = typed;
  rebuild();
}

void ModelTreeModel::set_recent(const QStringList& ids) {
  recent_ = ids;
  rebuild();
}

void ModelTreeModel::set_facts(const Facts& facts) {
  facts_ = facts;
  rebuild();
}

void ModelTreeModel::rebuild() {
  beginResetModel();
  groups_.clear();
  if (typed_.trimmed().isEmpty()) {
    Group recent{QStringLiteral("Recent"), {}};
    for (const auto& id : recent_) {
      if (const auto* entry = facts_->find_model(id.toStdString())) recent.models.push_back(entry);
    }
    if (!recent.models.empty()) groups_.push_back(std::move(recent));
  }
  std::map<QString, Group> families;
  std::map<const ModelEntry*, int> scores;
  for (const auto* entry : facts_->models()) {
    const auto score = match_score(typed_, *entry);
    if (!score) continue;
    scores[entry] = *score;
    const QString family = to_qt(entry->family.empty() ? entry->publisher : entry->family);
    auto& group = families[family];
    group.best = group.models.empty() ? *score : std::max(group.best, *score);
    group.name = family;
    group.models.push_back(entry);
  }
  const bool searching = !typed_.trimmed().isEmpty();
  std::vector<Group> found;
  for (auto& [name, group] : families) {
    std::stable_sort(group.models.begin(), group.models.end(), [&](const auto* a, const auto* b) {
      if (searching && scores[a] != scores[b]) return scores[a] > scores[b];
      return size_of(*a) < size_of(*b);
    });
    found.push_back(std::move(group));
  }
  if (searching) std::stable_sort(found.begin(), found.end(), [](const Group& a, const Group& b) { return a.best > b.best; });
  std::move(found.begin(), found.end(), std::back_inserter(groups_));
  endResetModel();
}

const ModelEntry* ModelTreeModel::entry(const QModelIndex& index) const {
  if (!index.isValid() || index.internalId() == 0) return nullptr;
  return groups_[index.internalId() - 1].models[static_cast<std::size_t>(index.row())];
}

QModelIndex ModelTreeModel::first() const { return groups_.empty() ? QModelIndex() : index(0, 0, index(0, 0)); }

int ModelTreeModel::matches() const {
  std::size_t n = 0;
  for (const auto& group : groups_) n += group.models.size();
  return static_cast<int>(n);
}

QModelIndex ModelTreeModel::index(int row, int column, const QModelIndex& parent) const {
  if (!hasIndex(row, column, parent)) return {};
  return parent.isValid() ? createIndex(row, column, static_cast<quintptr>(parent.row()) + 1) : createIndex(row, column, quintptr{0});
}

QModelIndex ModelTreeModel::parent(const QModelIndex& child) const {
  if (!child.isValid() || child.internalId() == 0) return {};
  return createIndex(static_cast<int>(child.internalId()) - 1, 0, quintptr{0});
}

int ModelTreeModel::rowCount(const QModelIndex& parent) const {
  if (!parent.isValid()) return static_cast<int>(groups_.size());
  if (parent.internalId() != 0 || parent.column() != 0) return 0;
  return static_cast<int>(groups_[static_cast<std::size_t>(parent.row())].models.size());
}

int ModelTreeModel::columnCount(const QModelIndex&) const { return kColumns; }

QVariant ModelTreeModel::data(const QModelIndex& index, int role) const {
  if (!index.isValid()) return {};
  const auto* e = entry(index);
  if (e == nullptr) return role == Qt::DisplayRole && index.column() == kName ? QVariant(groups_[static_cast<std::size_t>(index.row())].name) : QVariant();
  if (role == kIdRole) return to_qt(e->id);
  if (role == Qt::ToolTipRole) return to_qt(e->hf_id.empty() ? e->id : e->hf_id);
  if (role == Qt::TextAlignmentRole) return static_cast<int>(Qt::AlignVCenter | (index.column() == kName ? Qt::AlignLeft : Qt::AlignRight));
  if (role != Qt::DisplayRole) return {};
  switch (index.column()) {
    case kName: return to_qt(e->name);
    case kParameters: return e->published.total ? parameters(*e->published.total) : QString();
    case kContext: return e->context ? tokens(*e->context) : QString();
    default: return {};
  }
}

QVariant ModelTreeModel::headerData(int section, Qt::Orientation orientation, int role) const {
  if (orientation != Qt::Horizontal || role != Qt::DisplayRole) return {};
  switch (section) {
    case kName: return QStringLiteral("Model");
    case kParameters: return QStringLiteral("Parameters");
    case kContext: return QStringLiteral("Context");
    default: return {};
  }
}

Qt::ItemFlags ModelTreeModel::flags(const QModelIndex& index) const {
  if (!index.isValid()) return Qt::NoItemFlags;
  return entry(index) == nullptr ? Qt::ItemIsEnabled : Qt::ItemIsEnabled | Qt::ItemIsSelectable;
}

}  // namespace planner::gui
