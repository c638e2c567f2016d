#!/bin/sh
# Makes an environment of its own for AccelForge: `setup_accelforge.sh DIRECTORY [PYTHON >= 3.12]`.
# Version read and measured: accelforge 1.0.467.
set -eu
target="${1:?usage: setup_accelforge.sh DIRECTORY [PYTHON]}"
python="${2:-python3.12}"
[ -x "$target/bin/python" ] || "$python" -m venv "$target"
"$target/bin/python" -m pip install --quiet "accelforge==1.0.467"
"$target/bin/python" -c "import importlib.metadata as m, accelforge; print('accelforge', m.version('accelforge'))"
