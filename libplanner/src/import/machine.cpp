#include "planner/machine.h"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>

#include "core/text.h"
#include "import/gguf_reader.h"
#include "import/text_file.h"
#include "planner/error.h"

namespace planner {
namespace {

constexpr std::uintmax_t kLargestMachine = 1U << 20;
constexpr std::int64_t kMostGpus = 1024;
constexpr std::int64_t kMostChannels = 64;
constexpr std::int64_t kBytesPerTransfer = 8;  // a channel is 64 bits wide

/// "6000 MT/s", "6.4 GT/s" -> transfers per second.
double parse_transfers(std::string_view typed) {
  struct Unit {
    std::string_view name;
    double scale;
  };
  constexpr Unit kUnits[] = {{"MT/s", 1e6}, {"GT/s", 1e9}};
  for (const auto& unit : kUnits) {
    if (typed.size() <= unit.name.size() || !text::equal_ignoring_case(typed.substr(typed.size() - unit.name.size()), unit.name)) continue;
    const auto number = text::parse_double(text::trim(typed.substr(0, typed.size() - unit.name.size())));
    if (number && *number > 0 && *number < 1e6) return *number * unit.scale;
  }
  throw Error(ErrorKind::usage, fmt::format("'{}' is no memory speed: expected MT/s or GT/s, as in 6000 MT/s", typed));
}

/// "4.0 x16", "5 x8" -> "4.0 x16", "5.0 x8".
std::string parse_pcie(std::string_view typed) {
  const auto parts = text::split(text::trim(typed), ' ');
  if (parts.size() == 2 && parts[1].size() > 1 && (parts[1].front() == 'x' || parts[1].front() == 'X')) {
    const auto generation = text::parse_double(parts[0]);
    const auto lanes = text::parse_int(parts[1].substr(1));
    constexpr std::int64_t kLanes[] = {1, 2, 4, 8, 16};
    if (generation && *generation >= 1 && *generation <= 7 && lanes && std::find(std::begin(kLanes), std::end(kLanes), *lanes) != std::end(kLanes)) {
      return fmt::format("{:.1f} x{}", *generation, *lanes);
    }
  }
  throw Error(ErrorKind::usage, fmt::format("'{}' is no PCIe slot: expected generation and lanes, as in 4.0 x16", typed));
}

/// One map of the file. Keys that nobody asked for are typing errors: `finish` says so.
class Section {
 public:
  Section(const YAML::Node& node, std::string origin, std::string name) : node_(node), origin_(std::move(origin)), name_(std::move(name)) {
    if (!node_.IsMap()) fail_at(node_, fmt::format("{} is no map of keys", name_));
  }

  [[noreturn]] void fail_at(const YAML::Node& node, const std::string& problem) const {
    throw Error(ErrorKind::invalid_file, fmt::format("{}:{}: {}", origin_, node.Mark().line + 1, problem));
  }
  [[noreturn]] void fail(const std::string& key, const YAML::Node& v, const std::string& problem) const { fail_at(v, fmt::format("'{}' {}", key, problem)); }
  [[nodiscard]] std::int64_t line() const { return node_.Mark().line + 1; }

  YAML::Node find(const std::string& key) {
    known_.push_back(key);
    return node_[key];
  }
  std::string text(const std::string& key) {
    const auto v = find(key);
    if (!v || v.IsNull()) return {};
    if (!v.IsScalar()) fail(key, v, "is no text");
    return v.Scalar();
  }
  std::string required_text(const std::string& key) {
    auto s = text(key);
    if (text::trim(s).empty()) fail_at(node_, fmt::format("{} lacks '{}'", name_, key));
    return s;
  }
  std::optional<std::int64_t> integer(const std::string& key, std::int64_t low, std::int64_t high) {
    const auto v = find(key);
    if (!v || v.IsNull()) return std::nullopt;
    const auto n = v.IsScalar() ? text::parse_int(v.Scalar()) : std::nullopt;
    if (!n || *n < low || *n > high) fail(key, v, fmt::format("is {}, expected a whole number from {} to {}", v.IsScalar() ? v.Scalar() : "no number", low, high));
    return n;
  }
  /// A value with its unit, through a parser that throws Error.
  template <typename Parser>
  auto quantity(const std::string& key, Parser parse) -> std::optional<decltype(parse(std::string_view{}))> {
    const auto v = find(key);
    if (!v || v.IsNull()) return std::nullopt;
    if (!v.IsScalar()) fail(key, v, "is no value with a unit");
    try {
      return parse(std::string_view(v.Scalar()));
    } catch (const Error& e) {
      fail(key, v, fmt::format("is {}: {}", v.Scalar(), e.what()));
    }
  }
  void finish() const {
    for (const auto& item : node_) {
      const auto key = item.first.IsScalar() ? item.first.Scalar() : std::string("?");
      if (std::find(known_.begin(), known_.end(), key) == known_.end()) fail_at(item.first, fmt::format("unknown key '{}' in {}{}", key, name_, text::did_you_mean(key, known_)));
      if (std::count_if(node_.begin(), node_.end(), [&](const auto& other) { return other.first.IsScalar() && other.first.Scalar() == key; }) > 1) {
        fail_at(item.first, fmt::format("key '{}' is given twice", key));
      }
    }
  }

 private:
  YAML::Node node_;
  std::string origin_, name_;
  std::vector<std::string> known_;
};

MachineGpu read_gpu(const YAML::Node& node, const std::string& origin) {
  MachineGpu g;
  Section s(node, origin, "a GPU");
  g.line = s.line();
  g.device = s.required_text("device");
  g.count = s.integer("count", 1, kMostGpus).value_or(1);
  g.memory_bytes = s.quantity("memory", parse_bytes);
  g.pcie = s.quantity("pcie", parse_pcie).value_or("");
  g.reserve_bytes = s.quantity("reserve", parse_bytes);
  s.finish();
  return g;
}

MachineLink read_link(const YAML::Node& node, const std::string& origin, std::int64_t n_gpus) {
  MachineLink l;
  Section s(node, origin, "a link");
  l.line = s.line();
  l.kind = s.text("kind");
  l.bandwidth = s.quantity("bandwidth", parse_bandwidth);
  if (const auto between = s.find("between"); between && !(between.IsScalar() && between.Scalar() == "all")) {
    if (!between.IsSequence() || between.size() < 2) s.fail("between", between, "names no two cards: expected [0, 1], or all");
    for (const auto& item : between) {
      const auto i = item.IsScalar() ? text::parse_int(item.Scalar()) : std::nullopt;
      if (!i || *i < 0 || *i >= n_gpus) s.fail("between", item, fmt::format("names card {}, expected 0 to {}", item.IsScalar() ? item.Scalar() : "?", n_gpus - 1));
      l.between.push_back(*i);
    }
  }
  s.finish();
  return l;
}

MachineHost read_host(const YAML::Node& node, const std::string& origin) {
  MachineHost h;
  Section s(node, origin, "the host");
  h.line = s.line();
  h.cpu = s.text("cpu");
  h.memory_bytes = s.quantity("memory", parse_bytes);
  h.channels = s.integer("channels", 1, kMostChannels);
  h.transfers_per_s = s.quantity("speed", parse_transfers);
  h.bandwidth = s.quantity("bandwidth", parse_bandwidth);
  h.reserve_bytes = s.quantity("reserve", parse_bytes);
  s.finish();
  if (h.bandwidth && (h.channels || h.transfers_per_s)) s.fail_at(node, "the host states its bandwidth and its channels: one of them");
  if (h.channels.has_value() != h.transfers_per_s.has_value()) s.fail_at(node, "the host's bandwidth follows from 'channels' and 'speed': both are needed");
  if (h.channels) h.bandwidth = BytesPerSecond(static_cast<double>(*h.channels * kBytesPerTransfer) * *h.transfers_per_s);
  return h;
}

Machine read_root(const YAML::Node& root, const std::string& origin) {
  Machine m;
  m.origin = origin;
  Section s(root, origin, "the machine");
  m.name = s.text("machine");
  if (const auto gpus = s.find("gpus"); gpus && !gpus.IsNull()) {
    if (!gpus.IsSequence()) s.fail("gpus", gpus, "is no list");
    for (const auto& node : gpus) m.gpus.push_back(read_gpu(node, origin));
  }
  std::int64_t n = 0;
  for (const auto& g : m.gpus) n += g.count;
  if (n > kMostGpus) s.fail_at(root, fmt::format("{} GPUs, expected at most {}", n, kMostGpus));
  if (const auto links = s.find("links"); links && !links.IsNull()) {
    if (!links.IsSequence()) s.fail("links", links, "is no list");
    for (const auto& node : links) m.links.push_back(read_link(node, origin, n));
  }
  if (const auto host = s.find("host"); host && !host.IsNull()) m.host = read_host(host, origin);
  s.finish();
  if (m.gpus.empty() && m.host.line == 0) s.fail_at(root, "the machine has neither 'gpus' nor a 'host'");
  return m;
}

}  // namespace

Machine machine_from_yaml(std::string_view yaml_text, const std::string& origin) {
  try {
    const auto root = YAML::Load(std::string(yaml_text));
    return read_root(root, origin);
  } catch (const YAML::Exception& e) {
    throw Error(ErrorKind::invalid_file, fmt::format("{}:{}: not YAML: {}", origin, e.mark.line + 1, e.msg));
  }
}

Machine read_machine(const std::filesystem::path& path) { return machine_from_yaml(read_text_file(path, kLargestMachine, "machine file"), printable_path(path)); }

}  // namespace planner
