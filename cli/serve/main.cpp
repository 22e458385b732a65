// planner serve: a local HTTP service with the command line's JSON. A program of its own, so that the others need not load an HTTP library;
// `planner serve` starts it.
#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <csignal>
#include <cstdio>
#include <string>
#include <thread>

#include "command.h"
#include "planner/error.h"
#include "service.h"

namespace {

using namespace planner;
using cli::Status;

struct Options {
  cli::CommonOptions common;
  std::string host = "127.0.0.1";
  int port = 8383;
  serve::Limits limits;
  long time_limit = 30, socket_limit = 5;
};

void add_options(CLI::App& app, Options& o) {
  app.add_option("--host", o.host, "Address to listen on; another than the loopback is open to others")->capture_default_str();
  app.add_option("--port,-p", o.port, "Port; 0: one that is free, which is printed")->check(CLI::Range(0, 65535))->capture_default_str();
  app.add_option("--threads,-t", o.limits.computing_at_once, "Questions answered at once")->check(CLI::Range(1, 1024))->capture_default_str();
  app.add_option("--connections", o.limits.connections, "Connections at once")->check(CLI::Range(1, 4096))->capture_default_str();
  app.add_option("--max-body", o.limits.body_bytes, "Bytes of the largest body taken")->check(CLI::Range(1024UL, 1UL << 30))->capture_default_str();
  app.add_option("--time-limit", o.time_limit, "Seconds that one batch may take")->check(CLI::Range(1, 3600))->capture_default_str();
  app.add_option("--socket-limit", o.socket_limit, "Seconds without a byte after which a connection is closed")->check(CLI::Range(1, 3600))->capture_default_str();
  app.add_flag("--files", o.limits.may_read_files, "Requests may name files of this machine (models, machines, projectors)");
  cli::add_data_option(app, o.common);
}

Status listen(Options& o) {
  const auto& catalog = cli::catalog_for(o.common);
  o.limits.computing = std::chrono::seconds(o.time_limit);
  o.limits.socket = std::chrono::seconds(o.socket_limit);
  httplib::Server server;
  const serve::Service service(server, catalog, o.limits);
  if (o.port == 0) o.port = server.bind_to_any_port(o.host.c_str());
  else if (!server.bind_to_port(o.host.c_str(), o.port)) o.port = -1;
  if (o.port < 0) throw Error(ErrorKind::usage, "cannot listen on " + o.host + ": the port is taken or not ours to take, or the address is not of this machine");

  // Signals are waited for on a thread of their own: what they start is then no matter of what a handler may do.
  sigset_t signals;
  sigemptyset(&signals);
  for (const int s : {SIGINT, SIGTERM, SIGUSR1}) sigaddset(&signals, s);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  std::thread waiting([&] {
    int which = 0;
    sigwait(&signals, &which);
    server.stop();  // requests that are being answered are
  });
  std::fprintf(stderr, "planner: listening on http://%s:%d (Ctrl-C stops)\n", o.host.c_str(), o.port);
  const bool ended_well = server.listen_after_bind();
  kill(getpid(), SIGUSR1);  // where no signal was the cause
  waiting.join();
  if (!ended_well) throw Error(ErrorKind::usage, "listening on " + o.host + " failed");
  return Status::answered;
}

}  // namespace

int main(int argc, char** argv) {
  Options o;
  o.limits.computing_at_once = std::max(1U, std::thread::hardware_concurrency());
  CLI::App app("A local HTTP service with the command line's JSON: /v1/estimate, /v1/batch, /v1/models ... (/openapi.json)", "planner serve");
  add_options(app, o);
  try {
    app.parse(argc, argv);
    return static_cast<int>(listen(o));
  } catch (const CLI::Success& e) {
    return app.exit(e);
  } catch (const CLI::ParseError& e) {
    std::fprintf(stderr, "planner: %s (try --help)\n", e.what());
    return static_cast<int>(Status::usage);
  } catch (const Error& e) {
    std::fprintf(stderr, "planner: %s\n", e.what());
    return static_cast<int>(e.kind() == ErrorKind::invalid_file ? Status::invalid_file : Status::usage);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "planner: internal error: %s\n", e.what());
    return 70;
  }
}
