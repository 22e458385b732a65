/// Running a model: sequences of tokens, their KV cache, and the logits of what comes next.
///
/// A session belongs to one thread at a time; several sessions may share a Transformer. Memory is taken when the session is made and does not
/// grow: session_memory() tells it beforehand.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "runtime/matrix.h"
#include "runtime/thread_pool.h"
#include "runtime/tokenizer.h"
#include "runtime/transformer.h"

namespace planner::runtime {

struct SessionOptions {
  std::int64_t context = 0;  ///< tokens that one sequence may hold; 0: the smaller of the model's own limit and 8192
  std::int64_t n_sequences = 1;
  std::int64_t ubatch = 512;           ///< tokens that go through the model at once
  FormatId kv_type_k = FormatId::f16;  ///< f32, f16 or q8_0
  FormatId kv_type_v = FormatId::f16;
  Path path = best_path();  ///< Path::reference: float arithmetic in place of the fast kernels
};

/// Bytes that a session takes besides the weights.
struct SessionMemory {
  std::int64_t kv_cache_bytes = 0;
  std::int64_t buffer_bytes = 0;  ///< activations of a ubatch, attention, logits
};
/// Throws what Session's constructor throws.
[[nodiscard]] SessionMemory session_memory(const Transformer& model, const SessionOptions& options, int n_threads);

/// A token for one of several sequences.
struct SequenceToken {
  std::int64_t sequence = 0;
  TokenId token = 0;
};

class Session {
 public:
  /// `pool` is borrowed. Throws Error (usage): a context below 1 or beyond what memory can hold, no sequence, a KV type that is not supported
  /// or does not divide a head's width.
  Session(const Transformer& model, ThreadPool& pool, const SessionOptions& options = {});
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  [[nodiscard]] std::int64_t context() const;
  /// Tokens in a sequence.
  [[nodiscard]] std::int64_t length(std::int64_t sequence = 0) const;
  [[nodiscard]] SessionMemory memory() const;

  /// Appends tokens to a sequence, a ubatch at a time, and returns the logits behind the last `n_logits` of them: n_logits rows of
  /// vocabulary_size values, valid until the next call. n_logits may be 0.
  /// Throws Error: an id outside the vocabulary, more tokens than the context has room for (usage); logits that are no numbers, with the tensor
  /// that holds damaged blocks (invalid_file). The sequence is then as it was, but for the window of sliding layers.
  std::span<const float> append(std::int64_t sequence, std::span<const TokenId> tokens, std::int64_t n_logits = 1);
  /// One token for each of several sequences, at once: reads the weights once for all. Returns a row of logits for each.
  /// Throws as append(); a sequence may be named once only (usage).
  std::span<const float> append_each(std::span<const SequenceToken> tokens);

  /// Takes a sequence back to its first `length` tokens, which are then as if nothing had followed. False where that cannot be: layers with a
  /// window have overwritten what they would need; the sequence is then as it was. Throws Error (usage) for a length that it does not have.
  [[nodiscard]] bool rewind(std::int64_t sequence, std::int64_t length);
  /// Bytes of the cache that decoding one token of a sequence of `length` tokens reads.
  [[nodiscard]] std::int64_t kv_bytes_per_token(std::int64_t length) const;
  /// Forgets a sequence.
  void clear(std::int64_t sequence = 0);
  /// Makes `to` a copy of `from`: one prompt, several answers.
  void copy(std::int64_t from, std::int64_t to);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace planner::runtime
