// A whole `planner estimate --json`, from exec to exit: what a script pays for one answer. The bar: under 15 ms.

#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>

extern char** environ;

namespace {

/// Runs the program with its output thrown away; false when it did not answer.
bool run_once(const std::array<const char*, 12>& arguments) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  pid_t pid = 0;
  const bool started = posix_spawn(&pid, arguments[0], &actions, nullptr, const_cast<char* const*>(arguments.data()), environ) == 0;
  posix_spawn_file_actions_destroy(&actions);
  int status = 1;
  if (started) waitpid(pid, &status, 0);
  return started && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

void estimate_json(benchmark::State& state) {
  constexpr std::array<const char*, 12> kArguments = {PLANNER_PROGRAM, "estimate", "--model", "deepseek-r1-distill-qwen-1.5b", "--quant", "Q4_K_M", "--context", "131072",
                                                      "--gpu", "rtx 4090", "--json", nullptr};
  for (auto _ : state) {
    if (!run_once(kArguments)) {
      state.SkipWithError("planner did not answer");
      break;
    }
  }
}
BENCHMARK(estimate_json)->Unit(benchmark::kMillisecond)->UseRealTime()->MinTime(2);

}  // namespace
