#include "runtime/model_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cerrno>
#include <cstring>
#include <utility>

#include "planner/error.h"

namespace planner::runtime {
namespace {

[[noreturn]] void fail(const std::filesystem::path& path, const std::string& problem) { throw Error(ErrorKind::invalid_file, path.string() + ": " + problem); }

}  // namespace

ModelFile::ModelFile(const std::filesystem::path& path) : header_(read_gguf_header(path)) {
  static_assert(std::endian::native == std::endian::little, "weights are read as they are in the file");
  if (header_.big_endian) fail(path, "its weights are big-endian, expected little-endian");
  try {
    for (const auto& shard : header_.shards) {
      if (!shard.is_complete()) {
        fail(shard.path, "cut off: " + std::to_string(shard.file_bytes) + " bytes, the header speaks of " + std::to_string(shard.declared_file_bytes));
      }
      const int file = ::open(shard.path.c_str(), O_RDONLY | O_CLOEXEC);
      if (file < 0) fail(shard.path, std::string("cannot be opened: ") + std::strerror(errno));
      struct stat status {};
      void* data = MAP_FAILED;
      // What was checked is the size that the header's reader saw; a file that shrank since then must not be touched.
      const bool same = ::fstat(file, &status) == 0 && status.st_size >= shard.needed_file_bytes && shard.needed_file_bytes > 0;
      const auto size = static_cast<std::size_t>(shard.needed_file_bytes);
      if (same) data = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, file, 0);
      const int error = errno;
      ::close(file);
      if (!same) fail(shard.path, "changed while it was read");
      if (data == MAP_FAILED) fail(shard.path, std::string("cannot be mapped: ") + std::strerror(error));
      mappings_.push_back({static_cast<const std::byte*>(data), size});
    }
  } catch (...) {
    for (const auto& m : mappings_) ::munmap(const_cast<std::byte*>(m.data), m.bytes);
    throw;
  }
  by_name_.reserve(header_.tensors.size());
  for (const auto& tensor : header_.tensors) by_name_.emplace(tensor.name, &tensor);
}

// The pointers of by_name_ survive: a moved vector keeps its elements where they are.
ModelFile::ModelFile(ModelFile&& other) noexcept
    : header_(std::move(other.header_)), mappings_(std::exchange(other.mappings_, {})), by_name_(std::exchange(other.by_name_, {})) {}

ModelFile::~ModelFile() {
  for (const auto& m : mappings_) ::munmap(const_cast<std::byte*>(m.data), m.bytes);
}

std::span<const std::byte> ModelFile::bytes(const GgufTensor& tensor) const {
  const auto begin = static_cast<std::size_t>(header_.position(tensor));
  return {mappings_[tensor.shard].data + begin, static_cast<std::size_t>(tensor.bytes)};
}

Matrix ModelFile::matrix(const GgufTensor& tensor) const {
  const auto* format = find_format(tensor.format);
  if (format == nullptr) {
    fail(header_.path,
         "tensor '" + tensor.name + "' is stored as " + std::string(tensor_format(tensor.format).name) + ", which the runtime does not compute with");
  }
  return {format, bytes(tensor).data(), tensor.shape[1] * tensor.shape[2] * tensor.shape[3], tensor.shape[0]};
}

const GgufTensor* ModelFile::find(std::string_view name) const {
  const auto it = by_name_.find(name);
  return it == by_name_.end() ? nullptr : it->second;
}

void ModelFile::check_blocks(ThreadPool* pool) const {
  constexpr std::int64_t kWeights = 1 << 22;  // of a piece; a multiple of every block
  struct Piece {
    const GgufTensor* tensor;
    const Format* format;
    std::int64_t first, n;
  };
  std::vector<Piece> pieces;
  for (const auto& tensor : header_.tensors) {
    const auto* format = find_format(tensor.format);
    if (format == nullptr || format->check == nullptr) continue;
    for (std::int64_t at = 0; at < tensor.n_elements(); at += kWeights) pieces.push_back({&tensor, format, at, std::min(kWeights, tensor.n_elements() - at)});
  }
  std::atomic<std::int64_t> damaged{static_cast<std::int64_t>(pieces.size())};  // the first piece that is
  const auto check = [&](const Piece& p, std::int64_t* block) { return p.format->check(bytes(*p.tensor).data() + p.format->row_bytes(p.first), p.n, block); };
  const auto search = [&](std::int64_t from, std::int64_t to, int) {
    for (auto i = from; i < to; ++i) {
      std::int64_t block = 0;
      if (check(pieces[static_cast<std::size_t>(i)], &block).empty()) continue;
      auto first = damaged.load();
      while (i < first && !damaged.compare_exchange_weak(first, i)) {
      }
    }
  };
  if (pool != nullptr) {
    pool->parallel_for(0, damaged, 1, search);
  } else {
    search(0, damaged, 0);
  }
  if (damaged == static_cast<std::int64_t>(pieces.size())) return;
  const auto& piece = pieces[static_cast<std::size_t>(damaged.load())];
  std::int64_t block = 0;
  const auto problem = check(piece, &block);
  fail(header_.path,
       "tensor '" + piece.tensor->name + "', block " + std::to_string(piece.first / piece.format->layout->block_weights + block) + ": " + std::string(problem));
}

}  // namespace planner::runtime
