/// Where a model is to run: devices, host, engine, and what of the model goes where.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "planner/catalog.h"
#include "planner/quantization.h"

namespace planner {

/// One memory that parts of the model can lie in.
struct DeploymentDevice {
  const Device* device = nullptr;          ///< null: the host, nothing known of it, or a device without a limit
  std::string name;
  DeviceKind kind = DeviceKind::gpu;
  std::optional<std::int64_t> capacity_bytes;  ///< absent: not known or without a limit
  std::int64_t reserve_bytes = 0;          ///< kept by driver, desktop, operating system
  std::string reserve_source;

  [[nodiscard]] std::optional<std::int64_t> usable_bytes() const {
    if (!capacity_bytes) return std::nullopt;
    return *capacity_bytes > reserve_bytes ? *capacity_bytes - reserve_bytes : 0;
  }
};

/// How llama.cpp spreads a model over several devices.
enum class SplitMode : std::uint8_t {
  layer,  ///< whole layers, each with its cache
  row,    ///< rows of the large matrices over all devices; the rest, the cache and the intermediate results on the first
};

/// One rule of llama.cpp's --override-tensor: a tensor in whose name `pattern` is found (ECMAScript, as std::regex_search) lies in that buffer. The first rule
/// that matches counts.
struct TensorOverride {
  std::string pattern;
  int device = -1;  ///< index into Deployment::devices; -1: the host
};

struct Deployment {
  std::vector<DeploymentDevice> devices;  ///< accelerators in order; empty: the host alone
  DeploymentDevice host;
  std::string machine;                    ///< name of the machine file's machine; empty: none was given
  const Engine* engine = nullptr;
  std::string engine_version;             ///< where one was asked for: "b4748"; empty: the newest known
  std::string backend;                    ///< cuda, metal, rocm, vulkan, sycl, cpu
  double memory_fraction = 0;             ///< share of each device for an engine with a pool; 0: the engine's default
  std::optional<std::int64_t> pool_bytes;  ///< of the pool per device, given instead of a share (vLLM's --kv-cache-memory-bytes)
  bool unified_memory = false;            ///< host and (one) device share their memory: what lies on the host counts there

  // Spreading over devices.
  std::int64_t tensor_parallel = 0;       ///< ranks that share each layer; 0: the engine's default for the devices given
  std::int64_t pipeline_parallel = 0;     ///< stages of layers behind each other; 0: the engine's default
  SplitMode split = SplitMode::layer;
  std::vector<double> tensor_split;       ///< shares of the devices, in order; empty: by their free memory
  std::vector<TensorOverride> overrides;  ///< in order
  bool placed_by_hand = false;            ///< tensors are placed by hand in a way that neither `overrides` nor a placement tells
  // How the host's part of a model file is held.
  bool mmap = true;                       ///< mapped from the file instead of read into memory
  bool repack = true;                     ///< matrices that a CPU kernel wants in another order lie there in that order

  /// Devices that no catalog has: those of a machine file whose slots differ from the catalog's card. DeploymentDevice::device may point here.
  std::vector<std::shared_ptr<const Device>> described;
};

inline constexpr int kHost = -1;

/// What lies where. Indices are into Deployment::devices, kHost is the host.
struct Placement {
  std::vector<int> layer;           ///< device of each layer of the model proper
  std::vector<bool> experts_on_host;  ///< layers whose routed experts stay on the host
  int output = kHost;               ///< device of the output norm and head
  std::int64_t gpu_layers = 0;      ///< layers off the host, plus one for the output: llama.cpp's -ngl
};

/// Formats that a kernel streams and unpacks alike: what speed depends on besides bytes.
enum class WeightClass : std::uint8_t {
  half,      ///< F16, F32
  bfloat,    ///< BF16
  byte,      ///< Q8_0, FP8, INT8: one number a byte
  nibble,    ///< four and five bits with a scale per short block: Q4_0, Q5_1, IQ4_NL, MXFP4, GPTQ, AWQ, MLX
  super,     ///< K formats: blocks of blocks, scales quantized themselves
  codebook,  ///< IQ1 to IQ3 and ternary: weights looked up in a table
};
inline constexpr std::size_t kWeightClasses = 6;
[[nodiscard]] std::string_view to_string(WeightClass c);

/// Stored weights by class.
struct ClassBytes {
  std::array<std::int64_t, kWeightClasses> bytes{};
  std::array<std::int64_t, kWeightClasses> weights{};  ///< how many numbers those bytes hold

  void add(WeightClass c, std::int64_t more_bytes, std::int64_t more_weights) {
    bytes[static_cast<std::size_t>(c)] += more_bytes;
    weights[static_cast<std::size_t>(c)] += more_weights;
  }
};

/// Bytes of a stored model by the places that decide where they lie.
struct WeightMap {
  struct LayerBytes {
    std::int64_t dense = 0;    ///< everything of the layer but routed experts
    std::int64_t experts = 0;  ///< its stacks of routed experts
    ClassBytes dense_classes, expert_classes;
    std::int32_t matrices = 0;  ///< tensors that are multiplied (a stack of experts counts as one)
    std::int32_t vectors = 0;   ///< norms, biases and the like
  };
  std::vector<LayerBytes> layers;     ///< model proper
  std::int64_t token_embedding = 0;   ///< the table
  std::int64_t other_tables = 0;      ///< position and per-layer embedding tables
  std::int64_t output = 0;            ///< output head (0 when tied), output norm, everything global that is multiplied
  std::int64_t mtp = 0;               ///< multi-token-prediction layers in the file
  bool tied = false;
  std::vector<std::int64_t> tensors;  ///< bytes by the model's tensors, those of the prediction layers included
  ClassBytes output_classes;          ///< of what the output multiplies: `output`, or the table where it is tied

  /// Tensors that an override puts elsewhere, added up by layer and buffer. They are part of nothing above.
  struct Pinned {
    int layer = -1;                   ///< -1: outside the layers
    int device = -1;                  ///< index into Deployment::devices; -1: the host
    std::int64_t dense = 0, experts = 0;  ///< multiplied
    std::int64_t tables = 0;          ///< looked up by row
    ClassBytes dense_classes, expert_classes;
  };
  std::vector<Pinned> pinned;

  /// A matrix, by how tensor parallelism cuts it.
  struct Matrix {
    enum class Place : std::uint8_t { embedding, layer, head };
    enum class Group : std::uint8_t { none, qkv, gate_up, experts_in };  ///< of a layer, what some engines allocate as one
    Place place = Place::layer;
    Group group = Group::none;
    int layer = -1;
    std::int64_t even = 0;      ///< bytes that the ranks share
    std::int64_t kv = 0;        ///< bytes of K and V: a rank has at least one of the `kv_heads`
    std::int64_t whole = 0;     ///< bytes that every rank holds: norms, routers, down-projections
    std::int64_t kv_heads = 0;
    std::int64_t vocabulary = 0;  ///< rows of `even` that are padded; 0: none

    [[nodiscard]] std::int64_t rank_bytes(std::int64_t ranks, std::int64_t vocabulary_multiple) const;
  };
  std::vector<Matrix> matrices;       ///< of the model proper, in the order of the layers
  std::int64_t towers = 0;            ///< vision and audio towers in 16 bit

  [[nodiscard]] std::int64_t total() const;
};
/// Throws Error (usage): a pattern of `overrides` is no regular expression.
[[nodiscard]] WeightMap weight_map(const Model& model, const StoredModel& stored, const std::vector<TensorOverride>& overrides = {});

/// Layers filled onto the devices from the last backwards, as llama.cpp's -ngl does: the output goes last and counts as one, the first layers stay on the host
/// when `gpu_layers` is less than all. Devices take layers in proportion to `shares` (equal length as devices), their free memory as a rule. `n_behind`: layers of
/// the file behind the model proper (multi-token prediction), which are counted like the others.
/// Source: load_tensors in src/llama-model.cpp of ggml-org/llama.cpp.
[[nodiscard]] Placement place_layers(std::int64_t n_layers, std::int64_t gpu_layers, const std::vector<double>& shares, std::int64_t n_behind = 0);

/// Shares of the devices: tensor_split where it is given, else their usable memory.
[[nodiscard]] std::vector<double> device_shares(const Deployment& deployment);

/// A CPU's instructions, as far as they decide in which order matrices lie.
struct CpuFeatures {
  bool arm = false;     ///< ARM with 8-bit integer matrix instructions; else x86 with AVX2
  bool avx512 = false;
};
struct RepackedBytes {
  std::int64_t matrices = 0;    ///< in the order of a CPU kernel instead of the file's
  std::int64_t tied_copy = 0;   ///< of those, what the file's order is needed for as well: a tied table, looked up and multiplied
};
/// What llama.cpp keeps in another order for its CPU kernels when the whole model lies on the host.
/// Source: ggml_repack_get_optimal_repack_type in ggml/src/ggml-cpu/repack.cpp of ggml-org/llama.cpp.
[[nodiscard]] RepackedBytes repacked_bytes(const Model& model, const StoredModel& stored, const CpuFeatures& cpu);

}  // namespace planner
