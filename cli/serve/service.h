// The HTTP service: the command line's JSON over a socket. No arithmetic: every route is one call of the library.
#pragma once

#include <httplib.h>

#include <chrono>
#include <cstddef>
#include <semaphore>

#include "planner/catalog.h"
#include "planner/estimate.h"

namespace planner::serve {

struct Limits {
  std::size_t body_bytes = std::size_t{8} << 20;         ///< of a request; more is 413
  std::chrono::seconds computing{30};                    ///< of one batch: lines behind it are refused
  std::chrono::seconds socket{5};                        ///< without a byte from (or taken by) the other side
  std::ptrdiff_t connections = 128;                      ///< at once; more wait
  std::ptrdiff_t computing_at_once = 1;                  ///< questions; more wait
  bool may_read_files = false;                           ///< whether requests may name files of this machine
};

/// Sets routes, limits and error answers. `catalog` and the service outlive the server's listening.
class Service {
 public:
  Service(httplib::Server& server, const Catalog& catalog, const Limits& limits);

 private:
  using Request = httplib::Request;
  using Response = httplib::Response;

  /// One answer; throws Error.
  [[nodiscard]] std::string answer(const std::string& request_json) const;
  void add_questions(httplib::Server& server);
  void add_lists(httplib::Server& server);
  /// Calls `make` when its turn to compute has come, and turns what it throws into a status and planner.error/1.
  template <typename Make>
  void respond(Response& response, const char* type, Make make);

  const Catalog& catalog_;
  Limits limits_;
  std::counting_semaphore<> turns_;
};

}  // namespace planner::serve
