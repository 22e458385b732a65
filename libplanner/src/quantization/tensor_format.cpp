#include "planner/tensor_format.h"

#include <array>
#include <cassert>

#include "core/text.h"

namespace planner {
namespace {

// Block layouts: ggml/src/ggml-common.h of ggml-org/llama.cpp (struct sizes), type numbers: ggml/include/ggml.h.
constexpr std::array kFormats = {
    TensorFormat{FormatId::f32, "F32", 0, 1, 4},
    TensorFormat{FormatId::f16, "F16", 1, 1, 2},
    TensorFormat{FormatId::bf16, "BF16", 30, 1, 2},
    TensorFormat{FormatId::f64, "F64", 28, 1, 8},
    TensorFormat{FormatId::i8, "I8", 24, 1, 1},
    TensorFormat{FormatId::i16, "I16", 25, 1, 2},
    TensorFormat{FormatId::i32, "I32", 26, 1, 4},
    TensorFormat{FormatId::i64, "I64", 27, 1, 8},
    TensorFormat{FormatId::q4_0, "Q4_0", 2, 32, 2 + 16},
    TensorFormat{FormatId::q4_1, "Q4_1", 3, 32, 4 + 16},
    TensorFormat{FormatId::q5_0, "Q5_0", 6, 32, 2 + 4 + 16},
    TensorFormat{FormatId::q5_1, "Q5_1", 7, 32, 4 + 4 + 16},
    TensorFormat{FormatId::q8_0, "Q8_0", 8, 32, 2 + 32},
    TensorFormat{FormatId::q8_1, "Q8_1", 9, 32, 4 + 32},
    TensorFormat{FormatId::q2_k, "Q2_K", 10, 256, 16 + 64 + 4},
    TensorFormat{FormatId::q3_k, "Q3_K", 11, 256, 32 + 64 + 12 + 2},
    TensorFormat{FormatId::q4_k, "Q4_K", 12, 256, 4 + 12 + 128},
    TensorFormat{FormatId::q5_k, "Q5_K", 13, 256, 4 + 12 + 32 + 128},
    TensorFormat{FormatId::q6_k, "Q6_K", 14, 256, 128 + 64 + 16 + 2},
    TensorFormat{FormatId::q8_k, "Q8_K", 15, 256, 4 + 256 + 32},
    TensorFormat{FormatId::iq1_s, "IQ1_S", 19, 256, 2 + 32 + 16},
    TensorFormat{FormatId::iq1_m, "IQ1_M", 29, 256, 32 + 16 + 8},
    TensorFormat{FormatId::iq2_xxs, "IQ2_XXS", 16, 256, 2 + 64},
    TensorFormat{FormatId::iq2_xs, "IQ2_XS", 17, 256, 2 + 64 + 8},
    TensorFormat{FormatId::iq2_s, "IQ2_S", 22, 256, 2 + 64 + 16},
    TensorFormat{FormatId::iq3_xxs, "IQ3_XXS", 18, 256, 2 + 96},
    TensorFormat{FormatId::iq3_s, "IQ3_S", 21, 256, 2 + 64 + 8 + 32 + 4},
    TensorFormat{FormatId::iq4_nl, "IQ4_NL", 20, 32, 2 + 16},
    TensorFormat{FormatId::iq4_xs, "IQ4_XS", 23, 256, 2 + 2 + 4 + 128},
    TensorFormat{FormatId::tq1_0, "TQ1_0", 34, 256, 2 + 4 + 48},
    TensorFormat{FormatId::tq2_0, "TQ2_0", 35, 256, 2 + 64},
    TensorFormat{FormatId::mxfp4, "MXFP4", 39, 32, 1 + 16},
    TensorFormat{FormatId::nvfp4, "NVFP4", 40, 64, 4 + 32},
    TensorFormat{FormatId::q1_0, "Q1_0", 41, 128, 2 + 16},
    TensorFormat{FormatId::q2_0, "Q2_0", 42, 64, 2 + 16},
    TensorFormat{FormatId::fp8, "FP8", -1, 1, 1},
    // ik_llama.cpp's: ggml/src/ggml-common.h and the type traits in ggml/src/ggml.c of ikawrakow/ik_llama.cpp. _R4 and _R8 hold that many rows woven together.
    TensorFormat{FormatId::q6_0, "Q6_0", 133, 32, 26},
    TensorFormat{FormatId::iq2_k, "IQ2_K", 137, 256, 76},
    TensorFormat{FormatId::iq3_k, "IQ3_K", 138, 256, 110},
    TensorFormat{FormatId::iq4_k, "IQ4_K", 139, 256, 144},
    TensorFormat{FormatId::iq5_k, "IQ5_K", 140, 256, 176},
    TensorFormat{FormatId::iq6_k, "IQ6_K", 141, 256, 212},
    TensorFormat{FormatId::iq4_ks, "IQ4_KS", 144, 256, 136, 4},
    TensorFormat{FormatId::iq2_ks, "IQ2_KS", 145, 256, 70, 2},
    TensorFormat{FormatId::iq4_kss, "IQ4_KSS", 146, 256, 128, 4},
    TensorFormat{FormatId::iq5_ks, "IQ5_KS", 152, 256, 168, 4},
    TensorFormat{FormatId::iq2_kt, "IQ2_KT", 153, 256, 68, 4},
    TensorFormat{FormatId::iq3_kt, "IQ3_KT", 154, 256, 100, 4},
    TensorFormat{FormatId::iq4_kt, "IQ4_KT", 155, 256, 128, 4},
    TensorFormat{FormatId::iq3_ks, "IQ3_KS", 156, 256, 102, 2},
    TensorFormat{FormatId::iq2_kl, "IQ2_KL", 157, 256, 86, 2},
    TensorFormat{FormatId::iq1_kt, "IQ1_KT", 158, 256, 56, 4},
    TensorFormat{FormatId::q4_0_r8, "Q4_0_R8", 202, 32, 18},
    TensorFormat{FormatId::q5_0_r4, "Q5_0_R4", 206, 32, 22},
    TensorFormat{FormatId::q8_0_r8, "Q8_0_R8", 208, 32, 34},
    TensorFormat{FormatId::q2_k_r4, "Q2_K_R4", 210, 256, 84},
    TensorFormat{FormatId::q3_k_r4, "Q3_K_R4", 211, 256, 110},
    TensorFormat{FormatId::q4_k_r4, "Q4_K_R4", 212, 256, 144},
    TensorFormat{FormatId::q5_k_r4, "Q5_K_R4", 213, 256, 176},
    TensorFormat{FormatId::q6_k_r4, "Q6_K_R4", 214, 256, 210},
    TensorFormat{FormatId::iq2_xxs_r4, "IQ2_XXS_R4", 216, 256, 66},
    TensorFormat{FormatId::iq2_xs_r4, "IQ2_XS_R4", 217, 256, 74},
    TensorFormat{FormatId::iq3_xxs_r4, "IQ3_XXS_R4", 218, 256, 98},
    TensorFormat{FormatId::iq1_s_r4, "IQ1_S_R4", 219, 32, 6, 2},
    TensorFormat{FormatId::iq4_nl_r4, "IQ4_NL_R4", 220, 32, 18},
    TensorFormat{FormatId::iq3_s_r4, "IQ3_S_R4", 221, 256, 110},
    TensorFormat{FormatId::iq2_s_r4, "IQ2_S_R4", 222, 256, 82},
    TensorFormat{FormatId::iq4_xs_r8, "IQ4_XS_R8", 223, 256, 136},
    TensorFormat{FormatId::iq1_m_r4, "IQ1_M_R4", 229, 32, 7, 2},
    TensorFormat{FormatId::q6_0_r4, "Q6_0_R4", 233, 32, 26},
    TensorFormat{FormatId::iq2_k_r4, "IQ2_K_R4", 337, 256, 76},
    TensorFormat{FormatId::iq3_k_r4, "IQ3_K_R4", 338, 256, 110},
    TensorFormat{FormatId::iq4_k_r4, "IQ4_K_R4", 339, 256, 144},
    TensorFormat{FormatId::iq5_k_r4, "IQ5_K_R4", 340, 256, 176},
    TensorFormat{FormatId::iq4_ks_r4, "IQ4_KS_R4", 344, 256, 136, 4},
    TensorFormat{FormatId::iq5_ks_r4, "IQ5_KS_R4", 352, 256, 168, 4},
    TensorFormat{FormatId::mxfp4_r8, "MXFP4_R8", 353, 32, 17},
    TensorFormat{FormatId::q8_k_r8, "Q8_K_R8", 399, 256, 258},
};

constexpr bool ids_are_positions() {
  for (std::size_t i = 0; i < kFormats.size(); ++i) {
    if (static_cast<std::size_t>(kFormats[i].id) != i) return false;
  }
  return true;
}
static_assert(ids_are_positions(), "kFormats must be in FormatId order");

}  // namespace

std::span<const TensorFormat> tensor_formats() { return kFormats; }

const TensorFormat& tensor_format(FormatId id) {
  const auto index = static_cast<std::size_t>(id);
  assert(index < kFormats.size());
  return kFormats[index];
}

const TensorFormat* find_tensor_format(std::string_view name) {
  for (const auto& format : kFormats) {
    if (text::equal_ignoring_case(format.name, name)) return &format;
  }
  return nullptr;
}

const TensorFormat* find_gguf_type(std::int64_t gguf_type) {
  if (gguf_type < 0) return nullptr;
  for (const auto& format : kFormats) {
    if (format.gguf_type == gguf_type) return &format;
  }
  return nullptr;
}

}  // namespace planner
