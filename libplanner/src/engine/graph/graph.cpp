#include "engine/graph/graph.h"

#include <algorithm>

namespace planner::engine::graph {
namespace {

Shape contiguous_strides(const Shape& shape, std::int32_t element_bytes) {
  const std::int64_t row = element_bytes * shape[0];
  const std::int64_t plane = row * shape[1];
  return {element_bytes, row, plane, plane * shape[2]};
}

}  // namespace

void Graph::clear() {
  tensors_.clear();
  demand_.clear();
  order_.clear();
  leaves_.clear();
  cuts_.clear();
  weights_ = kAnywhere;
}

Id Graph::add(Shape shape, std::int32_t element_bytes, std::initializer_list<Id> sources) {
  auto& t = tensors_.emplace_back();
  demand_.emplace_back();
  t.shape = shape;
  t.element_bytes = element_bytes;
  t.strides = contiguous_strides(shape, element_bytes);
  t.bytes = t.strides[3] * shape[3];
  for (const Id source : sources) {
    if (source != kNone) t.sources[static_cast<std::size_t>(t.n_sources++)] = source;
  }
  return static_cast<Id>(tensors_.size() - 1);
}

Id Graph::add_view(Id a, Shape shape, Shape strides) {
  const Id id = add(shape, at(a).element_bytes, {a});
  auto& t = at(id);
  t.strides = strides;
  t.bytes = 0;
  t.view_of = at(a).view_of != kNone ? at(a).view_of : a;
  t.view_only = true;
  return id;
}

Id Graph::input(std::int32_t element_bytes, std::int64_t n0, std::int64_t n1, std::int64_t n2, std::int64_t n3) {
  const Id id = add({n0, n1, n2, n3}, element_bytes, {});
  at(id).leaf = true;
  return id;
}

Id Graph::op(Shape shape, std::initializer_list<Id> sources, std::int32_t element_bytes) { return add(shape, element_bytes, sources); }

Id Graph::op_of_bytes(Shape shape, std::int64_t bytes, std::initializer_list<Id> sources) {
  const Id id = add(shape, 1, sources);
  at(id).bytes = bytes;
  return id;
}

Id Graph::elementwise(std::initializer_list<Id> sources) {
  const Id first = *sources.begin();
  const Id id = add(at(first).shape, at(first).element_bytes, sources);
  at(id).in_place = true;
  return id;
}

Id Graph::contiguous(Id a, Shape shape) { return add(shape, at(a).element_bytes, {a}); }

Id Graph::matmul(std::int64_t rows, Id a, Id stored) {
  auto shape = at(a).shape;
  shape[0] = rows;
  const Id id = add(shape, kF32, {stored, a});
  reads_weights(id, weights_, shape[1]);
  at(id).is_product = true;
  return id;
}

Id Graph::get_rows(Id a, Id ids) {
  const auto i = at(ids).shape;
  return add({extent(a, 0), i[0], i[1], i[2]}, at(a).element_bytes, {a, ids});
}

Id Graph::concat(Id a, Id b, int dimension) {
  auto shape = at(a).shape;
  shape[static_cast<std::size_t>(dimension)] += extent(b, dimension);
  return add(shape, at(a).element_bytes, {a, b});
}

Id Graph::glu(Id gate, Id up) { return add(at(gate).shape, kF32, {gate, up}); }

Id Graph::sink(std::initializer_list<Id> sources) {
  const Id id = add({1, 1, 1, 1}, kF32, sources);
  at(id).bytes = 0;
  at(id).external = true;
  return id;
}

Id Graph::stored(std::int64_t bytes, Place where, bool is_weight) {
  const Id id = add({bytes, 1, 1, 1}, 1, {});
  auto& t = at(id);
  t.leaf = t.external = true;
  t.is_weight = is_weight;
  t.fixed = where;
  return id;
}

void Graph::reorder(std::vector<Id>& order, std::vector<Id>& leaves, std::vector<std::size_t>& cuts) {
  order_.swap(order);
  leaves_.swap(leaves);
  cuts_.swap(cuts);
  demand_.assign(tensors_.size(), {});
  for (const Id id : order_) {
    const auto& t = at(id);
    if (t.view_of != kNone) ++demand_[static_cast<std::size_t>(t.view_of)].views;
    for (int i = 0; i < t.n_sources; ++i) ++demand_[static_cast<std::size_t>(t.sources[static_cast<std::size_t>(i)])].uses;
  }
}

Id Graph::duplicate(Id a) {
  const auto bytes = span_bytes(at(a));
  const Id id = add(at(a).shape, at(a).element_bytes, {});
  auto& t = at(id);
  t.strides = at(a).strides;
  t.bytes = bytes;
  return id;
}

Id Graph::reshape(Id a, Shape shape) { return add_view(a, shape, contiguous_strides(shape, at(a).element_bytes)); }

Id Graph::view(Id a, Shape shape, Shape strides) { return add_view(a, shape, strides); }

Id Graph::permute(Id a, int axis0, int axis1, int axis2, int axis3) {
  const std::array<int, 4> axes{axis0, axis1, axis2, axis3};
  Shape shape{};
  Shape strides{};
  for (std::size_t i = 0; i < axes.size(); ++i) {
    shape[static_cast<std::size_t>(axes[i])] = at(a).shape[i];
    strides[static_cast<std::size_t>(axes[i])] = at(a).strides[i];
  }
  return add_view(a, shape, strides);
}

Id Graph::write_rows(Id a, std::initializer_list<Id> sources) {
  const Id id = add(at(a).shape, at(a).element_bytes, sources);
  auto& t = at(id);
  t.sources[static_cast<std::size_t>(t.n_sources++)] = a;
  t.strides = at(a).strides;
  t.bytes = 0;
  t.view_of = at(a).view_of != kNone ? at(a).view_of : a;
  return id;
}

std::int64_t span_bytes(const Tensor& t) {
  if (t.view_of == kNone) return t.bytes;
  std::int64_t last = t.element_bytes;
  for (std::size_t i = 0; i < t.shape.size(); ++i) {
    if (t.shape[i] == 0) return 0;
    last += (t.shape[i] - 1) * t.strides[i];
  }
  return last;
}

void Graph::expand(Id a) {
  auto& t = at(a);
  if (t.in_graph) return;
  t.in_graph = true;
  for (int i = 0; i < t.n_sources; ++i) {
    const Id source = t.sources[static_cast<std::size_t>(i)];
    if (!at(source).in_graph) expand(source);
    ++demand_[static_cast<std::size_t>(source)].uses;
  }
  if (t.view_of != kNone) ++demand_[static_cast<std::size_t>(t.view_of)].views;
  (t.leaf ? leaves_ : order_).push_back(a);
}

}  // namespace planner::engine::graph
