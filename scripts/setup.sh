#!/usr/bin/env bash
# Make .venv with everything in versions known to work together; does nothing when it is up to date.
set -euo pipefail
cd "$(dirname "$0")/.."
stamp=.venv/installed
if [ ! -e "$stamp" ] || [ pyproject.toml -nt "$stamp" ] || [ constraints.txt -nt "$stamp" ]; then
  "${PYTHON:-python3}" -m venv .venv
  # torch first: what depends on it must find this version, not fetch another.
  .venv/bin/pip install --quiet --constraint constraints.txt torch
  .venv/bin/pip install --quiet --constraint constraints.txt --editable '.[dev]'
  touch "$stamp"
fi
