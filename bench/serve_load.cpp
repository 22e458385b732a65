// Requests per second that `planner serve` holds: serve_load PORT [SECONDS] [CONNECTIONS] [REQUESTS_PER_SECOND]. Distinct estimates over many models,
// mixes, devices and contexts; paced to the rate that is asked for, or as fast as answers come. Exit status 1: an answer was none.
#include <httplib.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "planner/catalog.h"

namespace {

using Clock = std::chrono::steady_clock;

std::string question(std::size_t n) {
  static const auto models = planner::Catalog::builtin().models();
  static const auto devices = planner::Catalog::builtin().devices();
  constexpr const char* kQuants[] = {"Q4_K_M", "Q8_0", "IQ3_XXS", "Q6_K", "IQ2_XS", "Q5_K_S", "F16"};
  constexpr std::size_t kModelStep = 37, kDeviceStep = 101;  // no common divisor with the counts: neighbours differ in everything
  return "{\"model\":\"" + models[n * kModelStep % models.size()]->id + "\",\"quant\":\"" + kQuants[n % std::size(kQuants)] + "\",\"gpu\":[\"" +
         devices[n * kDeviceStep % devices.size()]->id + "\"],\"context\":" + std::to_string(512 + n * 61 % 32000) + ",\"solve\":false}";
}

}  // namespace

int main(int argc, char** argv) {
  const auto argument = [&](int i, long otherwise) { return argc > i ? std::strtol(argv[i], nullptr, 10) : otherwise; };
  const int port = static_cast<int>(argument(1, 8383));
  const auto duration = std::chrono::seconds(argument(2, 10));
  const long connections = argument(3, 16);
  const long rate = argument(4, 0);

  const auto begin = Clock::now();
  std::atomic<std::size_t> next{0}, failed{0};
  std::vector<std::vector<double>> latencies(static_cast<std::size_t>(connections));
  std::vector<std::thread> threads;
  for (auto& own : latencies) {
    threads.emplace_back([&] {
      httplib::Client client("127.0.0.1", port);
      client.set_keep_alive(true);
      client.set_tcp_nodelay(true);
      while (true) {
        const std::size_t n = next++;
        if (rate > 0) std::this_thread::sleep_until(begin + std::chrono::duration<double>(static_cast<double>(n) / static_cast<double>(rate)));
        if (Clock::now() - begin > duration) return;
        const auto asked = Clock::now();
        const auto response = client.Post("/v1/estimate", question(n), "application/json");
        // A device whose bandwidth nobody knows is no failure, a model that fits nowhere neither: each has an answer.
        if (!response || response->status != 200 || response->body.find("planner.estimate/1") == std::string::npos) {
          ++failed;
          if (response) std::fprintf(stderr, "%d %s\n", response->status, response->body.substr(0, 200).c_str());
        }
        own.push_back(std::chrono::duration<double, std::milli>(Clock::now() - asked).count());
      }
    });
  }
  for (auto& thread : threads) thread.join();
  const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  std::vector<double> all;
  for (const auto& own : latencies) all.insert(all.end(), own.begin(), own.end());
  if (all.empty()) return 1;
  std::sort(all.begin(), all.end());
  const auto at = [&](double share) { return all[static_cast<std::size_t>(share * static_cast<double>(all.size() - 1))]; };
  std::printf("%zu requests in %.1f s: %.0f/s, %zu failed; ms: median %.2f, 99 %% %.2f, worst %.2f\n", all.size(), seconds, static_cast<double>(all.size()) / seconds, failed.load(),
              at(0.5), at(0.99), all.back());
  return failed == 0 ? 0 : 1;
}
