#!/usr/bin/env bash
# The examples of README.md and docs/memory.md: runs each "$ planner ..." of a console block and compares what it prints with what stands there. Words must be the same, numbers within
# 2 %; rates of speed are not compared, they follow the measurements. Switches that an answer names (-ngl N, --n-cpu-moe N) must stand in the engine's command, the sh
# block that follows.
# Usage: tests/docs_check.sh [--update] PLANNER [FILE...]
set -eo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
update=
if [[ $1 == --update ]]; then update=1; shift; fi
planner=${1:-$root/build/release/bin/planner}
shift || true
files=("$@")
if [[ ${#files[@]} -eq 0 ]]; then files=(README.md docs/memory.md); fi
cd "$root"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Answers one console line. No user's own facts, no colours, 80 columns.
answer() { (export XDG_CONFIG_HOME=$work/none NO_COLOR=1; planner() { "$planner" "$@"; }; eval "$1") 2>&1; }

# The file with every answer written anew, to standard output.
renewed() {
  local line in_block= skip=
  while IFS= read -r line || [[ -n $line ]]; do
    if [[ $line == '```console' ]]; then in_block=1; skip=; fi
    if [[ $line == '```' ]]; then in_block= skip=; fi
    if [[ -n $in_block && $line == '$ planner '* ]]; then
      printf '%s\n' "$line"
      answer "${line#\$ }" || { echo "$1: '$line' failed" >&2; return 1; }
      skip=1
    elif [[ -z $skip ]]; then
      printf '%s\n' "$line"
    fi
  done <"$1"
}

# Compares two files line by line: words exactly, numbers nearly.
compare() {
  awk -v name="$1" -v other="$3" '
    function number(word) { gsub(/[(),;]/, "", word); return word ~ /^[+-]?[0-9]+([.][0-9]+)?$/ ? word + 0 : "none" }
    function differs(a, b,   x, y, size) {
      if (a == b) return 0
      x = number(a); y = number(b)
      if (x == "none" || y == "none") return 1
      size = x < 0 ? -x : x
      return (x - y > size * 0.02 + 0.01) || (y - x > size * 0.02 + 0.01)
    }
    function is_speed(text) { return text ~ /^(decode|prefill) / || text ~ /tok\/s/ || text ~ / x [0-9.]+$/ || text ~ /^ +bandwidth|^ +[0-9,]+$/ }
    function fail(why) { printf "%s:%d: %s\n  stands:  %s\n  answers: %s\n", name, FNR, why, mine, $0; wrong = 1 }
    { if ((getline mine < other) <= 0) mine = "(nothing)" }
    is_speed($0) && is_speed(mine) { next }
    {
      gsub(/\[[A-Z ]*\]/, "[]"); sub(/\[[A-Z ]*\]/, "[]", mine)
      n = split($0, now, /[ ,]+/); m = split(mine, was, /[ ,]+/)
      if (n != m) { fail("not the same words"); next }
      # Rows of comma-separated values end with rates.
      last = /^[0-9]+,.*,(fits|tight|offload|no),/ ? 5 : n
      for (i = 1; i <= last; ++i) if (differs(was[i], now[i])) { fail("\"" was[i] "\" is now \"" now[i] "\""); break }
    }
    END { exit wrong }' "$2"
}

# Every -ngl N and --n-cpu-moe N of an answer stands in the next sh block.
switches() {
  awk -v name="$1" '
    /^```console/ { asked = ""; in_console = 1 }
    in_console && match($0, /-ngl [0-9]+/) { asked = asked "\n" substr($0, RSTART, RLENGTH) }
    in_console && match($0, /--n-cpu-moe [0-9]+/) { asked = asked "\n" substr($0, RSTART, RLENGTH) }
    /^```$/ && in_sh { n = split(asked, words, "\n"); for (i = 2; i <= n; ++i) if (words[i] !~ /^-ngl/ || command !~ /-ngl 99/) if (index(command, words[i]) == 0) { print name ": the answer says " words[i] ", the command " command; wrong = 1 } }
    /^```$/ { in_console = 0; in_sh = 0 }
    in_sh { command = command $0 " " }
    /^```sh/ { in_sh = 1; command = "" }
    END { exit wrong }' "$1"
}

status=0
for file in "${files[@]}"; do
  renewed "$file" >"$work/new"
  if [[ -n $update ]]; then
    cp "$work/new" "$file"
    switches "$file" || status=1
    continue
  fi
  compare "$file" "$work/new" "$file" || status=1
  switches "$file" || status=1
done
if [[ $status -ne 0 && -z $update ]]; then echo "If the new answers are right: tests/docs_check.sh --update (and the engines' commands by hand)"; fi
exit $status
