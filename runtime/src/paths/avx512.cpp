#define PLANNER_PATH avx512

#include "paths/avx512.h"
#include "paths/generic.h"

namespace planner::runtime {

const Kernels& avx512_kernels() {
  static const Kernels kernels = avx512::all_kernels();
  return kernels;
}

}  // namespace planner::runtime
