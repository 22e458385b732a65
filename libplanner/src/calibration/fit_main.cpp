// planner-fit: fits the performance model to data/measurements/ and writes what it found.
//   planner-fit DATA_FOLDER DOCS_FOLDER
// DATA_FOLDER/speed/fit.yaml are the factors that the library is built with, DOCS_FOLDER/accuracy.md the tables of errors. Nothing else is read or written; the
// same measurements give the same files.

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "calibration/report.h"
#include "planner/calibration.h"
#include "planner/error.h"

namespace {

using namespace planner;
namespace fs = std::filesystem;

std::string content_of(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream content;
  content << in.rdbuf();
  if (!in) throw Error(ErrorKind::invalid_file, path.string() + ": cannot be read");
  return std::move(content).str();
}

int run(const fs::path& data_folder, const fs::path& docs) {
  const auto folder = data_folder / "measurements";
  const SpeedData data(read_measurements(content_of(folder / "throughput.csv"), content_of(folder / "sources.csv"), (folder / "throughput.csv").string()), Catalog::builtin());
  const auto fit = fit_speed(data);
  const auto devices = cross_validate(data, LeaveOut::device);
  const auto models = cross_validate(data, LeaveOut::model);
  fs::create_directories(data_folder / "speed");
  replace_file(data_folder / "speed" / "fit.yaml", speed_yaml(fit, devices, models));
  const auto report = calibration::accuracy_report(data, fit, devices, models);
  replace_file(docs / "accuracy.md", report);
  std::fputs(report.c_str(), stdout);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: planner-fit DATA_FOLDER DOCS_FOLDER\n");
    return 2;
  }
  try {
    return run(argv[1], argv[2]);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 1;
  }
}
