#include "runtime/matrix.h"

#include <array>
#include <cassert>

#include "cpu.h"
#include "kernels.h"

namespace planner::runtime {
namespace {

#if defined(PLANNER_HAS_AVX2)
bool has_avx2() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("f16c"); }
bool has_avx512() {
  return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vbmi") && __builtin_cpu_supports("avx512vnni");
}
#endif

std::vector<Path> find_paths() {
  std::vector<Path> paths = {Path::reference, Path::portable};
#if defined(PLANNER_HAS_AVX2)
  if (has_avx2()) paths.push_back(Path::avx2);
  if (has_avx2() && cpu_has_avx_vnni()) paths.push_back(Path::avx_vnni);
  if (has_avx512()) paths.push_back(Path::avx512);
#endif
#if defined(PLANNER_HAS_NEON)
  if (cpu_has_dot_products()) paths.push_back(Path::neon);
#endif
  return paths;
}

constexpr std::int64_t round_up(std::int64_t n, std::int64_t to) { return (n + to - 1) / to * to; }

/// Memory at cache lines that only grows.
class Buffer {
 public:
  std::byte* resize(std::int64_t bytes) {
    if (bytes > size_) {
      data_.reset(static_cast<std::byte*>(::operator new(static_cast<std::size_t>(bytes), std::align_val_t{64})));
      size_ = bytes;
    }
    return data_.get();
  }

 private:
  struct Free {
    void operator()(std::byte* p) const { ::operator delete(p, std::align_val_t{64}); }
  };
  std::unique_ptr<std::byte, Free> data_;
  std::int64_t size_ = 0;
};

// From how many tokens on unpacking weights once for all of them is faster than reading them packed for each.
constexpr std::int64_t kManyTokens = 4;
// Bytes of weights that a thread takes at a time: large enough that claiming costs nothing, small enough that no thread waits long at the end.
constexpr std::int64_t kPieceBytes = 96 << 10;

}  // namespace

std::string_view to_string(Path path) {
  switch (path) {
    case Path::reference: return "reference";
    case Path::portable: return "portable";
    case Path::avx2: return "avx2";
    case Path::avx_vnni: return "avx_vnni";
    case Path::avx512: return "avx512";
    case Path::neon: return "neon";
  }
  return "";
}

std::span<const Path> available_paths() {
  static const std::vector<Path> paths = find_paths();
  return paths;
}

Path best_path() { return available_paths().back(); }

const Kernels& kernels_of(Path path) {
  switch (path) {
    case Path::reference: return reference_kernels();
#if defined(PLANNER_HAS_AVX2)
    case Path::avx2: return avx2_kernels();
    case Path::avx_vnni: return avx_vnni_kernels();
    case Path::avx512: return avx512_kernels();
#endif
#if defined(PLANNER_HAS_NEON)
    case Path::neon: return neon_kernels();
#endif
    default: return portable_kernels();
  }
}

void dequantize_row(const Matrix& matrix, std::int64_t row, float* values) { matrix.format->dequantize(matrix.row(row), values, matrix.columns); }

// ---------------------------------------------------------------------------------------------------------------------

/// The quantized forms of an input, made when first asked for.
struct ActivationForms {
  struct Made {
    bool ready = false;
    Path path{};
    Buffer memory;
    std::vector<ActivationRow> rows;
  };
  std::array<Made, kForms> forms;

  static void forget(Activations& x) {
    for (auto& made : x.forms_->forms) made.ready = false;
  }

  /// The rows in `form`; quantized by `path`'s kernels on all threads.
  static const ActivationRow* rows(Activations& x, Form form, const Execution& execution) {
    auto& made = x.forms_->forms[static_cast<std::size_t>(form)];
    if (made.ready && made.path == execution.path) return made.rows.data();
    const std::int64_t n = x.columns_;
    const std::int64_t q_bytes = round_up(n, 64), scale_bytes = round_up(n / 32 * 4, 64), sum_bytes = round_up(n / 16 * 2, 64);
    const std::int64_t bytes = form == Form::values ? 0 : q_bytes + scale_bytes + sum_bytes;
    std::byte* memory = bytes > 0 ? made.memory.resize(bytes * x.n_tokens_) : nullptr;
    made.rows.resize(static_cast<std::size_t>(x.n_tokens_));
    const auto& kernels = kernels_of(execution.path);
    const auto make = [&](std::int64_t begin, std::int64_t end, int) {
      for (std::int64_t t = begin; t < end; ++t) {
        auto& row = made.rows[static_cast<std::size_t>(t)];
        row = {x.values(t), nullptr, nullptr, nullptr};
        if (form == Form::values) continue;
        std::byte* at = memory + t * bytes;
        auto* q = reinterpret_cast<std::int8_t*>(at);
        auto* scale = reinterpret_cast<float*>(at + q_bytes);
        auto* sums = reinterpret_cast<std::int16_t*>(at + q_bytes + scale_bytes);
        kernels.quantize(x.values(t), n, form, q, scale, sums);
        row = {x.values(t), q, scale, sums};
      }
    };
    if (execution.pool != nullptr)
      execution.pool->parallel_for(0, x.n_tokens_, 4, make);
    else
      make(0, x.n_tokens_, 0);
    made.ready = true;
    made.path = execution.path;
    return made.rows.data();
  }
};

Activations::Activations() : forms_(std::make_unique<ActivationForms>()) {}
Activations::~Activations() = default;
Activations::Activations(Activations&&) noexcept = default;
Activations& Activations::operator=(Activations&&) noexcept = default;

void Activations::assign(const float* x, std::int64_t columns, std::int64_t n_tokens, std::int64_t stride) {
  x_ = x;
  columns_ = columns;
  n_tokens_ = n_tokens;
  stride_ = stride > 0 ? stride : columns;
  ActivationForms::forget(*this);
}

// ---------------------------------------------------------------------------------------------------------------------

namespace {

/// A product made ready: which kernel, which form of its input, in pieces of how many rows.
struct Task {
  const Product* product;
  const FormatKernels* kernels;
  const ActivationRow* x;
  std::int64_t piece_rows;
  std::int64_t first_piece;  ///< numbered through all products
  bool many;
};

void run_piece(const Task& task, std::int64_t piece, Buffer& scratch) {
  const auto& m = task.product->matrix;
  const std::int64_t n_tokens = task.product->x->n_tokens();
  const std::int64_t y_stride = task.product->y_stride > 0 ? task.product->y_stride : m.rows;
  const std::int64_t begin = (piece - task.first_piece) * task.piece_rows, end = std::min(begin + task.piece_rows, m.rows);
  RowBlock w{reinterpret_cast<const std::uint8_t*>(m.row(begin)), m.row_bytes(), end - begin, m.columns};
  float* y = task.product->y + begin;
  if (!task.many) {
    for (std::int64_t t = 0; t < n_tokens; ++t) task.kernels->dot(w, task.x[t], y + t * y_stride);
    return;
  }
  auto* panel = reinterpret_cast<std::uint8_t*>(scratch.resize(panel_bytes(m.columns)));
  for (std::int64_t r = begin; r < end; r += kPanelRows) {
    w.data = reinterpret_cast<const std::uint8_t*>(m.row(r));
    w.rows = std::min<std::int64_t>(kPanelRows, end - r);
    task.kernels->many(w, task.x, n_tokens, task.product->y + r, y_stride, panel);
  }
}

}  // namespace

void multiply(std::span<const Product> products, const Execution& execution) {
  const auto& kernels = kernels_of(execution.path);
  const int n_threads = execution.pool != nullptr ? execution.pool->size() : 1;
  static thread_local std::vector<Task> tasks;
  tasks.clear();
  std::int64_t n_pieces = 0;
  for (const auto& p : products) {
    assert(p.x->columns() == p.matrix.columns && p.matrix.columns % p.matrix.format->layout->block_weights == 0);
    if (p.matrix.rows == 0 || p.x->n_tokens() == 0) continue;
    const auto& k = kernels.formats[static_cast<std::size_t>(p.matrix.format->id)];
    const bool many = k.many != nullptr && p.x->n_tokens() >= kManyTokens;
    Task task{&p, &k, ActivationForms::rows(*p.x, many ? k.many_form : k.form, execution), p.matrix.rows, n_pieces, many};
    if (n_threads > 1) {
      // At least four pieces a thread, so that one that comes late holds up nobody.
      const std::int64_t wanted = std::min(kPieceBytes, p.matrix.bytes() / (4 * n_threads));
      task.piece_rows = std::min(p.matrix.rows, round_up(std::max<std::int64_t>(1, wanted / p.matrix.row_bytes()), many ? kPanelRows : 4));
    }
    n_pieces += (p.matrix.rows + task.piece_rows - 1) / task.piece_rows;
    tasks.push_back(task);
  }
  const auto work = [&all = tasks](std::int64_t begin, std::int64_t end, int) {
    static thread_local Buffer scratch;
    std::size_t at = all.size() - 1;
    while (all[at].first_piece > begin) --at;
    for (std::int64_t piece = begin; piece < end; ++piece) {
      while (at + 1 < all.size() && all[at + 1].first_piece <= piece) ++at;
      run_piece(all[at], piece, scratch);
    }
  };
  if (execution.pool != nullptr)
    execution.pool->parallel_for(0, n_pieces, 1, work);
  else if (n_pieces > 0)
    work(0, n_pieces, 0);
}

void multiply(const Matrix& matrix, Activations& x, float* y, const Execution& execution) {
  const Product product{matrix, &x, y, 0};
  multiply(std::span(&product, 1), execution);
}

void multiply(const Matrix& matrix, const float* x, std::int64_t n_tokens, float* y, const Execution& execution) {
  static thread_local Activations activations;
  activations.assign(x, matrix.columns, n_tokens);
  multiply(matrix, activations, y, execution);
}

}  // namespace planner::runtime
