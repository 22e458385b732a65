#!/usr/bin/env bash
# Installs the Python package into a folder of its own, as `pip install .` does and without a network, and runs check.py with it.
# Usage: run_python.sh LIBRARY LOG [PROGRAM]
set -euo pipefail
here=$(cd -P -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
export XDG_CONFIG_HOME=$work/no-config PYTHONDONTWRITEBYTECODE=1
PLANNER_LIBRARY=$1 python3 -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --no-index --no-deps --no-cache-dir --target "$work/package" "$here/../.."
unset PLANNER_LIBRARY
cd "$work" # not where the sources are
PYTHONPATH=$work/package python3 "$here/check.py" "${@:2}"
