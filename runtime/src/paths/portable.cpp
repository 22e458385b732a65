// Integer products in plain C++, as the compiler makes of it what it can.
#define PLANNER_PATH portable

#include "paths/plain.h"
#include "paths/generic.h"

namespace planner::runtime {

const Kernels& portable_kernels() {
  static const Kernels kernels = portable::all_kernels();
  return kernels;
}

}  // namespace planner::runtime
