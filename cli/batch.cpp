// planner batch: JSON Lines in, one answer a line out, in order.

#include <CLI/App.hpp>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <iostream>
#include <string>
#include <thread>
#include <vector>

#include "command.h"
#include "planner/estimate.h"
#include "planner/batch.h"

namespace planner::cli {
namespace {

struct Options {
  CommonOptions common;
  unsigned threads = std::max(1U, std::thread::hardware_concurrency());
};

/// Lines answered together: enough that threads seldom wait, few enough that answers come while requests still arrive.
constexpr std::size_t kBlock = 256;

void answer_block(const std::vector<std::string>& lines, std::int64_t first_line, std::vector<std::string>& answers, const Catalog& catalog, unsigned threads) {
  answers.assign(lines.size(), {});
  std::atomic<std::size_t> next{0};
  const auto work = [&] {
    constexpr std::size_t kGrain = 8;
    for (std::size_t begin = next.fetch_add(kGrain); begin < lines.size(); begin = next.fetch_add(kGrain)) {
      const std::size_t end = std::min(lines.size(), begin + kGrain);
      for (std::size_t i = begin; i < end; ++i) answers[i] = answer_line(lines[i], first_line + static_cast<std::int64_t>(i), catalog);
    }
  };
  std::vector<std::thread> helpers;
  for (unsigned t = 1; t < threads && lines.size() > 1; ++t) helpers.emplace_back(work);
  work();
  for (auto& helper : helpers) helper.join();
}

Status run(const Options& o) {
  const auto& catalog = catalog_for(o.common);
  std::ios::sync_with_stdio(false);
  std::vector<std::string> lines, answers;
  std::string line;
  std::int64_t line_number = 1;
  const auto flush = [&] {
    answer_block(lines, line_number, answers, catalog, o.threads);
    for (const auto& answer : answers) {
      std::fwrite(answer.data(), 1, answer.size(), stdout);
      std::fputc('\n', stdout);
    }
    std::fflush(stdout);
    line_number += static_cast<std::int64_t>(lines.size());
    lines.clear();
  };
  while (std::getline(std::cin, line)) {
    lines.push_back(std::move(line));
    // A caller that waits for each answer gets it: nothing more is there to read.
    if (lines.size() >= kBlock || std::cin.rdbuf()->in_avail() <= 0) flush();
  }
  if (!lines.empty()) flush();
  return Status::answered;
}

}  // namespace

Command add_batch(CLI::App& program) {
  auto o = std::make_shared<Options>();
  auto* app = program.add_subcommand("batch", "Answers JSON Lines on standard input, one planner.estimate/1 a line");
  app->add_option("--threads,-t", o->threads, "Threads to answer with (default: all)")->check(CLI::Range(1, 1024));
  add_data_option(*app, o->common);
  return {app, [o] { return run(*o); }};
}

}  // namespace planner::cli
