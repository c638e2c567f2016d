#!/bin/sh
# Makes an environment of its own for ZigZag, never beside the project's: `setup_zigzag.sh DIRECTORY [PYTHON]`.
# Version read and measured: zigzag-dse 3.9.1, which imports `six` without declaring it.
set -eu
target="${1:?usage: setup_zigzag.sh DIRECTORY [PYTHON]}"
python="${2:-python3.11}"
[ -x "$target/bin/python" ] || "$python" -m venv "$target"
"$target/bin/python" -m pip install --quiet "zigzag-dse==3.9.1" "six"
"$target/bin/python" -c "import importlib.metadata as m, zigzag; print('zigzag-dse', m.version('zigzag-dse'))"
