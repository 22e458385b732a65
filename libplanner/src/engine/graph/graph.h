// A computation graph as an inference engine hands it to its allocator: tensors with shapes and strides, the tensors that they are computed from,
// which of them are views, and the order in which they are computed. Nothing is computed here; the graph says what is alive when.
//
// Weights and caches lie in buffers of their own, so a graph for one place names them nowhere: an operation lists only the sources that the allocator
// has to place. A write into a cache is a node that uses its sources and occupies nothing (`sink`). A graph that is to be divided between devices
// (scheduler.h) also says where weights and caches lie, and names those that may have to be copied (`stored`).
//
// Order: `expand` appends a tensor behind everything that it needs, sources first to last, as ggml_build_forward_expand does; what is already in the
// graph stays where it is. Source: ggml/src/ggml.c (ggml-org/llama.cpp).
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <vector>

namespace planner::engine::graph {

/// A tensor of a Graph; kNone where an operation has no such operand.
using Id = std::int32_t;
inline constexpr Id kNone = -1;

using Shape = std::array<std::int64_t, 4>;

/// A memory with its processor: accelerators by number, the host behind them; kAnywhere: not decided.
using Place = std::int8_t;
inline constexpr Place kAnywhere = -1;

inline constexpr std::int32_t kF32 = 4, kF16 = 2, kI32 = 4, kI64 = 8;  // bytes per element

/// What the allocator reads comes first and fills one cache line; shape and strides fill another.
struct alignas(64) Tensor {
  static constexpr int kMostSources = 8;
  std::int64_t bytes = 0;        ///< what it occupies; 0 for views and sinks
  std::array<Id, kMostSources> sources{kNone, kNone, kNone, kNone, kNone, kNone, kNone, kNone};
  Id view_of = kNone;            ///< the tensor whose memory it shows; never itself a view
  std::int32_t element_bytes = kF32;
  std::int8_t n_sources = 0;
  bool leaf = false;             ///< an input: there before anything is computed
  bool output = false;           ///< read after the graph has run: never freed, never overwritten
  bool in_place = false;         ///< may overwrite a source of the same layout
  bool external = false;         ///< lies in a buffer of its own
  bool in_graph = false;
  bool view_only = false;        ///< a reshape, view, permutation: nothing is computed
  bool is_weight = false;        ///< external: weights, not a cache
  bool host_only = false;        ///< no accelerator has the operation
  Place fixed = kAnywhere;       ///< external: where it lies; computed: where it must be
  Place weights = kAnywhere;     ///< where the weights lie that the operation reads
  Place place = 0;               ///< where it is: all in one place, or as the scheduler decided
  bool moves = false;            ///< worth computing on an accelerator though its weights lie on the host
  bool is_product = false;       ///< by a matrix of weights, whose format the accelerator has to know
  Shape shape{1, 1, 1, 1};
  Shape strides{};               ///< bytes
};

/// Who needs a tensor of the order.
struct Demand {
  std::int32_t uses = 0;   ///< nodes that read it
  std::int32_t views = 0;  ///< nodes that show its memory
};

class Graph {
 public:
  /// Forgets everything; memory is kept for the next graph.
  void clear();

  // --- tensors without sources ----------------------------------------------------------------------------------------
  Id input(std::int32_t element_bytes, std::int64_t n0, std::int64_t n1 = 1, std::int64_t n2 = 1, std::int64_t n3 = 1);

  // --- operations whose result is a tensor of its own -------------------------------------------------------------------
  /// A result of the given shape that never overwrites its sources: products, concatenations, gathers, copies.
  Id op(Shape shape, std::initializer_list<Id> sources, std::int32_t element_bytes = kF32);
  /// The same where rows are quantized: `bytes` in all.
  Id op_of_bytes(Shape shape, std::int64_t bytes, std::initializer_list<Id> sources);
  /// A result shaped like its first source, which it may overwrite (or another of the same layout): sums, products, activations, norms, rotations.
  Id elementwise(std::initializer_list<Id> sources);
  /// A contiguous copy of another shape.
  Id contiguous(Id a, Shape shape);
  Id contiguous(Id a) { return contiguous(a, at(a).shape); }
  /// `weight` of `rows` outputs times `a`: [rows, a1, a2, a3]. `stored` is the weight where the graph names it.
  Id matmul(std::int64_t rows, Id a, Id stored = kNone);
  /// Rows of `a` chosen by `ids`.
  Id get_rows(Id a, Id ids);
  /// `a` and `b` side by side along one dimension.
  Id concat(Id a, Id b, int dimension);
  /// A gated activation of two tensors: never in place.
  Id glu(Id gate, Id up);
  /// A write into memory outside the graph.
  Id sink(std::initializer_list<Id> sources);
  /// Weights or a part of a cache in a buffer of their own.
  Id stored(std::int64_t bytes, Place where, bool is_weight);

  /// Where the weights of the products added from now on lie.
  void weights_in(Place where) { weights_ = where; }
  /// The operation works on `batch` tokens with weights that lie there; 0: it stays with them however large it is.
  void reads_weights(Id a, Place where, std::int64_t batch) {
    constexpr std::int64_t kSmallestMoved = 32;  // tokens
    at(a).weights = where;
    at(a).moves = batch >= kSmallestMoved;
  }

  // --- views --------------------------------------------------------------------------------------------------------------
  Id reshape(Id a, Shape shape);
  Id view(Id a, Shape shape, Shape strides);
  Id permute(Id a, int axis0, int axis1, int axis2, int axis3);
  Id transpose(Id a) { return permute(a, 1, 0, 2, 3); }
  /// A result of the graph that is written over `a` (rows of it): uses the sources, occupies nothing.
  Id write_rows(Id a, std::initializer_list<Id> sources);

  void mark_output(Id a) { if (a != kNone) at(a).output = true; }

  /// Appends `a` and what it needs to the order.
  void expand(Id a);
  /// Remembers how far the order has come: where a layer begins.
  void cut() { cuts_.push_back(order_.size()); }

  [[nodiscard]] Tensor& at(Id id) { return tensors_[static_cast<std::size_t>(id)]; }
  [[nodiscard]] const Tensor& at(Id id) const { return tensors_[static_cast<std::size_t>(id)]; }
  [[nodiscard]] std::int64_t extent(Id id, int dimension) const { return at(id).shape[static_cast<std::size_t>(dimension)]; }
  [[nodiscard]] std::int64_t stride(Id id, int dimension) const { return at(id).strides[static_cast<std::size_t>(dimension)]; }
  [[nodiscard]] std::size_t n_tensors() const { return tensors_.size(); }
  [[nodiscard]] const std::vector<Id>& order() const { return order_; }  ///< nodes, views included
  [[nodiscard]] const std::vector<Demand>& demand() const { return demand_; }  ///< by Id, of the nodes in the order
  [[nodiscard]] const std::vector<Id>& leaves() const { return leaves_; }
  [[nodiscard]] const std::vector<std::size_t>& cuts() const { return cuts_; }  ///< one per layer
  /// Another order of the same work (with leaves and cuts), as the scheduler makes it: the former ones are swapped out, uses are counted anew.
  void reorder(std::vector<Id>& order, std::vector<Id>& leaves, std::vector<std::size_t>& cuts);
  /// A tensor like `a` to copy it to; a leaf only where the caller lists it as one.
  Id duplicate(Id a);

 private:
  Id add(Shape shape, std::int32_t element_bytes, std::initializer_list<Id> sources);
  Id add_view(Id a, Shape shape, Shape strides);

  std::vector<Tensor> tensors_;
  std::vector<Demand> demand_;
  std::vector<Id> order_, leaves_;
  std::vector<std::size_t> cuts_;
  Place weights_ = kAnywhere;
};

/// Bytes from the first to the last element; of views what they show.
[[nodiscard]] std::int64_t span_bytes(const Tensor& t);

[[nodiscard]] inline std::int64_t n_elements(const Shape& s) { return s[0] * s[1] * s[2] * s[3]; }

}  // namespace planner::engine::graph
