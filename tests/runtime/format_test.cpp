// Formats against the values that ggml's own code gives: raw blocks and what they stand for (tests/fixtures/quant_golden: a part; all of them
// where PLANNER_FACTS is).

#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "runtime/format.h"
#include "support/files.h"

using namespace planner;
using namespace planner::runtime;

namespace {

std::vector<std::byte> read(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::vector<char> bytes{std::istreambuf_iterator<char>(in), {}};
  std::vector<std::byte> out(bytes.size());
  std::memcpy(out.data(), bytes.data(), bytes.size());
  return out;
}

std::string lower(std::string_view name) {
  std::string out(name);
  for (auto& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

/// Blocks, then their values as float32: how many blocks follows from the size.
struct Golden {
  std::vector<std::byte> blocks;
  std::vector<float> values;
};

Golden golden(const std::filesystem::path& path, const TensorFormat& layout) {
  const auto bytes = read(path);
  const auto per_block = static_cast<std::size_t>(layout.block_bytes + 4 * layout.block_weights);
  const std::size_t n = bytes.size() / per_block;
  Golden g;
  REQUIRE_MESSAGE(n > 0, path.string());
  REQUIRE(bytes.size() == n * per_block);
  const auto raw = n * static_cast<std::size_t>(layout.block_bytes);
  g.blocks.assign(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(raw));
  g.values.resize(n * static_cast<std::size_t>(layout.block_weights));
  std::memcpy(g.values.data(), bytes.data() + raw, g.values.size() * 4);
  return g;
}

void check_values(const Format& format, const Golden& g) {
  std::vector<float> values(g.values.size());
  format.dequantize(g.blocks.data(), values.data(), static_cast<std::int64_t>(values.size()));
  std::size_t wrong = 0, first = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const bool same = values[i] == 0.0F ? g.values[i] == 0.0F : std::bit_cast<std::uint32_t>(values[i]) == std::bit_cast<std::uint32_t>(g.values[i]);
    if (!same && wrong++ == 0) first = i;
  }
  CHECK_MESSAGE(wrong == 0, format.name(), ": ", wrong, " of ", values.size(), " differ, first at ", first, ": ", values[first], ", should be ", g.values[first]);
}

}  // namespace

TEST_CASE("dequantized values are ggml's, bit for bit") {
  for (const auto& format : formats()) {
    if (format.id == FormatId::f32) continue;
    check_values(format, golden(std::filesystem::path(PLANNER_SOURCE_DIR) / "tests/fixtures/quant_golden" / (lower(format.name()) + ".bin"), *format.layout));
  }
}

TEST_CASE("dequantized values of all stored blocks, and of blocks that ggml's quantizers made") {
  const auto folder = test::facts_folder();
  if (!folder) {
    MESSAGE("skipped: no folder of facts (PLANNER_FACTS)");
    return;
  }
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(*folder / "quant_golden")) {
    const auto name = entry.path().filename().string();
    const auto* layout = find_tensor_format(name.substr(0, name.find('.')));
    const auto* format = layout != nullptr ? find_format(layout->id) : nullptr;
    if (format == nullptr || entry.path().extension() != ".bin" || format->id == FormatId::f32) continue;
    INFO(name);
    check_values(*format, golden(entry.path(), *layout));
    ++files;
  }
  CHECK(files >= 54);
}

TEST_CASE("every format that GGUF files hold weights in has arithmetic") {
  for (const auto& layout : tensor_formats()) {
    const bool weights = layout.gguf_type >= 0 && layout.id != FormatId::f64 && layout.id != FormatId::i8 && layout.id != FormatId::i16 &&
                         layout.id != FormatId::i32 && layout.id != FormatId::i64 && layout.id != FormatId::q8_1 && layout.id != FormatId::q8_k &&
                         layout.id < FormatId::fp8;  // behind it: formats of ik_llama.cpp alone
    CHECK_MESSAGE((find_format(layout.id) != nullptr) == weights, layout.name);
  }
}

TEST_CASE("random blocks are valid and have the deviation asked for") {
  for (const auto& format : formats()) {
    Random random(7);
    for (const float deviation : {0.02F, 1.0F}) {
      constexpr std::int64_t n = 64 * 256;
      std::vector<std::byte> blocks(static_cast<std::size_t>(format.row_bytes(n)));
      format.random_blocks(blocks.data(), n, deviation, random);
      std::int64_t at = 0;
      CHECK_MESSAGE(format.check(blocks.data(), n, &at).empty(), format.name());
      std::vector<float> values(n);
      format.dequantize(blocks.data(), values.data(), n);
      double sum = 0, squares = 0;
      for (const float v : values) sum += v, squares += static_cast<double>(v) * v;
      // Q2_0 stands for -1 to 2; scales that are powers of two (MXFP4) or have three bits (NVFP4) come near only.
      const double tolerance = format.id == FormatId::mxfp4 ? 0.5 : format.id == FormatId::nvfp4 ? 0.2 : 0.06;
      CHECK_MESSAGE(std::abs(std::sqrt(squares / n) / deviation - 1) < tolerance, format.name(), ": ", std::sqrt(squares / n));
      CHECK_MESSAGE(std::abs(sum / n) < (format.id == FormatId::q2_0 ? 0.5 : 0.15) * deviation, format.name(), ": ", sum / n);
    }
  }
}

TEST_CASE("scales that are not finite are found") {
  for (const auto& format : formats()) {
    if (format.id == FormatId::mxfp4 || format.id == FormatId::nvfp4) continue;  // every byte is a finite scale
    const auto n = std::int64_t{4} * std::max(format.layout->block_weights, 1);
    std::vector<std::byte> blocks(static_cast<std::size_t>(format.row_bytes(n)), std::byte{0});
    std::int64_t at = -1;
    CHECK(format.check(blocks.data(), n, &at).empty());
    const auto block = static_cast<std::size_t>(format.layout->block_bytes);
    for (std::size_t i = 2 * block; i < 3 * block; ++i) blocks[i] = std::byte{0xff};
    CHECK_MESSAGE(!format.check(blocks.data(), n, &at).empty(), format.name());
    CHECK_MESSAGE(at == 2, format.name());
  }
}

TEST_CASE("half precision: every number there and back, rounding to nearest even") {
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    const auto half = static_cast<std::uint16_t>(bits);
    const float value = float_from_f16(half);
    if (std::isnan(value))
      CHECK(std::isnan(float_from_f16(f16_from_float(value))));
    else
      CHECK(f16_from_float(value) == half);
  }
  CHECK(f16_from_float(1.0F + 0x1p-11F) == 0x3c00);
  CHECK(f16_from_float(1.0F + 3 * 0x1p-11F) == 0x3c02);
  CHECK(f16_from_float(65519.0F) == 0x7bff);
  CHECK(f16_from_float(65520.0F) == 0x7c00);
  CHECK(f16_from_float(0x1p-25F) == 0);
  CHECK(f16_from_float(0x1.8p-25F) == 1);
  CHECK(bf16_from_float(1.0F + 0x1p-8F) == 0x3f80);
  CHECK(bf16_from_float(1.0F + 3 * 0x1p-8F) == 0x3f82);
  CHECK(float_from_bf16(0x4049) == doctest::Approx(3.140625));
}

TEST_CASE("Q8_0 is quantized as ggml does") {
  const auto folder = test::facts_folder();
  if (!folder) {
    MESSAGE("skipped: no folder of facts (PLANNER_FACTS)");
    return;
  }
  const auto row = read(*folder / "quant_golden/row_4096.f32.bin");
  std::vector<float> values(row.size() / 4);
  std::memcpy(values.data(), row.data(), row.size());
  for (const auto id : {FormatId::q8_0, FormatId::f16, FormatId::bf16}) {
    const auto& format = *find_format(id);
    const auto expected = read(*folder / "quant_golden" / (lower(format.name()) + ".quantized.bin"));
    std::vector<std::byte> blocks(static_cast<std::size_t>(format.row_bytes(static_cast<std::int64_t>(values.size()))));
    format.quantize(values.data(), blocks.data(), static_cast<std::int64_t>(values.size()));
    CHECK_MESSAGE(std::memcmp(blocks.data(), expected.data(), blocks.size()) == 0, format.name());
  }
}
