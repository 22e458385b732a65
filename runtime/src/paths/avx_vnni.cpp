#define PLANNER_PATH avx_vnni

#include "paths/avx2.h"
#include "paths/generic.h"

namespace planner::runtime {

const Kernels& avx_vnni_kernels() {
  static const Kernels kernels = avx_vnni::all_kernels();
  return kernels;
}

}  // namespace planner::runtime
