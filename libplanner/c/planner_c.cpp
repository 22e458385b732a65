#include "planner_c.h"

#include <cstdlib>
#include <cstring>
#include <exception>
#include <filesystem>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <vector>

#include "planner/batch.h"
#include "planner/check.h"
#include "planner/error.h"
#include "planner/estimate.h"
#include "planner/inspection.h"
#include "planner/listing.h"

struct planner_catalog {
  std::unique_ptr<planner::Catalog> facts;
};

namespace {

using namespace planner;

const Catalog& facts_of(const planner_catalog* catalog) { return catalog != nullptr ? *catalog->facts : Catalog::builtin(); }

char* copy_of(std::string_view text) noexcept {
  auto* copy = static_cast<char*>(std::malloc(text.size() + 1));
  if (copy == nullptr) return nullptr;
  std::memcpy(copy, text.data(), text.size());
  copy[text.size()] = '\0';
  return copy;
}

planner_status refuse(char** answer, planner_status status, std::string_view why) noexcept {
  try {
    if (answer != nullptr) *answer = copy_of(error_json(why));
  } catch (...) {
    return PLANNER_INTERNAL;  // no memory for a reason either
  }
  return status;
}

/// Runs `make`, which returns a text, behind a wall that no exception passes.
template <typename Make>
planner_status guarded(char** answer, Make make) noexcept {
  if (answer == nullptr) return PLANNER_BAD_USAGE;
  *answer = nullptr;
  try {
    planner_status status = PLANNER_OK;
    *answer = copy_of(make(status));
    return *answer != nullptr ? status : PLANNER_INTERNAL;
  } catch (const Error& e) {
    return refuse(answer, e.kind() == ErrorKind::invalid_file ? PLANNER_BAD_FILE : PLANNER_BAD_USAGE, e.what());
  } catch (const std::bad_alloc&) {
    return PLANNER_INTERNAL;
  } catch (const std::exception& e) {
    return refuse(answer, PLANNER_INTERNAL, e.what());
  } catch (...) {
    return refuse(answer, PLANNER_INTERNAL, "an exception of unknown kind");
  }
}

std::string_view required(const char* text, const char* name) {
  if (text == nullptr) throw Error(ErrorKind::usage, std::string(name) + " is NULL");
  return text;
}

planner_status list(EntryKind kind, const planner_catalog* catalog, const char* filter, char** answer) noexcept {
  return guarded(answer, [&](planner_status&) {
    std::vector<std::string> words;
    if (filter != nullptr && *filter != '\0') words.emplace_back(filter);
    return list_json(kind, words, facts_of(catalog));
  });
}

}  // namespace

const char* planner_version(void) { return PLANNER_VERSION; }
int planner_abi(void) { return 1; }

planner_status planner_open(const char* const* folders, size_t n_folders, planner_catalog** catalog, char** answer) {
  if (catalog == nullptr || (folders == nullptr && n_folders > 0)) return refuse(answer, PLANNER_BAD_USAGE, "catalog or folders is NULL");
  *catalog = nullptr;
  const auto status = guarded(answer, [&](planner_status&) {
    std::vector<std::filesystem::path> paths;
    for (size_t i = 0; i < n_folders; ++i) paths.emplace_back(required(folders[i], "a folder"));
    auto opened = std::make_unique<planner_catalog>();
    opened->facts = Catalog::with_overlays(paths);
    *catalog = opened.release();
    return std::string();
  });
  if (status == PLANNER_OK) {
    std::free(*answer);
    *answer = nullptr;
  }
  return status;
}

void planner_close(planner_catalog* catalog) { delete catalog; }

planner_status planner_estimate(const planner_catalog* catalog, const char* request_json, char** answer) {
  return guarded(answer, [&](planner_status&) { return to_json(estimate(request_from_json(required(request_json, "the request")), facts_of(catalog))); });
}

planner_status planner_batch(const planner_catalog* catalog, const char* requests_jsonl, char** answer) {
  return guarded(answer, [&](planner_status&) { return answer_lines(required(requests_jsonl, "the requests"), facts_of(catalog)); });
}

planner_status planner_models(const planner_catalog* catalog, const char* filter, char** answer) { return list(EntryKind::model, catalog, filter, answer); }
planner_status planner_gpus(const planner_catalog* catalog, const char* filter, char** answer) { return list(EntryKind::device, catalog, filter, answer); }
planner_status planner_quants(const planner_catalog* catalog, const char* filter, char** answer) { return list(EntryKind::quantization, catalog, filter, answer); }
planner_status planner_engines(const planner_catalog* catalog, const char* filter, char** answer) { return list(EntryKind::engine, catalog, filter, answer); }

planner_status planner_show(const planner_catalog* catalog, const char* name, char** answer) {
  return guarded(answer, [&](planner_status&) { return to_json(resolve_entry(facts_of(catalog), required(name, "the name")), facts_of(catalog)); });
}

planner_status planner_inspect(const char* path, char** answer) {
  return guarded(answer, [&](planner_status&) { return to_json(inspect(std::filesystem::path(required(path, "the path")))); });
}

planner_status planner_check(const planner_catalog* catalog, const char* log_text, const char* model, double tolerance, char** answer) {
  return guarded(answer, [&](planner_status& status) {
    if (!(tolerance >= 0)) throw Error(ErrorKind::usage, "the tolerance is not a number from 0 on");
    CheckOptions options;
    options.tolerance = tolerance;
    if (model != nullptr) options.model = model;
    const auto check = check_log(read_engine_log(required(log_text, "the log"), "the log"), options, facts_of(catalog));
    if (!check.holds()) status = PLANNER_CHECK_FAILED;
    return to_json(check);
  });
}

void planner_free(char* answer) { std::free(answer); }
