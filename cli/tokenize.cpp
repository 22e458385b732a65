// planner tokenize: the ids of a text, by a model file's own tokenizer.

#include <CLI/App.hpp>

#include <cstdio>
#include <iostream>
#include <iterator>

#include "command.h"
#include "runtime/tokenizer.h"

namespace planner::cli {
namespace {

struct Options {
  std::string model;
  bool add_special = false;
  bool plain = false;
  bool decode = false;
};

Status run(const Options& o) {
  const runtime::Tokenizer tokenizer(read_gguf_header(o.model));
  if (o.decode) {
    std::vector<runtime::TokenId> ids;
    for (runtime::TokenId id = 0; std::cin >> id;) ids.push_back(id);
    const auto text = tokenizer.decode(ids, true);
    std::fwrite(text.data(), 1, text.size(), stdout);
    return Status::answered;
  }
  const std::string text{std::istreambuf_iterator<char>(std::cin), std::istreambuf_iterator<char>()};
  std::string line;
  for (const auto id : tokenizer.encode(text, {.add_special = o.add_special, .parse_special = !o.plain})) {
    line += (line.empty() ? "" : " ") + std::to_string(id);
  }
  std::puts(line.c_str());
  return Status::answered;
}

}  // namespace

Command add_tokenize(CLI::App& program) {
  auto o = std::make_shared<Options>();
  auto* app = program.add_subcommand("tokenize", "Reads a text from standard input and prints its ids by a model file's own tokenizer");
  app->add_option("-m,--model", o->model, "A .gguf file; its tensors may be missing")->required();
  app->add_flag("--special", o->add_special, "With the tokens that the model wants around a text: BOS, EOS");
  app->add_flag("--plain", o->plain, "Texts like <|im_end|> are characters, not that token");
  app->add_flag("--decode", o->decode, "The other way: reads ids, prints the text");
  return {app, [o] { return run(*o); }};
}

}  // namespace planner::cli
