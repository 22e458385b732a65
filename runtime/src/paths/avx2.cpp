#define PLANNER_PATH avx2

#include "paths/avx2.h"
#include "paths/generic.h"

namespace planner::runtime {

const Kernels& avx2_kernels() {
  static const Kernels kernels = avx2::all_kernels();
  return kernels;
}

}  // namespace planner::runtime
