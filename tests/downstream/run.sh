#!/usr/bin/env bash
# Installs a build, builds the programs in this folder against it by find_package and by pkg-config, and compares its answer with the command line's.
# Usage: run.sh BUILD_FOLDER [CMAKE_ARGUMENT]...
set -euo pipefail
here=$(cd -P -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
build=$1
shift

work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
prefix="$work/an installed tree"
export XDG_CONFIG_HOME=$work/no-config # the user's own facts are not the library's
unset LD_LIBRARY_PATH

cmake --install "$build" --prefix "$work/first" >"$work/install.txt"
mv "$work/first" "$prefix" # it may be moved

program=$prefix/bin/planner
expected=$("$program" estimate --model deepseek-r1-distill-qwen-1.5b --quant Q4_K_M --context 131072 --gpu "rtx 4090" --json)
[[ $expected == '{"schema":"planner.estimate/1",'* ]] || { echo "planner estimate --json printed: ${expected:0:200}"; exit 1; }

same() { # HOW ANSWER
  if [[ $2 == "$expected" ]]; then
    echo "$1: the same answer as planner estimate --json (${#expected} bytes)"
  else
    echo "$1: another answer than planner estimate --json:"
    diff <(tr ',' '\n' <<<"$expected") <(tr ',' '\n' <<<"$2") || true
    exit 1
  fi
}

if ! cmake -G Ninja -S "$here" -B "$work/build" -DCMAKE_PREFIX_PATH="$prefix" "$@" >"$work/log.txt" 2>&1 || ! cmake --build "$work/build" >>"$work/log.txt" 2>&1; then
  cat "$work/log.txt"
  exit 1
fi
"$work/build/downstream"
same find_package "$("$work/build/downstream" --json)"
if [[ -x $work/build/downstream-c ]]; then "$work/build/downstream-c"; fi

compiler=$(sed -n 's/^CMAKE_CXX_COMPILER:[A-Z]*=//p' "$work/build/CMakeCache.txt")
flags=$(sed -n 's/^CMAKE_CXX_FLAGS:[A-Z]*=//p' "$work/build/CMakeCache.txt")
pc=$(find "$prefix" -name planner.pc)
[[ -n $pc ]] || { echo "no planner.pc was installed"; exit 1; }
if command -v pkg-config >/dev/null; then
  arguments=() # from a text that pkg-config has escaped for a shell
  eval "arguments=($(PKG_CONFIG_PATH=${pc%/*} pkg-config --cflags --libs planner))"
  read -ra extra <<<"$flags"
  "$compiler" -std=c++20 "${extra[@]}" "$here/main.cpp" "${arguments[@]}" -Wl,-rpath,"$(dirname -- "${pc%/*}")" -o "$work/by-pkg-config"
  same pkg-config "$("$work/by-pkg-config" --json)"
else
  echo "pkg-config: not on this machine, not checked"
fi
