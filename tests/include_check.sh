#!/usr/bin/env bash
# The arrows of the code, by its #include lines:
#   libplanner <- runtime <- {cli, gui, bench}; tests see all
#   modules of libplanner left to right: a file may include its own module and those left of it
#   public headers include the standard library and each other, nothing else
# Prints what is wrong, one line each. Usage: tests/include_check.sh [REPOSITORY]
set -eo pipefail
cd "${1:-$(dirname "${BASH_SOURCE[0]}")/..}"

modules="core model quantization catalog import placement engine memory throughput calibration decision listing"

# Public headers without a source file of their own name: their modules.
headers="error.h=core workload.h=placement deployment.h=placement gguf.h=import speed_class.h=catalog engine_rules.h=catalog tokenizer.h=quantization"

# Includes against the order that are known, FILE>HEADER. A line that no longer applies is an error too.
known="
libplanner/src/engine/allocation.h>planner/memory.h
"

sources() { find "$@" \( -name '*.h' -o -name '*.cpp' -o -name '*.inc' \) -print; }
folders=()
for folder in libplanner runtime cli gui bench; do if [[ -d $folder ]]; then folders+=("$folder"); fi; done

{
  sources "${folders[@]}" | sed 's/^/file /'
  sources "${folders[@]}" | tr '\n' '\0' | xargs -0 grep -nE '^[[:space:]]*#[[:space:]]*include[[:space:]]*[<"]' /dev/null |
    sed -E 's/^([^:]+):([0-9]+):[^<"]*([<"])([^>"]+).*/include \1 \2 \3 \4/'
} | awk -v modules="$modules" -v headers="$headers" -v known="$known" '
  function fail(text) { print text; failed = 1 }
  # The module that a header named in an include line belongs to; empty: none of libplanner.
  function module_of(header,   name, parts) {
    if (header ~ /^planner\//) {
      name = header; sub(/^planner\//, "", name)
      if (name in listed) return listed[name]
      sub(/\.h$/, "", name)
      if (name in rank) return name
      return name in home ? home[name] : "?"
    }
    split(header, parts, "/")
    return parts[1] in rank && parts[2] != "" ? parts[1] : ""
  }
  BEGIN {
    n = split(modules, names, " "); for (i = 1; i <= n; ++i) rank[names[i]] = i
    n = split(headers, pairs, " "); for (i = 1; i <= n; ++i) { split(pairs[i], pair, "="); listed[pair[1]] = pair[2] }
    n = split(known, lines, "\n"); for (i = 1; i <= n; ++i) if (lines[i] != "") allowed[lines[i]] = 1
    layer["libplanner"] = 1; layer["runtime"] = 2; layer["cli"] = layer["gui"] = layer["bench"] = 3
  }
  $1 == "file" {
    if ($2 ~ /^libplanner\/src\/[^\/]+\/.*\.cpp$/) {
      split($2, parts, "/"); name = parts[4]
      if (!(parts[3] in rank)) fail($2 ": " parts[3] " has no place in the order of modules (tests/include_check.sh)")
      if (parts[5] == "") { sub(/\.cpp$/, "", name); home[name] = parts[3] }
    }
    next
  }
  {
    file = $2; where = file ":" $3; bracket = $4; header = $5; ++checked
    split(file, path, "/"); top = path[1]
    target = module_of(header)

    # Parts of the house.
    if (header ~ /^runtime\// && layer[top] < 2) fail(where ": " top " must not know runtime: " header)
    if (header ~ /^Q[A-Z]|^Qt/ && top != "gui" && file !~ /^bench\/gui\//) fail(where ": Qt belongs to gui: " header)
    if (target != "" && header !~ /^planner\// && top != "libplanner" && bracket == "\"" && system("test -e " top "/" header " -o -e " top "/src/" header) != 0)
      fail(where ": inner header of libplanner: " header)
    if (top != "libplanner" || file ~ /^libplanner\/c\//) next  # the C interface knows all public headers

    # Public headers.
    public = file ~ /^libplanner\/include\//
    if (public && header !~ /^planner\// && (bracket == "\"" || header ~ /[\/.]/)) fail(where ": a public header includes " header)

    # Order of modules.
    if (target == "") next
    if (target == "?") { fail(where ": which module does " header " belong to? Say it in tests/include_check.sh"); next }
    own = public ? module_of("planner/" path[4]) : path[3]
    if (own == "?") { fail(file ": which module does it belong to? Say it in tests/include_check.sh"); next }
    if (rank[target] <= rank[own]) next
    if ((file ">" header) in allowed) { seen[file ">" header] = 1; print "known: " where ": " own " includes " header " of " target; next }
    fail(where ": " own " must not know " target ": " header)
  }
  END {
    for (line in allowed) if (!(line in seen)) fail("no longer needed in tests/include_check.sh: " line)
    if (checked == 0) fail("no include line found")
    if (failed) exit 1
    print checked " includes checked"
  }'
