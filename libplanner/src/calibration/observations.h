// Measurements as the fit sees them: the terms of their time, the groups whose effects scale the terms, and the time that was measured.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "catalog/speed_groups.h"
#include "planner/measurement.h"
#include "throughput/terms.h"

namespace planner::calibration {

struct Observation {
  std::size_t row = 0;                 ///< of the measurements
  std::vector<throughput::Term> terms;
  struct Group {
    int index = 0;
    SpeedLevel level = SpeedLevel::general;
  };
  std::vector<Group> groups;
  double years = 0;                    ///< before kSpeedYear
  double log_seconds = 0;              ///< measured
  double tokens = 1;                   ///< that those seconds yielded
  double weight = 1;
  bool routed = false;
  std::string architecture, vendor, generation;
};

class Observations {
 public:
  /// The observation of a measurement; nothing, with a reason, where the model cannot be asked.
  bool add(const Measurement& m, std::size_t row, const Catalog& catalog, std::string& reason);
  /// Rows that repeat each other (same device, model and source) share a weight.
  void balance(const std::vector<Measurement>& rows);

  [[nodiscard]] const std::vector<Observation>& all() const { return all_; }
  [[nodiscard]] const std::vector<std::string>& groups() const { return names_; }

 private:
  int index_of(const std::string& group);
  struct Prepared;
  const Prepared* prepare(const Measurement& m, const Catalog& catalog, std::string& reason);

  std::vector<Observation> all_;
  std::vector<std::string> names_;
  std::map<std::string, int> indices_;
  std::map<std::string, std::shared_ptr<const Prepared>> prepared_;  ///< by model and quantization
};

}  // namespace planner::calibration
