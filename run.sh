#!/usr/bin/env bash
# ./run.sh ARGS: installs what is missing, builds what is stale, runs `planner ARGS` in the caller's folder.
# ./run.sh gui ARGS: the desktop program. ./run.sh alone: the README's example.
# Standard output is the program's; what is said here goes to standard error. Exit status: the program's; 70 where it could not be built.
set -eo pipefail # no -u: the bash of macOS takes an empty array for an unset one

script=${BASH_SOURCE[0]}
if [[ -L $script ]]; then script=$(readlink -f -- "$script"); fi
[[ $script == */* ]] || script=./$script
root=$(unset CDPATH && cd -P -- "${script%/*}" && pwd)

target=planner-cli program=planner
inputs=()
for input in CMakeLists.txt CMakePresets.json cmake libplanner runtime cli data; do
  if [[ -e $root/$input ]]; then inputs+=("$root/$input"); fi
done
if [[ ${1-} == gui ]]; then
  shift
  if [[ ! -f $root/gui/CMakeLists.txt ]]; then
    echo "planner: this version has no desktop program; ./run.sh --help shows what the command line does" >&2
    exit 2
  fi
  target=planner-gui program=planner-gui
  inputs+=("$root"/gui)
elif (($# == 0)); then
  set -- estimate --model deepseek-r1-distill-qwen-1.5b --quant Q4_K_M --context 131072 --gpu "rtx 4090"
fi

binary=$root/build/release/bin/$program
stamp=$root/build/release/$target.stamp # its date: when the build began that made `binary`; its text: where

# Whether nothing changed that the program is made of. Folders count: a file that comes or goes changes the date of its folder.
is_fresh() {
  local at changed
  [[ -x $binary && -f $stamp ]] && read -r at <"$stamp" && [[ $at == "$root" ]] || return 1
  changed=$(find "${inputs[@]}" -cnewer "$stamp" -print -quit) && [[ -z $changed ]]
}

build_program() {
  # shellcheck source=cmake/build.sh
  source "$root/cmake/build.sh"
  lock
  if is_fresh; then return; fi # another run has built it meanwhile
  : >"$log"
  local options=()
  if [[ $target == planner-gui ]]; then
    packages+=("${gui_packages[@]}")
    options=(-DPLANNER_BUILD_GUI=ON)
  fi
  install_packages "${packages[@]}"
  mkdir -p "$build"
  local started=$build/$target.started
  echo "$root" >"$started"
  touch -d '2 seconds ago' "$started" 2>/dev/null || true # some file systems have coarse dates
  if [[ -f $stamp ]]; then # ninja goes by dates, and tar, rsync -a, cp -p put files in place with old ones
    find "${inputs[@]}" -type f -cnewer "$stamp" ! -newer "$stamp" -exec touch -c {} +
  fi
  configure "${options[@]}" || exit 70
  if [[ $target == planner-gui ]] && ! grep -q '^build .*bin/planner-gui:' "$build/build.ninja"; then die "the desktop program needs Qt 6.4 with Charts and Svg: $(other_systems_command "${gui_packages[@]}")"; fi
  if [[ -x $binary ]]; then step "building ..."; else step "building (the first time takes a few minutes) ..."; fi
  compile "$target"
  mv -f "$started" "$stamp"
  unlock
}

is_fresh || build_program
exec "$binary" "$@"
