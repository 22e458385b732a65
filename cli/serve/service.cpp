#include "service.h"

#include <fmt/format.h>

#include <string_view>

#include "openapi.h"
#include "planner/batch.h"
#include "planner/check.h"
#include "planner/error.h"
#include "planner/listing.h"

namespace planner::serve {
namespace {

constexpr const char* kJson = "application/json";
constexpr const char* kJsonLines = "application/jsonl";
enum Http { kBadRequest = 400, kForbidden = 403, kNotFound = 404, kTooLarge = 413, kUnsupported = 415, kUnprocessable = 422, kInternal = 500 };

int http_status(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::usage: return kBadRequest;
    case ErrorKind::unknown_name: return kNotFound;
    case ErrorKind::invalid_file: return kUnprocessable;
  }
  return kInternal;
}

struct Forbidden : Error {
  using Error::Error;
};

std::string reason_of(int status) {
  switch (status) {
    case kNotFound: return "no such path; /openapi.json lists them";
    case 405: return "this path takes another method; /openapi.json says which";
    case kTooLarge: return "the body is larger than this service takes";
    default: return fmt::format("the request was refused with status {}", status);
  }
}

std::string parameter(const httplib::Request& request, const char* name) { return request.has_param(name) ? request.get_param_value(name) : std::string(); }

}  // namespace

Service::Service(httplib::Server& server, const Catalog& catalog, const Limits& limits) : catalog_(catalog), limits_(limits), turns_(limits.computing_at_once) {
  server.new_task_queue = [n = static_cast<std::size_t>(limits.connections)] { return new httplib::ThreadPool(n); };
  server.set_payload_max_length(limits.body_bytes);
  server.set_read_timeout(limits.socket);
  server.set_write_timeout(limits.socket);
  server.set_keep_alive_timeout(limits.socket.count());
  server.set_keep_alive_max_count(std::size_t{1} << 30);
  server.set_tcp_nodelay(true);
  // Before the body is read: a compressed one could become any size.
  server.set_pre_routing_handler([](const Request& request, Response& response) {
    if (!request.has_header("Content-Encoding")) return httplib::Server::HandlerResponse::Unhandled;
    response.status = kUnsupported;
    response.set_content(error_json("the body is compressed: send it as it is"), kJson);
    return httplib::Server::HandlerResponse::Handled;
  });
  server.set_error_handler([](const Request&, Response& response) {
    if (response.body.empty()) response.set_content(error_json(reason_of(response.status)), kJson);
  });
  server.set_exception_handler([](const Request&, Response& response, const std::exception_ptr&) {
    response.status = kInternal;
    response.set_content(error_json("internal error"), kJson);
  });
  server.Get("/healthz", [](const Request&, Response& response) { response.set_content(fmt::format(R"({{"status":"ok","version":"{}"}})", PLANNER_VERSION), kJson); });
  server.Get("/openapi.json", [](const Request&, Response& response) { response.set_content(kOpenApi.data(), kOpenApi.size(), kJson); });
  add_questions(server);
  add_lists(server);
}

template <typename Make>
void Service::respond(Response& response, const char* type, Make make) {
  turns_.acquire();
  try {
    response.set_content(make(), type);
  } catch (const Forbidden& e) {
    response.status = kForbidden;
    response.set_content(error_json(e.what()), kJson);
  } catch (const Error& e) {
    response.status = http_status(e.kind());
    response.set_content(error_json(e.what()), kJson);
  } catch (...) {
    turns_.release();
    throw;
  }
  turns_.release();
}

std::string Service::answer(const std::string& request_json) const {
  const auto request = request_from_json(request_json);
  if (!limits_.may_read_files && names_files(request)) throw Forbidden(ErrorKind::usage, "requests may not name files of this machine (serve --files allows it)");
  return to_json(estimate(request, catalog_));
}

void Service::add_questions(httplib::Server& server) {
  server.Post("/v1/estimate", [this](const Request& request, Response& response) { respond(response, kJson, [&] { return answer(request.body); }); });
  server.Post("/v1/batch", [this](const Request& request, Response& response) {
    respond(response, kJsonLines, [&] {
      const auto deadline = std::chrono::steady_clock::now() + limits_.computing;
      std::string answers;
      std::string_view rest = request.body;
      for (std::int64_t line = 1; !rest.empty(); ++line) {
        const auto end = std::min(rest.find('\n'), rest.size());
        try {
          if (std::chrono::steady_clock::now() > deadline) throw Error(ErrorKind::usage, "the time limit of this batch was reached: ask for the rest in another one");
          answers += answer(std::string(rest.substr(0, end)));
        } catch (const Error& e) {
          answers += error_json(e.what(), line);
        }
        answers += '\n';
        rest.remove_prefix(std::min(end + 1, rest.size()));
      }
      return answers;
    });
  });
  server.Post("/v1/check", [this](const Request& request, Response& response) {
    respond(response, kJson, [&] {
      CheckOptions options;
      options.model = parameter(request, "model");
      options.quantization = parameter(request, "quant");
      return to_json(check_log(read_engine_log(request.body, "the log"), options, catalog_));
    });
  });
}

void Service::add_lists(httplib::Server& server) {
  const auto add = [&](const char* path, EntryKind kind) {
    server.Get(path, [this, kind](const Request& request, Response& response) {
      respond(response, kJson, [&] {
        std::vector<std::string> words;
        if (auto filter = parameter(request, "filter"); !filter.empty()) words.push_back(std::move(filter));
        return list_json(kind, words, catalog_);
      });
    });
  };
  add("/v1/models", EntryKind::model);
  add("/v1/gpus", EntryKind::device);
  add("/v1/quants", EntryKind::quantization);
  add("/v1/engines", EntryKind::engine);
  server.Get("/v1/show", [this](const Request& request, Response& response) {
    respond(response, kJson, [&] { return to_json(resolve_entry(catalog_, parameter(request, "name")), catalog_); });
  });
}

}  // namespace planner::serve
