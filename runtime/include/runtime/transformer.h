/// A model ready to run: a file's weights, checked tensor for tensor against what libplanner says of its architecture.
///
///     Transformer model("model.gguf");
///     Tokenizer tokenizer(model.file().header());
///     Session session(model, {.context = 4096});
///     auto logits = session.append(0, tokenizer.encode("Hello"));
///
/// Which architectures: architectures_supported(). They are composed of the mixers and feed-forwards of planner/model.h; nothing is written for
/// one of them alone but a row in a table.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "planner/model.h"
#include "runtime/model_file.h"

namespace planner::runtime {

struct Weights;

class Transformer {
 public:
  /// Maps the file and reads what is small of it. Throws Error (invalid_file): what ModelFile refuses; an architecture or part of one, a number
  /// format or a kind of RoPE scaling that is not supported (named); a tensor that is missing or of another shape than the architecture's.
  explicit Transformer(const std::filesystem::path& path);
  ~Transformer();
  Transformer(Transformer&&) noexcept;
  Transformer& operator=(Transformer&&) = delete;

  [[nodiscard]] const ModelFile& file() const { return file_; }
  [[nodiscard]] const Model& description() const { return description_; }
  [[nodiscard]] const Weights& weights() const { return *weights_; }
  /// What the file has besides what its architecture predicts, or lacks of it where the model runs without: "extra blk.0.foo.weight [64]".
  [[nodiscard]] const std::vector<std::string>& notes() const { return notes_; }

  /// Tokens that the model was trained for; 0: the file does not say.
  [[nodiscard]] std::int64_t context_length() const { return description_.hyperparameters.context_length; }
  [[nodiscard]] std::int64_t vocabulary_size() const { return description_.hyperparameters.vocab_size; }
  /// Bytes of all tensors.
  [[nodiscard]] std::int64_t weight_bytes() const { return file_.header().tensor_bytes; }
  /// Bytes of weights that decoding one token reads: all matrices, of experts the active share, of look-up tables nothing unless they are
  /// the output head too.
  [[nodiscard]] std::int64_t weight_bytes_per_token() const;

 private:
  ModelFile file_;
  Model description_;
  std::vector<std::string> notes_;
  std::unique_ptr<const Weights> weights_;
};

/// GGUF names of the architectures that run.
[[nodiscard]] std::vector<std::string_view> architectures_supported();

}  // namespace planner::runtime
