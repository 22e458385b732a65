#define PLANNER_VECTORS kPortableVectors
#include "vector/kernels.inc"
