#!/usr/bin/env bash
# ./test.sh ARGS: installs what is missing, builds everything, runs all tests. ARGS go to ctest: -R NAME, -V, ...
# PLANNER_FACTS: folder of raw material for the accuracy suites, shared/facts beside the checkout by default.
# Exit status: 0 all passed, 8 a test failed (ctest's), 70 it could not be built.
set -eo pipefail

script=${BASH_SOURCE[0]}
if [[ -L $script ]]; then script=$(readlink -f -- "$script"); fi
[[ $script == */* ]] || script=./$script
root=$(unset CDPATH && cd -P -- "${script%/*}" && pwd)
# shellcheck source=cmake/build.sh
source "$root/cmake/build.sh"

lock
: >"$log"
install_packages "${packages[@]}" "${gui_packages[@]}" doctest-dev libbenchmark-dev python3 python3-pip
options=(-DPLANNER_BUILD_TESTS=ON -DPLANNER_BUILD_GUI=ON) # without Qt the desktop program is left out, and said so
if [[ -f $root/bench/CMakeLists.txt ]]; then options+=(-DPLANNER_BUILD_BENCH=ON); fi
configure "${options[@]}" || exit 70
step "building ..."
compile all all_verify_interface_header_sets
unlock

if [[ -z ${PLANNER_FACTS-} && -d $root/../shared/facts ]]; then
  PLANNER_FACTS=$(cd -- "$root/../shared/facts" && pwd)
  export PLANNER_FACTS
fi
exec ctest --test-dir "$build" --output-on-failure --no-tests=error -j "$(cores)" "$@"
