#define PLANNER_VECTORS kAvx512Vectors
#include "vector/kernels.inc"
