// What this processor can do, where compilers' own checks have no word for it.
#pragma once

#if defined(__x86_64__)
#include <cpuid.h>
#elif defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#endif

namespace planner::runtime {

#if defined(__x86_64__)
/// AVX-VNNI: CPUID leaf 7, subleaf 1, EAX bit 4. Source: Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2, CPUID.
inline bool cpu_has_avx_vnni() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  return __get_cpuid_count(7, 1, &a, &b, &c, &d) != 0 && (a >> 4 & 1U) != 0;
}
#elif defined(__aarch64__)
/// Dot products and half precision: HWCAP of Linux (asimddp is bit 20, fphp and asimdhp are 9 and 10); all of Apple's 64-bit Macs.
inline bool cpu_has_dot_products() {
#if defined(__linux__)
  const unsigned long bits = getauxval(AT_HWCAP);
  return (bits >> 20 & 1U) != 0 && (bits >> 9 & 3U) == 3U;
#else
  return true;
#endif
}
#endif

}  // namespace planner::runtime
