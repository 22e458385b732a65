/// The facts: devices, models, quantizations, engines, tokenizers. Compiled into the library from data/, overlaid at run time by a
/// user's own files.
///
/// Names resolve as people type them: case, spaces, hyphens and the vendor do not matter ("rtx4090", "RTX 4090 24GB",
/// "deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B", "r1 1.5b"). An exact name wins, then the base variant of a family; what stays
/// ambiguous is an Error that lists the candidates, what nobody knows an Error that says what may have been meant.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "planner/engine_rules.h"
#include "planner/model.h"
#include "planner/quantization.h"
#include "planner/tokenizer.h"
#include "planner/units.h"

namespace planner {

/// Where a fact comes from.
struct Source {
  std::string what;  ///< the facts it covers; empty: all of the entry
  std::string url;
};

// ---------------------------------------------------------------------------------------------------------------------
// Devices
// ---------------------------------------------------------------------------------------------------------------------

enum class DeviceKind : std::uint8_t {
  gpu,      ///< a card with memory of its own
  unified,  ///< CPU and GPU share one memory (Apple, Strix Halo, DGX Spark)
  cpu,      ///< a CPU platform: host memory and its channels
  node,     ///< several equal devices in one machine (DGX)
};
[[nodiscard]] std::string_view to_string(DeviceKind kind);

/// Dense throughput by number type, multiply-add counted as two. Absent: not published.
struct ComputeRates {
  std::optional<OpsPerSecond> fp32, fp16, bf16, fp8, fp4, int8;
};

struct Device {
  std::string id;
  std::string name;
  std::string vendor;
  std::string family;
  std::string generation;  ///< microarchitecture: "Ada", "CDNA 3", "M4"; empty: not stated
  std::string market;      ///< consumer, workstation, datacenter, laptop, embedded, cloud; empty: makes no sense
  DeviceKind kind = DeviceKind::gpu;
  std::optional<std::int64_t> memory_bytes;         ///< of one device; absent for CPU platforms (the DIMMs decide)
  std::vector<std::int64_t> memory_options;         ///< unified devices: sizes sold
  std::string memory_type;
  std::optional<std::int64_t> bus_bits;
  std::optional<BytesPerSecond> bandwidth;          ///< of one device, theoretical
  ComputeRates compute;
  std::optional<Watts> power;
  std::string pcie;                                 ///< "4.0 x16"; empty: none or not stated
  std::string link_name;                            ///< NVLink, Infinity Fabric ...; empty: none
  std::optional<BytesPerSecond> link_bandwidth;     ///< per device, both directions together as vendors state it
  std::string node_device;                          ///< nodes: id of the single device
  std::int64_t node_count = 1;
  std::string launch;                               ///< as precise as known: "2022-10-12", "2024"; empty: unknown
  std::optional<Dollars> price;                     ///< at launch
  std::vector<Source> sources;
  std::string note;
};

struct DeviceMatch {
  const Device* device = nullptr;
  std::int64_t memory_bytes = 0;  ///< the size meant, where a device is sold in several; 0: device->memory_bytes or none
  std::string note;               ///< what was assumed; empty: nothing
};

// ---------------------------------------------------------------------------------------------------------------------
// Models
// ---------------------------------------------------------------------------------------------------------------------

struct PublishedParameters {
  std::optional<std::int64_t> total;
  std::optional<std::int64_t> active;
  std::string note;  ///< what that count includes besides the text model
  std::string source;
};

struct Evaluation {
  std::string benchmark;
  double score = 0;
  std::string source;
  std::string note;
};

struct ModelEntry {
  std::string id;
  std::string name;
  std::string hf_id;
  std::vector<std::string> aliases;
  std::string publisher, family, base_model, license, release_date, knowledge_cutoff;  ///< empty: unknown
  std::vector<std::string> modality;
  std::vector<std::string> recommended_use;
  std::optional<std::int64_t> context;  ///< tokens; the model's own limit
  PublishedParameters published;
  std::vector<Evaluation> evaluations;
  std::vector<Source> sources;
  std::string note;
  bool checkpoint_stores_head = false;  ///< Model::checkpoint_stores_head
  std::string config_json;  ///< the geometry, keys as in the Hugging Face config.json

  /// The geometry, built on first use (thread-safe). Throws Error (invalid_file) where the known config is incomplete, naming what is missing.
  [[nodiscard]] const Model& model() const;
  /// Nothing where `model()` would throw.
  [[nodiscard]] const Model* find_model() const;
  /// The model with the tensors that files of `quantization` hold: `model()`, or, where they store a tied head a second time, the same with an output
  /// tensor of its own. Built on first use, as `model()`.
  [[nodiscard]] const Model& model_as_stored(const Quantization& quantization) const;

  ModelEntry();
  ~ModelEntry();
  ModelEntry(ModelEntry&&) noexcept;
  ModelEntry& operator=(ModelEntry&&) noexcept;

 private:
  struct Geometry;
  std::unique_ptr<Geometry> geometry_;
};

// ---------------------------------------------------------------------------------------------------------------------
// Publishers of GGUF files
// ---------------------------------------------------------------------------------------------------------------------

/// Somebody who publishes GGUF files, and what is different in them from what the quantizer makes on its own. Entries of
/// data/quantizations/publishers.yaml.
struct Publisher {
  /// A mix of another's name: "Q6_K_L" is Q6_K with head and embedding table in Q8_0.
  struct Mix {
    std::string name, of, quality;
    std::optional<FormatId> output, token_embd;
  };
  struct Rule {
    std::vector<std::string> mixes;  ///< that it holds for; empty: all
    RecipeRule rule;
    bool to_base = false;            ///< the mix's base format instead of rule.to
  };
  std::string id;
  std::string name;
  std::vector<std::string> aliases;  ///< other accounts with the same files
  std::string owner, mark;           ///< account on Hugging Face, and what names of its repositories hold ("i1"); empty: any
  std::string note;
  std::vector<std::string> states;   ///< dates at which the rules changed, oldest first ("2026-03")
  std::string state_note;            ///< what is uncertain about them
  std::string imatrix;               ///< "always", "never", the date from which on; empty: what is usual for the mix
  std::vector<Mix> mixes;
  std::vector<Rule> rules;           ///< in order, after those of the mix
  std::vector<std::vector<RecipeRule::Condition>> head_copies;
  std::string unpublished;           ///< prefix of mixes whose recipe nobody knows ("UD-"); empty: none
  /// Checkpoints that are converted in place of the original, ids of models: {original, taken}.
  std::vector<std::pair<std::string, std::string>> checkpoints;
  std::vector<Source> sources;

  /// Whether the files follow rules of their own: a mix can be other than what the quantizer makes.
  [[nodiscard]] bool has_own_rules() const { return !rules.empty() || !head_copies.empty() || !checkpoints.empty(); }
};

// ---------------------------------------------------------------------------------------------------------------------
// Engines, tokenizers
// ---------------------------------------------------------------------------------------------------------------------

struct Engine {
  std::string id;
  std::string name;
  std::vector<std::string> aliases;
  std::string based_on;  ///< engine whose allocation rules it follows; empty: its own
  std::string version, version_date, homepage, description;
  std::vector<std::string> ecosystems;  ///< of quantizations that it loads
  std::vector<std::string> backends;
  std::vector<std::string> kv_types;
  std::string default_kv_type;
  std::int64_t batch = 0, ubatch = 0;   ///< tokens per (micro-)batch by default; 0: does not apply
  std::string sliding_window;           ///< "windowed": sliding layers cache their window; "full": the whole context
  std::int64_t kv_cell_padding = 1;     ///< the cache is a multiple of so many tokens
  bool kv_pool = false;                 ///< reserves a pool for the cache as a fraction of memory
  double memory_fraction = 0;           ///< that fraction, where `server` does not say more; 0: no pool, or by `server`
  std::int64_t block_size = 0;          ///< tokens per block of the pool; 0: by `server`
  bool offload_layers = false, offload_experts = false;
  bool tensor_parallel = false, pipeline_parallel = false;
  bool merges_matrices = false;         ///< Q, K and V, and gate and up, are allocated as one matrix each
  bool torch_allocator = false;         ///< device memory comes from PyTorch's caching allocator, which rounds up
  bool loads_towers = false;            ///< a model's vision and audio towers are loaded with it
  std::vector<ServerRules> server;      ///< of engines with a pool, oldest first
  std::optional<ProcessRules> process;  ///< of engines in one process
  std::vector<EngineOverhead> overheads;
  std::optional<EngineOverhead> host_overhead;
  std::vector<std::string> notes;
  std::vector<Source> sources;
};

/// Memory of a device that is not the engine's to use: driver, desktop, operating system. Entries of data/platforms.yaml.
struct PlatformReserve {
  std::int64_t bytes = 0;
  std::string note;
  std::string source;
};

struct SpeedProfile;

// ---------------------------------------------------------------------------------------------------------------------

class Catalog {
 public:
  /// The compiled facts. Shared, immutable, safe from all threads; entries are decoded on first use.
  [[nodiscard]] static const Catalog& builtin();
  /// The compiled facts with files over them: each entry of a .yaml file in `folders` (searched recursively, in order) replaces the
  /// entry of the same id or is added. Missing folders are skipped. Throws Error (invalid_file) naming file and line.
  [[nodiscard]] static std::unique_ptr<Catalog> with_overlays(std::span<const std::filesystem::path> folders);

  ~Catalog();
  Catalog(const Catalog&) = delete;
  Catalog& operator=(const Catalog&) = delete;

  // Everything, in the order of the data files.
  [[nodiscard]] std::vector<const Device*> devices() const;
  [[nodiscard]] std::vector<const ModelEntry*> models() const;
  [[nodiscard]] std::vector<const Quantization*> quantizations() const;
  [[nodiscard]] std::vector<const Engine*> engines() const;
  [[nodiscard]] std::vector<const Publisher*> publishers() const;

  // By id, exactly; null when there is none.
  [[nodiscard]] const Device* find_device(std::string_view id) const;
  [[nodiscard]] const ModelEntry* find_model(std::string_view id) const;
  [[nodiscard]] const Quantization* find_quantization(std::string_view name) const;
  /// By id or alias, in any case; null when there is none.
  [[nodiscard]] const Publisher* find_publisher(std::string_view name) const;

  // As people type them. All throw Error (unknown_name) with candidates.
  [[nodiscard]] DeviceMatch resolve_device(std::string_view typed) const;
  [[nodiscard]] const ModelEntry& resolve_model(std::string_view typed) const;
  /// Those that an engine loads, parametric ones at the steps that are usual (MLX-4, EXL2-3.5).
  [[nodiscard]] std::vector<std::shared_ptr<const Quantization>> quantizations_of(const Engine& engine) const;
  /// Also parametric names ("EXL2-4.25", "MLX-4bit") and, for GGUF mixes, whose file is meant and what is special about it:
  ///     Q4_K_M@bartowski            the publisher's recipe, as of the model's release
  ///     Q4_K_M@bartowski-2026-03    as of a date
  ///     Q6_K_L                      a mix that one publisher alone makes
  ///     bartowski/Qwen_Qwen3-30B-A3B-GGUF:Q4_K_M, bartowski/Qwen_Qwen3-30B-A3B-Q4_K_M.gguf    the publisher's repository or file
  ///     Q4_K_M+imatrix, +static     made with or without an importance matrix
  ///     Q4_K_M+output=Q8_0, +token_embd=F16, +untied    format of head and embedding table; a tied head stored a second time
  /// `made` owns the quantization made for the name, when one had to be.
  [[nodiscard]] const Quantization& resolve_quantization(std::string_view typed, std::unique_ptr<Quantization>& made) const;
  [[nodiscard]] const Engine& resolve_engine(std::string_view typed) const;

  /// What driver, desktop or operating system keep of `capacity` bytes of this device.
  [[nodiscard]] PlatformReserve platform_reserve(const Device& device, std::int64_t capacity) const;
  /// How a device turns bandwidth and compute into speed (speed_class.h) under a back end and an engine as of `years` before kSpeedYear. A null device, or
  /// `is_host`, is a CPU. Kept for the next call.
  [[nodiscard]] std::shared_ptr<const SpeedProfile> speed_profile(const Device* device, std::string_view backend, bool is_host, const Engine& engine,
                                                                  double years = 0) const;
  /// The same for an engine of any name (of a measurement), not kept.
  [[nodiscard]] SpeedProfile speed_profile_of(const Device* device, std::string_view backend, bool is_host, std::string_view engine, double years) const;

  /// The tokenizer of a model: the most specific rule that names its model_type, vocabulary size and name; averages by size where none does.
  [[nodiscard]] Tokenizer tokenizer_of(const Hyperparameters& hp, std::string_view model_name) const;

 private:
  Catalog();
  struct Tables;
  std::unique_ptr<Tables> tables_;
};

}  // namespace planner
