// The README's example by the one call. With --json: the whole answer.
#include <cstdio>
#include <string>
#include <string_view>

#include "planner/error.h"
#include "planner/estimate.h"
#include "planner/units.h"

int main(int argc, char** argv) {
  planner::EstimateRequest request;
  request.model = "deepseek-r1-distill-qwen-1.5b";
  request.quantization = "Q4_K_M";
  request.devices = {"rtx 4090"};
  request.context = 131072;
  try {
    const auto answer = planner::estimate(request, planner::Catalog::builtin());
    if (argc > 1 && std::string_view(argv[1]) == "--json") {
      std::puts(planner::to_json(answer).c_str());
      return 0;
    }
    std::printf("%s in %s on %s: %s, %s, %.0f tokens/s\n", answer.model.name.c_str(), answer.quantization->name.c_str(), answer.memory->devices.front().name.c_str(),
                planner::format_gib(answer.memory->total_bytes()).c_str(), std::string(planner::to_string(answer.fit->verdict)).c_str(), answer.throughput->decode_tokens_per_s);
  } catch (const planner::Error& e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 1;
  }
}
