// A user's own measurements: kept, and turned into effects of the devices that they were made on.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <set>
#include <sstream>

#include "calibration/solver.h"
#include "planner/calibration.h"
#include "planner/error.h"

namespace planner {
namespace {

namespace fs = std::filesystem;

constexpr const char* kMeasurements = "measurements.csv";
constexpr const char* kCalibration = "calibration.yaml";

/// What two measurements must share to be the same one, made again.
auto identity(const Measurement& m) {
  return std::tuple(m.device, m.devices, m.backend, m.engine, m.model, m.quantization, m.test, m.tokens, m.depth, m.ubatch, m.flash_attention.value_or(true));
}

/// Effects of one device beyond what its groups already have: the terms with the built-in factors in them, and one group that may still move.
std::string local_group(const std::vector<const Measurement*>& rows, const std::string& device_key) {
  const auto& catalog = Catalog::builtin();
  std::vector<Measurement> copies;
  for (const auto* m : rows) copies.push_back(*m);
  calibration::Observations built;
  std::vector<calibration::Observation> shifted;
  for (std::size_t i = 0; i < copies.size(); ++i) {
    std::string reason;
    if (!built.add(copies[i], i, catalog, reason)) continue;
    auto o = built.all().back();
    const auto& m = copies[i];
    const auto profile = catalog.speed_profile_of(catalog.find_device(m.device), m.backend, m.backend == "cpu", m.engine, o.years);
    for (auto& term : o.terms) term.seconds = term.value(profile);
    o.groups = {{0, SpeedLevel::local}};
    o.years = 0;
    shifted.push_back(std::move(o));
  }
  std::map<std::string, double> values;
  for (const auto test : {MeasuredTest::decode, MeasuredTest::prefill}) {
    std::vector<const calibration::Observation*> some;
    for (const auto& o : shifted) {
      if (copies[o.row].test == test) some.push_back(&o);
    }
    if (some.empty()) continue;
    calibration::SolverOptions options;
    options.scale = 0.05;  // one machine, one engine: steadier than what is published
    options.levels = {SpeedLevel::local};
    const auto effects = calibration::solve(some, 1, options);
    for (std::size_t e = 0; e < kEffects; ++e) {
      const double v = effects.at(0, static_cast<Effect>(e));
      if (v != 0) values[std::string(to_string(static_cast<Effect>(e)))] = v;
    }
  }
  std::string list;
  for (const auto& [name, value] : values) list += fmt::format("{}{}: {:.4f}", list.empty() ? "" : ", ", name, value);
  return fmt::format("  - {{id: \"local/{}\", rows: {}, source: measurements.csv, effects: {{{}}}}}\n", device_key, shifted.size(), list);
}

[[noreturn]] void fail(const fs::path& path, const char* what, int error) {
  throw Error(ErrorKind::invalid_file, fmt::format("{}: {}: {}", path.string(), what, std::generic_category().message(error)));
}

/// A file descriptor that is closed at the end.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  [[nodiscard]] int get() const { return fd_; }

 private:
  int fd_;
};

}  // namespace

fs::path user_folder() {
  if (const char* xdg = std::getenv("XDG_CONFIG_HOME"); xdg != nullptr && *xdg != '\0') return fs::path(xdg) / "planner";
  if (const char* home = std::getenv("HOME"); home != nullptr && *home != '\0') return fs::path(home) / ".config" / "planner";
  return {};
}

void replace_file(const fs::path& path, std::string_view content) {
  // Beside the file, so that the rename stays within one file system; the process number keeps two writers apart.
  const fs::path partial = path.string() + fmt::format(".{}.part", ::getpid());
  {
    const Descriptor file(::open(partial.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
    if (file.get() < 0) fail(partial, "cannot be written", errno);
    for (std::size_t written = 0; written < content.size();) {
      const auto n = ::write(file.get(), content.data() + written, content.size() - written);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) fail(partial, "cannot be written", errno);
      written += static_cast<std::size_t>(n);
    }
    if (::fsync(file.get()) != 0) fail(partial, "cannot be flushed", errno);
  }
  if (::rename(partial.c_str(), path.c_str()) != 0) fail(path, "cannot be replaced", errno);
  const Descriptor folder(::open(path.has_parent_path() ? path.parent_path().c_str() : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folder.get() >= 0) (void)::fsync(folder.get());  // the rename itself; some file systems cannot
}

std::vector<Measurement> stored_measurements(const fs::path& folder) {
  const fs::path path = folder / kMeasurements;
  std::error_code status;
  if (!fs::exists(path, status)) return {};
  std::ifstream in(path, std::ios::binary);
  std::stringstream content;
  content << in.rdbuf();
  if (!in) throw Error(ErrorKind::invalid_file, path.string() + ": cannot be read");
  return read_measurements(content.str(), {}, path.string());
}

std::vector<std::string> store_measurements(const fs::path& folder, std::vector<Measurement> rows) {
  std::error_code status;
  fs::create_directories(folder, status);
  if (status) throw Error(ErrorKind::invalid_file, folder.string() + ": cannot be made: " + status.message());
  auto all = stored_measurements(folder);
  for (auto& row : rows) {
    const auto it = std::find_if(all.begin(), all.end(), [&](const Measurement& m) { return identity(m) == identity(row); });
    if (it == all.end()) all.push_back(std::move(row));
    else *it = std::move(row);
  }
  std::map<std::string, std::vector<const Measurement*>> by_device;
  for (const auto& m : all) by_device[m.backend + "/" + m.device].push_back(&m);
  std::string yaml = "# What measurements.csv changes; made by planner import and planner calibrate, and made anew by each.\nspeed:\n";
  std::vector<std::string> devices;
  for (const auto& [key, members] : by_device) {
    yaml += local_group(members, key);
    devices.push_back(key);
  }
  // Measurements first: should the second write not come to pass, the next import makes it up.
  replace_file(folder / kMeasurements, write_measurements(all));
  replace_file(folder / kCalibration, yaml);
  return devices;
}

}  // namespace planner
