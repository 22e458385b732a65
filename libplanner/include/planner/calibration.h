/// The fit of the performance model to measurements, its tests on what it has not seen, and what a user's own measurements change.
///
/// Parameters are logarithms of factors (speed_class.h), one per group and effect. They minimise
///     sum over rows of w * rho((log predicted - log measured) / s) + sum over parameters of ((value - mean) / sigma)^2 / 2
/// with Student's t for rho (4 degrees of freedom), so that a row that contradicts its neighbours pulls little, and sigmas that shrink the finer groups towards
/// the coarser ones. w is 1 / sqrt(rows of the same device, model and source). Solved by damped Gauss-Newton steps.
/// Sources: Gelman et al., Bayesian Data Analysis, chapters 15 (hierarchical models) and 17 (robust inference).
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "planner/measurement.h"

namespace planner {

namespace calibration {
class Observations;
}

/// A measurement with what the model says of it.
struct FittedRow {
  const Measurement* measurement = nullptr;
  double predicted = 0;      ///< tokens per second
  double weight = 0;         ///< what the robust loss leaves of the row, 0 to 1
  bool routed = false;       ///< a mixture of experts
  std::string architecture, vendor, generation;
  double log_error = 0;      ///< log(predicted / measured)
  int fold = 0;              ///< that the row was left out with; 0 where nothing was left out
  [[nodiscard]] double relative_error() const;  ///< predicted / measured - 1
};

/// Rows that the model can be asked about; what cannot be (unknown device, bandwidth, geometry, format) is left out, with the reason.
class SpeedData {
 public:
  SpeedData(std::vector<Measurement> rows, const Catalog& catalog);
  ~SpeedData();
  SpeedData(SpeedData&&) noexcept;

  [[nodiscard]] const std::vector<Measurement>& rows() const { return rows_; }
  struct LeftOut {
    std::string id, reason;
  };
  [[nodiscard]] const std::vector<LeftOut>& left_out() const { return left_out_; }
  [[nodiscard]] const calibration::Observations& observations() const { return *observations_; }

 private:
  std::vector<Measurement> rows_;
  std::vector<LeftOut> left_out_;
  std::unique_ptr<calibration::Observations> observations_;
};

/// Effects by group id, as data/speed/ holds them.
struct FittedSpeed {
  std::map<std::string, std::map<std::string, double>> effects;
  std::map<std::string, int> rows;   ///< measurements by group
  std::vector<FittedRow> residuals;  ///< of the rows that took part
};

/// Fits to all rows (of both tests).
[[nodiscard]] FittedSpeed fit_speed(const SpeedData& data);

/// What is left out together: rows of one device, of one model.
enum class LeaveOut : std::uint8_t { device, model };
/// Each row predicted by a fit to the others' folds: devices (or models) are dealt into `folds` parts, and each part is predicted by a fit that has seen nothing
/// of it.
[[nodiscard]] std::vector<FittedRow> cross_validate(const SpeedData& data, LeaveOut what, int folds = 10);
/// Rows that `test` picks, predicted by a fit to those that `train` picks.
[[nodiscard]] std::vector<FittedRow> predict_from(const SpeedData& data, const std::function<bool(const Measurement&)>& train, const std::function<bool(const Measurement&)>& test);
/// Rows as the catalog's own factors (data/speed/ and a user's calibration) predict them.
[[nodiscard]] std::vector<FittedRow> predict_measured(const SpeedData& data, const Catalog& catalog);

/// Share of rows that lie within the ranges which the other folds' errors give: what the printed intervals hold on data that nothing has seen.
[[nodiscard]] double interval_coverage(std::span<const FittedRow> unseen);

/// data/speed/: effects by group and the ranges that bound 80 % of the cross-validated rows.
[[nodiscard]] std::string speed_yaml(const FittedSpeed& fit, std::span<const FittedRow> unseen_devices, std::span<const FittedRow> unseen_models);

/// A line of an error table.
struct ErrorSummary {
  std::string group;
  std::size_t rows = 0;
  double median = 0;      ///< of the absolute relative error
  double within_20 = 0;   ///< share of rows within +- 20 %
  double bias = 0;        ///< median of the signed relative error
  double p90 = 0;         ///< of the absolute relative error
};
[[nodiscard]] ErrorSummary summarize_errors(std::string group, std::span<const FittedRow* const> rows);
/// Rows grouped by a name, largest groups first, "all" on top.
[[nodiscard]] std::vector<ErrorSummary> error_table(std::span<const FittedRow> rows, const std::function<std::string(const FittedRow&)>& group);

/// "planner.accuracy/1": each row with what was measured and predicted, then errors by vendor, back end and kind of model.
[[nodiscard]] std::string accuracy_json(const SpeedData& data, std::span<const FittedRow> rows);

// ---------------------------------------------------------------------------------------------------------------------
// A user's own measurements
// ---------------------------------------------------------------------------------------------------------------------

/// $XDG_CONFIG_HOME/planner (or ~/.config/planner); empty where neither is set.
[[nodiscard]] std::filesystem::path user_folder();

/// Replaces a file so that whoever reads it, and whatever ends this process when, sees the old content or the new: written beside, flushed to the disk, renamed.
/// Throws Error (invalid_file) where it cannot be written.
void replace_file(const std::filesystem::path& path, std::string_view content);

/// Adds measurements to `folder`/measurements.csv (rows of the same device, model, quantization, test, tokens and depth are replaced) and writes what they
/// change to `folder`/calibration.yaml, which overlays the built-in factors. Both are replaced whole. Returns the devices calibrated.
std::vector<std::string> store_measurements(const std::filesystem::path& folder, std::vector<Measurement> rows);

/// Rows of `folder`/measurements.csv; none where there is no file. Throws Error (invalid_file).
[[nodiscard]] std::vector<Measurement> stored_measurements(const std::filesystem::path& folder);

}  // namespace planner
