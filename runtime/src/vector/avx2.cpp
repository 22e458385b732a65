#define PLANNER_VECTORS kAvx2Vectors
#include "vector/kernels.inc"
