// Reading of engine logs: scanners over one line, and what the readers of the engines' lines fill.
//
// No scanner looks back or copies, so that a log costs what its bytes cost.
#pragma once

#include <array>
#include <bitset>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "planner/engine_log.h"

namespace planner::logs {

struct Line {
  std::string_view text;
  std::int64_t number = 0;
};

// ---------------------------------------------------------------------------------------------------------------------
// Scanners
// ---------------------------------------------------------------------------------------------------------------------

/// What stands behind the first occurrence of `marker`.
[[nodiscard]] std::optional<std::string_view> after(std::string_view text, std::string_view marker);
/// `text` up to the first of `stops`, trimmed.
[[nodiscard]] std::string_view until(std::string_view text, std::string_view stops);
[[nodiscard]] std::string_view skip_spaces(std::string_view text);
/// Without control characters, of at most 200 bytes.
[[nodiscard]] std::string clean(std::string_view text);

/// A number at the start (spaces before it are fine), which is cut off `text`. Commas between digits are thousands.
[[nodiscard]] std::optional<std::int64_t> take_integer(std::string_view& text);
struct Decimal {
  double value = 0;
  double half_digit = 0;  ///< half of the last digit
};
/// The same for decimals, with a point or, as some locales print, a comma.
[[nodiscard]] std::optional<Decimal> take_decimal(std::string_view& text);
struct Amount {
  std::int64_t bytes = 0;
  std::int64_t rounding = 0;
};
/// "4095.05 MiB", "6.25GiB", "0 B". Engines that print MB or GB mean the binary units.
[[nodiscard]] std::optional<Amount> take_amount(std::string_view& text);
/// Behind `marker`, past spaces, '=' and ':'.
[[nodiscard]] std::optional<std::int64_t> integer_after(std::string_view text, std::string_view marker);
[[nodiscard]] std::optional<Amount> amount_after(std::string_view text, std::string_view marker);
/// key="some text", key=word; python's key='text' and 'key': 'text' as well.
[[nodiscard]] std::optional<std::string_view> field(std::string_view text, std::string_view key);

// ---------------------------------------------------------------------------------------------------------------------
// Collecting
// ---------------------------------------------------------------------------------------------------------------------

inline constexpr std::size_t kMostBuffers = 2048;
inline constexpr std::size_t kMostDevices = 256;
inline constexpr std::int64_t kMostLayers = 4096;

/// One load of a model: the weights, then one context or several.
struct Load {
  LogModel model;
  LogSettings settings;
  std::vector<LogDevice> devices;  ///< that this load names
  std::vector<LogBuffer> weights;
  std::vector<LogBuffer> context;    ///< of the context that is being made
  std::vector<LogBuffer> breakdown;  ///< of a table at the end: whole MiB, used where nothing else is printed
  std::vector<LogBuffer> forecasts;
  std::bitset<kMostLayers> experts_on_host;
  std::string cache_part;  ///< "full" or "sliding": which cache comes next
  std::int64_t first_line = 0, last_line = 0;

  [[nodiscard]] bool has(LogTerm term) const;
  [[nodiscard]] bool is_complete() const;
  [[nodiscard]] bool is_empty() const { return weights.empty() && context.empty() && breakdown.empty(); }
  /// Adds to the context, or replaces what was printed for the same place and term.
  void put(LogBuffer buffer, bool replaces);
};

class Collector {
 public:
  explicit Collector(const std::string& origin) { log_.origin = origin; }

  /// A model is about to be loaded. What follows belongs to it.
  void begin_load(std::int64_t line);
  /// A context is about to be made for the model that is loaded.
  void begin_context(std::int64_t line);
  /// What follows belongs to a draft and is left out: the contexts up to the next load, or (`own_model`) the next load.
  void begin_draft(bool own_model);

  /// The load that is being read, or a place for what is left out.
  [[nodiscard]] Load& load() { return draft_ == Draft::none || draft_ == Draft::next_load ? load_ : ignored_; }
  [[nodiscard]] EngineLog& log() { return log_; }
  /// Evidence that the log is an engine's. The more specific engine wins: Ollama and ik_llama.cpp print llama.cpp's lines as well.
  void saw(LogEngine engine) { seen_[static_cast<std::size_t>(engine)] = true; }
  /// A version of the time when lines looked like this one; the last one counts.
  void saw_style(std::string_view version) { style_ = version; }
  /// The same, where versions compare by their first two numbers: the latest counts.
  void saw_later_style(std::string_view version);
  /// Adds to what is known of a device.
  void device(LogDevice device);
  /// The engine prints its devices anew: a new process.
  void forget_devices() { log_.devices.clear(); }

  /// Throws Error (invalid_file) where the log is no engine's.
  [[nodiscard]] EngineLog finish(std::int64_t lines);

 private:
  enum class Draft : std::uint8_t { none, contexts, next_load, this_load };
  void close_load();
  [[nodiscard]] bool saw_any() const { return seen_ != std::array<bool, 6>{}; }
  [[nodiscard]] LogEngine engine() const;

  EngineLog log_;
  Load load_, ignored_;
  std::optional<Load> best_;
  std::optional<Load> earlier_;  ///< the load that is being read, with an earlier and complete context
  std::array<bool, 6> seen_{};
  Draft draft_ = Draft::none;
  bool left_draft_out_ = false;
  std::string_view style_;
};

// One reader per family of engines; each looks for its own lines and ignores all others.
void read_llama_line(const Line& line, Collector& out);
void read_ollama_line(const Line& line, Collector& out);
void read_vllm_line(const Line& line, Collector& out);
void read_sglang_line(const Line& line, Collector& out);
void read_tensorrt_llm_line(const Line& line, Collector& out);

}  // namespace planner::logs
