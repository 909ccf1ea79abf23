#!/usr/bin/env bash
# Makes a virtual environment with promptcot in it, at the tested versions.
#   scripts/setup.sh VENV [EXTRAS]      for example: scripts/setup.sh .venv dev
# PYTHON names the interpreter to use; otherwise the newest of 3.11 to 3.13 that is found.
set -euo pipefail
cd "$(dirname "$0")/.."
venv=${1:?usage: scripts/setup.sh VENV [EXTRAS]}
extras=${2:-}

suits() { "$1" -c 'import sys, venv; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }
python=${PYTHON:-}
if [ -z "$python" ]; then
  # 3.11 first: it is what the constraints file was made with.
  for candidate in python3.11 python3.12 python3.13 python3; do
    if suits "$candidate"; then python=$candidate; break; fi
  done
fi
if [ -z "$python" ] || ! suits "$python"; then
  echo "error: promptcot needs Python 3.11 or newer with venv; set PYTHON to one" >&2
  exit 1
fi

[ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
pip=("$venv/bin/python" -m pip --disable-pip-version-check)
pin=$(grep '^torch==' constraints.txt)

if ! "$venv/bin/python" -c 'import torch' >/dev/null 2>&1; then
  if command -v nvidia-smi >/dev/null && nvidia-smi -L 2>/dev/null | grep -q GPU; then
    echo "setup: a GPU is here; installing $pin with CUDA"
    "${pip[@]}" install -q "$pin"
  else
    # Without a GPU the default Linux build would bring several GB of CUDA libraries. Take the CPU
    # build: from the user's own package sources if they have it, else through uv, which knows where it is kept.
    echo "setup: no GPU; installing the CPU build of $pin"
    "${pip[@]}" install -q "$pin+cpu" 2>/dev/null \
      || { "${pip[@]}" install -q uv && "$venv/bin/uv" pip install -q --python "$venv/bin/python" --torch-backend cpu "$pin"; } 2>/dev/null \
      || "${pip[@]}" install -q "$pin"
  fi
fi
echo "setup: installing promptcot${extras:+ [$extras]} and what it needs into $venv"
"${pip[@]}" install -q -c constraints.txt -e ".${extras:+[$extras]}"
"${pip[@]}" check
