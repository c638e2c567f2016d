#!/bin/sh
# Build the wheel, install it into an environment of its own and run a copy of tests/ there, away from the source tree.
set -eu
venv="${VENV:-.venv}"
here="$(pwd)"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
echo "[wheel-test] building the wheel"
"$venv/bin/python" -m build --wheel --outdir "$work/dist" . >"$work/build.log" 2>&1 || { tail -20 "$work/build.log"; exit 1; }
"$venv/bin/python" -m venv "$work/venv"
# Dependencies come from the first environment; the package itself must not.
"$venv/bin/python" - "$work" <<'PY'
import glob
import pathlib
import sysconfig
import sys

site = sysconfig.get_paths()["purelib"]
target = glob.glob(f"{sys.argv[1]}/venv/lib/python*/site-packages")[0]
# As a plain path entry the folder's own .pth files, and so the editable install, are not read.
pathlib.Path(target, "dependencies.pth").write_text(site + "\n")
PY
"$work/venv/bin/python" -m pip install -qq --disable-pip-version-check --no-deps "$work"/dist/*.whl
mkdir "$work/away"
cp -r "$here/tests" "$work/away/tests"
cp -r "$here/README.md" "$here/docs" "$here/examples" "$work/away/"
cat >"$work/away/pytest.ini" <<'INI'
[pytest]
addopts = --import-mode=importlib --strict-markers
pythonpath = .
markers =
    cosim: needs an RTL simulator
    nightly: long profile, not run in CI
    browser: needs headless Chromium
    source: looks at the source tree
INI
cd "$work/away"
"$work/venv/bin/python" - <<'PY'
import pathlib

import hw_models
import mappers
import rtl
import sim
import tilewright
import workloads

for package in (hw_models, mappers, rtl, sim, tilewright, workloads):
    path = pathlib.Path(str(package.__file__))
    assert "site-packages" in path.parts and "away" not in path.parts, path
    assert (path.parent / "py.typed").exists(), path
print("[wheel-test] testing the wheel in", pathlib.Path(str(tilewright.__file__)).parent.parent.name)
PY
"$work/venv/bin/python" -m pytest -q -n 2 --dist loadfile -p no:cacheprovider -m "not cosim and not browser and not nightly and not source" \
    tests/unit tests/cli tests/robustness/test_bad_input_catalogue.py
