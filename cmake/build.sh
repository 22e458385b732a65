# shellcheck shell=bash
# What run.sh and test.sh share: packages, one build at a time, quiet steps. Sourced with `root` set to the repository.
# Everything that is said goes to standard error.

build=${root:?}/build/release
log=$root/build/log.txt

# What the command line needs: Debian's names.
# shellcheck disable=SC2034
packages=(g++ cmake ninja-build pkg-config libyaml-cpp-dev nlohmann-json3-dev libcli11-dev libfmt-dev libeigen3-dev libpcre2-dev libcpp-httplib-dev)
# What the desktop program needs beside that; Qt's Charts ask for its OpenGL, and a window for letters.
# shellcheck disable=SC2034
gui_packages=(qt6-base-dev qt6-charts-dev qt6-svg-dev libqt6opengl6-dev fonts-dejavu-core)

say() { printf 'planner: %s\n' "$*" >&2; }
# One line per step, where somebody is watching.
step() { if [[ -t 2 || -n ${CI-} ]]; then say "$*"; fi; }
die() {
  say "$*"
  exit 70
}

# Runs a command into the log; shows the log's end if it fails.
quietly() {
  local status=0
  "$@" >>"$log" 2>&1 </dev/null || status=$?
  if ((status)); then
    tail -n 60 "$log" >&2
    say "failed ($status): $*"
  fi
  return "$status"
}

cores() { nproc 2>/dev/null || sysctl -n hw.ncpu 2>/dev/null || echo 2; }
has() { command -v "$1" >/dev/null; }
has_compiler() { [[ -n ${CXX-} ]] || has c++; }

# What is not there of the packages named: programs by name, libraries by package.
missing_packages() { # PACKAGE...
  local package libraries=() installed=' '
  for package; do
    case $package in
      g++) has_compiler || echo g++ ;;
      ninja-build) has ninja || echo ninja-build ;;
      cmake | pkg-config | python3) has "$package" || echo "$package" ;;
      *) libraries+=("$package") ;;
    esac
  done
  if has dpkg-query; then # fails when it does not know one, and prints the others all the same
    installed+=$({ dpkg-query -W -f='${db:Status-Status} ${Package}\n' "${libraries[@]}" 2>/dev/null || true; } | sed -n 's/^installed //p' | tr '\n' ' ')
  fi
  for package in "${libraries[@]}"; do
    if [[ $installed != *" $package "* ]]; then echo "$package"; fi
  done
}

# The command that installs Debian's packages on a system without apt-get.
other_systems_command() { # PACKAGE...
  local manager package names=()
  if has dnf; then manager='dnf install'; elif has pacman; then manager='pacman -S'; elif has brew; then manager='brew install'; else manager='install (names of Debian)'; fi
  for package; do
    case $manager:$package in
      dnf*:g++) names+=(gcc-c++) ;;
      dnf*:libyaml-cpp-dev) names+=(yaml-cpp-devel) ;;
      dnf*:nlohmann-json3-dev) names+=(json-devel) ;;
      dnf*:libcli11-dev) names+=(cli11-devel) ;;
      dnf*:libfmt-dev) names+=(fmt-devel) ;;
      dnf*:libeigen3-dev) names+=(eigen3-devel) ;;
      dnf*:libpcre2-dev) names+=(pcre2-devel) ;;
      dnf*:libcpp-httplib-dev) names+=(cpp-httplib-devel) ;;
      dnf*:doctest-dev) names+=(doctest-devel) ;;
      dnf*:libbenchmark-dev) names+=(google-benchmark-devel) ;;
      dnf*:qt6-base-dev) names+=(qt6-qtbase-devel) ;;
      dnf*:qt6-charts-dev) names+=(qt6-qtcharts-devel) ;;
      dnf*:qt6-svg-dev) names+=(qt6-qtsvg-devel) ;;
      dnf*:fonts-dejavu-core) names+=(dejavu-sans-fonts) ;;
      pacman*:g++) names+=(gcc) ;;
      brew*:g++) ;; # Xcode's
      pacman*:ninja-build | brew*:ninja-build) names+=(ninja) ;;
      pacman*:libyaml-cpp-dev | brew*:libyaml-cpp-dev) names+=(yaml-cpp) ;;
      pacman*:nlohmann-json3-dev | brew*:nlohmann-json3-dev) names+=(nlohmann-json) ;;
      pacman*:libcli11-dev | brew*:libcli11-dev) names+=(cli11) ;;
      pacman*:libfmt-dev | brew*:libfmt-dev) names+=(fmt) ;;
      pacman*:libeigen3-dev | brew*:libeigen3-dev) names+=(eigen) ;;
      pacman*:libpcre2-dev | brew*:libpcre2-dev) names+=(pcre2) ;;
      pacman*:libcpp-httplib-dev | brew*:libcpp-httplib-dev) names+=(cpp-httplib) ;;
      pacman*:doctest-dev | brew*:doctest-dev) names+=(doctest) ;;
      pacman*:libbenchmark-dev) names+=(benchmark) ;;
      brew*:libbenchmark-dev) names+=(google-benchmark) ;;
      pacman*:qt6-base-dev) names+=(qt6-base) ;;
      pacman*:qt6-charts-dev) names+=(qt6-charts) ;;
      pacman*:qt6-svg-dev) names+=(qt6-svg) ;;
      pacman*:fonts-dejavu-core) names+=(ttf-dejavu) ;;
      *:libqt6opengl6-dev) ;; # in the base package
      brew*:qt6-base-dev) names+=(qt) ;;
      brew*:qt6-charts-dev | brew*:qt6-svg-dev | brew*:fonts-dejavu-core) ;; # in qt, and the system's
      *) names+=("$package") ;;
    esac
  done
  echo "$manager ${names[*]}"
}

# Installs what is missing where apt-get does; elsewhere says what to install, and goes on if there is something to build with.
install_packages() { # PACKAGE...
  local missing=() package version major minor
  if ! has apt-get; then
    if [[ ! -f $build/CMakeCache.txt ]]; then say "no apt-get here; what the build needs: $(other_systems_command "$@")"; fi
  else
    while read -r package; do missing+=("$package"); done < <(missing_packages "$@")
    if ((${#missing[@]})); then
      local apt=(env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=600 -y -q)
      if ((EUID != 0)); then
        if [[ -t 0 ]]; then apt=(sudo "${apt[@]}"); else apt=(sudo -n "${apt[@]}"); fi # nobody to ask for a password
      fi
      if ((EUID != 0)) && ! has sudo; then
        say "neither root nor sudo here; what the build needs: apt-get install ${missing[*]}"
      else
        has ccache || missing+=(ccache) # nothing needs it, rebuilding gets faster
        step "installing ${missing[*]} ..."
        quietly "${apt[@]}" update || say "trying with the package lists that are there"
        quietly "${apt[@]}" install --no-install-recommends "${missing[@]}" || say "trying to build without: ${missing[*]}"
      fi
    fi
  fi
  has_compiler || die "a C++20 compiler is needed"
  has cmake || die "cmake 3.25 or later is needed"
  has ninja || die "ninja is needed"
  version=$(cmake --version)
  version=${version#cmake version }
  IFS=. read -r major minor _ <<<"$version"
  if ((major < 3 || (major == 3 && minor < 25))); then die "cmake 3.25 or later is needed; $(command -v cmake) is $major.$minor"; fi
}

# Waits until no other run.sh or test.sh builds here. The lock is descriptor 9, held until unlock or the script's end.
lock() {
  mkdir -p "$root/build"
  has flock || return 0
  exec 9>"$root/build/lock"
  if ! flock -n 9; then
    step "waiting for another build ..."
    flock 9
  fi
}
unlock() { exec 9>&-; }

# cmake --preset release with the given -DNAME=VALUE, unless the build folder is configured so already.
configure() { # -DNAME=VALUE...
  local cache=$build/CMakeCache.txt option same=1 first=()
  if [[ ! -f $cache || ! -f $build/build.ninja ]]; then
    first=(-DPLANNER_BUILD_TESTS=OFF -DPLANNER_BUILD_BENCH=OFF) # until test.sh asks for them
  elif ! grep -qxF "CMAKE_HOME_DIRECTORY:INTERNAL=$root" "$cache"; then
    first=(--fresh -DPLANNER_BUILD_TESTS=OFF -DPLANNER_BUILD_BENCH=OFF) # the folder was copied or moved here
  fi
  if ((${#first[@]})); then same=0; fi
  for option; do
    option=${option#-D}
    if ((same)) && ! grep -q "^${option%%=*}:[A-Z]*=${option#*=}\$" "$cache"; then same=0; fi
  done
  if ((same)); then return 0; fi
  step "configuring ..."
  quietly cmake -S "$root" --preset release "${first[@]}" "$@" || return
  sed -n 's/^-- \(No Qt .*\)/planner: \1/p' "$log" >&2 # what is left out is said
}

# Builds targets. Where it fails without a cause in the sources, a fresh build folder helps.
compile() { # TARGET...
  quietly cmake --build "$build" --target "$@" || die "the build failed; all of it is in $log"
}
