// A bar on standard error while something long runs; nothing where standard error is no terminal.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace planner::cli {

class ProgressBar {
 public:
  ProgressBar();
  ~ProgressBar() { clear(); }
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;

  /// Draws `done` of `total`, and what is being done. Cheap where nothing changed.
  void show(std::int64_t done, std::int64_t total, std::string_view what);
  /// Takes the bar away, for what is printed next.
  void clear();

 private:
  bool on_;
  std::string line_;
};

}  // namespace planner::cli
