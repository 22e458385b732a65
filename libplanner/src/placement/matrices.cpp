#include "placement/matrices.h"

#include <algorithm>
#include <variant>

namespace planner {
namespace placement {
namespace {

using Matrix = WeightMap::Matrix;

bool contains(std::string_view name, std::string_view part) { return name.find(part) != std::string_view::npos; }

/// Whether every rank holds the whole matrix: down-projections of latent attention (their output is shared by the heads), the sparse-attention indexer,
/// routers and gates of one output.
/// Source: ReplicatedLinear in vllm/model_executor/models/deepseek_v2.py and its kin (vllm-project/vllm).
bool is_replicated(const Tensor& t) {
  if (t.role == TensorRole::router || t.n_dims < 2) return true;
  return t.role == TensorRole::other && (contains(t.name, "attn_q_a") || contains(t.name, "attn_kv_a") || contains(t.name, "indexer."));
}

const Attention* attention_of(const Model& model, int layer) {
  if (layer < 0 || static_cast<std::size_t>(layer) >= model.layers.size()) return nullptr;
  for (const auto& mixer : model.layers[static_cast<std::size_t>(layer)].mixers) {
    if (const auto* a = std::get_if<Attention>(&mixer)) return a;
  }
  return nullptr;
}

Matrix matrix_of(const Model& model, const Tensor& t, std::int64_t bytes) {
  Matrix m;
  m.layer = t.layer;
  if (t.layer < 0) m.place = t.is_table ? Matrix::Place::embedding : Matrix::Place::head;
  if (is_replicated(t)) {
    m.whole = bytes;
    return m;
  }
  const auto* a = attention_of(model, t.layer);
  switch (t.role) {
    case TensorRole::attn_q: m.group = Matrix::Group::qkv; m.even = bytes; break;
    case TensorRole::attn_k:
    case TensorRole::attn_v:
      m.group = Matrix::Group::qkv;
      (a != nullptr && a->n_kv_heads > 0 ? m.kv : m.even) = bytes;
      break;
    case TensorRole::attn_qkv: {
      if (a == nullptr || a->n_kv_heads == 0) {
        m.even = bytes;
        break;
      }
      const std::int64_t kv_rows = a->n_kv_heads * (a->head_dim + a->head_dim_v);
      m.kv = bytes * kv_rows / (kv_rows + a->n_heads * a->head_dim);
      m.even = bytes - m.kv;
      break;
    }
    case TensorRole::ffn_gate:
    case TensorRole::ffn_up:
      m.group = t.is_expert ? Matrix::Group::experts_in : contains(t.name, "shexp") ? Matrix::Group::none : Matrix::Group::gate_up;
      m.even = bytes;
      break;
    case TensorRole::token_embd:
    case TensorRole::output:
      m.even = bytes;
      m.vocabulary = t.shape[1];
      break;
    default:
      // Position tables are held whole; what is left are projections.
      (t.is_table && t.role == TensorRole::other ? m.whole : m.even) = bytes;
      break;
  }
  if (m.kv > 0) m.kv_heads = a->n_kv_heads;
  return m;
}

}  // namespace

void add_matrices(const Model& model, const StoredModel& stored, WeightMap& map) {
  constexpr std::int64_t kHalf = 2;
  map.matrices.reserve(model.tensors.size());
  for (std::size_t i = 0; i < model.tensors.size(); ++i) {
    const auto& t = model.tensors[i];
    if (t.part == ModelPart::vision || t.part == ModelPart::audio) map.towers += kHalf * t.n_elements();
    if (t.part != ModelPart::text || stored.bytes[i] == 0 || !t.is_parameter) continue;
    // Vectors are summed up: each is far too small to matter by itself.
    const bool is_vector = t.n_dims < 2;
    if (is_vector && !map.matrices.empty() && map.matrices.back().layer == t.layer && map.matrices.back().place == Matrix::Place::layer && t.layer >= 0) {
      map.matrices.back().whole += stored.bytes[i];
      continue;
    }
    map.matrices.push_back(matrix_of(model, t, stored.bytes[i]));
  }
}

}  // namespace placement

std::int64_t WeightMap::Matrix::rank_bytes(std::int64_t ranks, std::int64_t vocabulary_multiple) const {
  std::int64_t shared = even;
  if (vocabulary > 0) {
    const std::int64_t multiple = std::max<std::int64_t>(1, vocabulary_multiple);
    const std::int64_t rows = (vocabulary + multiple - 1) / multiple * multiple;
    shared = static_cast<std::int64_t>(static_cast<double>(even) / static_cast<double>(vocabulary) * static_cast<double>(rows));
  }
  const std::int64_t heads = kv_heads > 0 ? std::max<std::int64_t>(1, (kv_heads + ranks - 1) / ranks) : 0;
  return (shared + ranks - 1) / ranks + (kv_heads > 0 ? kv / kv_heads * heads : 0) + whole;
}

}  // namespace planner
