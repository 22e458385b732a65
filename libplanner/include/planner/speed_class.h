/// What is known of the speed of a class of devices: entries of data/speed.yaml.
#pragma once

#include <string>

namespace planner {

/// How a class of devices turns bandwidth and compute into speed.
struct SpeedClass {
  std::string id;
  double decode_efficiency = 1;      ///< achieved / theoretical bandwidth while weights stream
  double layer_seconds = 0;          ///< launches and synchronisation, per layer and token
  double token_seconds = 0;          ///< sampling and everything else, per token
  double decode_low = 1, decode_high = 1;    ///< 80 % of measurements lie between these multiples of the prediction
  double prefill_efficiency = 1;     ///< achieved / reference compute rate in the matrix products of a prompt
  double prefill_low = 1, prefill_high = 1;
  std::string basis = "default";     ///< fitted: from enough measurements of the class; default: from few or none
  std::string source;
};

}  // namespace planner
