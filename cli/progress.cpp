#include "progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "render.h"

namespace planner::cli {

ProgressBar::ProgressBar() : on_(isatty(STDERR_FILENO) != 0) {}

void ProgressBar::show(std::int64_t done, std::int64_t total, std::string_view what) {
  if (!on_ || total <= 0) return;
  constexpr std::int64_t kWidth = 24;
  const auto share = std::clamp<std::int64_t>(done, 0, total);
  const auto filled = static_cast<std::size_t>(kWidth * share / total);
  auto line =
      fmt::format("[{}{}] {:3} %  {}", std::string(filled, '#'), std::string(static_cast<std::size_t>(kWidth) - filled, '.'), 100 * share / total, what);
  if (line == line_) return;
  line_ = std::move(line);
  std::fprintf(stderr, "\r%s\033[K", line_.c_str());
}

void ProgressBar::clear() {
  if (!on_ || line_.empty()) return;
  std::fputs("\r\033[K", stderr);
  line_.clear();
}

}  // namespace planner::cli
