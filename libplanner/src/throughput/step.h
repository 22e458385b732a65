// A deployed model ready to be timed: its places with their work, rates and factors.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "planner/throughput.h"
#include "throughput/terms.h"

namespace planner::throughput {

struct Place {
  Work work;
  Rates rates;
  std::shared_ptr<const SpeedProfile> profile;
  const DeploymentDevice* device = nullptr;
  bool is_host = false;
};

/// Seconds by what they go to.
struct Parts {
  std::array<double, kParts> seconds{};
  [[nodiscard]] double& operator[](Part p) { return seconds[static_cast<std::size_t>(p)]; }
  [[nodiscard]] double operator[](Part p) const { return seconds[static_cast<std::size_t>(p)]; }
  [[nodiscard]] double sum() const;
};

/// One step of decode: places, then what they do together.
struct StepTime {
  std::vector<Parts> places;
  double token = 0, hops = 0, all_reduce = 0;
  [[nodiscard]] double seconds() const;
};

class Deployed {
 public:
  /// Nothing, with a reason, where a device's bandwidth is not known.
  static std::optional<Deployed> make(const Model& model, const WeightMap& weights, const Workload& workload, const Deployment& deployment,
                                      const Placement& placement, const Catalog& catalog, std::string& reason);

  /// A step of `sequences`, each with `tokens` tokens at once (more than one where drafts are checked).
  [[nodiscard]] StepTime step(double sequences, double tokens = 1) const;
  /// A prompt's prefill.
  [[nodiscard]] double prefill_seconds() const;
  /// One token out of the model's own multi-token-prediction layers; nothing where it has none.
  [[nodiscard]] std::optional<double> mtp_seconds() const;

  [[nodiscard]] const std::vector<Place>& places() const { return places_; }
  /// The place that takes the largest part of a step.
  [[nodiscard]] const Place& slowest() const;
  [[nodiscard]] double ranks() const { return ranks_; }
  [[nodiscard]] const ModelTraits& traits() const { return traits_; }

 private:
  double prefill_of(const Place& place) const;
  double all_reduce_seconds(double tokens) const;

  std::vector<Place> places_;  ///< those with work
  ModelTraits traits_;
  Workload workload_;
  double ranks_ = 1;           ///< devices that share every layer
  double devices_ = 1;         ///< devices that work behind each other
  double link_ = 0;            ///< bytes per second between ranks
  double layers_ = 0, mtp_bytes_ = 0, head_bytes_ = 0;
  double pcie_ = 0;            ///< bytes per second from the host to the first device; 0: no device beside the host
  bool flash_attention_ = true;
};

}  // namespace planner::throughput
