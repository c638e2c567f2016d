#!/bin/sh
# Prepare the environment: a virtual environment in .venv and, with "test", what the test suite needs.
#
#   sh tools/bootstrap.sh run     what `make demo` needs
#   sh tools/bootstrap.sh test    the same, test tools and RTL simulators
#
# Says what it installs before it installs it; where it may not install, it says what to run instead.
set -eu
mode="${1:-run}"
venv="${VENV:-.venv}"

say() { printf '[bootstrap] %s\n' "$*"; }
fail() { printf '[bootstrap] error: %s\n' "$*" >&2; exit 1; }

root() { # run a command as root if that is possible without a question
    if [ "$(id -u)" = 0 ]; then "$@"; elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then sudo "$@"; else return 126; fi
}

apt_updated=no
apt_install() { # apt_install REASON PACKAGE...
    reason="$1"; shift
    say "installing Debian packages for $reason: $*"
    command -v apt-get >/dev/null 2>&1 || { say "no apt-get here; install by hand: $*"; return 1; }
    if [ "$apt_updated" = no ]; then
        root apt-get update -qq >/dev/null 2>&1 || { say "not allowed to install; run: sudo apt-get install -y $*"; return 1; }
        apt_updated=yes
    fi
    DEBIAN_FRONTEND=noninteractive root apt-get install -y -qq --no-install-recommends "$@" >/dev/null 2>&1 ||
        { say "apt-get could not install: $*; run it by hand to see why: sudo apt-get install -y $*"; return 1; }
}

find_python() {
    for candidate in "${PYTHON:-}" python3 python3.11 python3.12 python3.13 python3.14; do
        [ -n "$candidate" ] || continue
        command -v "$candidate" >/dev/null 2>&1 || continue
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$candidate"; return 0
        fi
    done
    return 1
}

python="$(find_python)" || fail "Python 3.11 or newer is needed; install it (Debian 12, Ubuntu 24.04: sudo apt-get install -y python3) or set PYTHON=/path/to/python3"
say "Python: $python ($("$python" -c 'import platform; print(platform.python_version())'))"

if [ ! -x "$venv/bin/python" ]; then
    if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        version="$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')"
        apt_install "virtual environments" python3-venv "python$version-venv" || apt_install "virtual environments" python3-venv ||
            fail "python3-venv is missing; run: sudo apt-get install -y python3-venv"
    fi
    say "creating $venv"
    "$python" -m venv "$venv"
fi

extras=""
[ "$mode" = test ] && extras="[test,dev,rtl,frame,synth]"
stamp="$venv/.tilewright-$mode"
if [ ! -f "$stamp" ] || [ pyproject.toml -nt "$stamp" ]; then
    say "installing tilewright$extras and its dependencies into $venv"
    "$venv/bin/python" -m pip install -qq --disable-pip-version-check -e ".$extras" ||
        fail "pip could not install the dependencies; check the network or pip's configuration and run make again"
    touch "$stamp"
fi

if [ "$mode" = test ]; then
    missing=""
    for pair in iverilog:iverilog g++:g++ make:make perl:perl ccache:ccache; do
        command -v "${pair%%:*}" >/dev/null 2>&1 || missing="$missing ${pair##*:}"
    done
    [ -e /usr/include/lz4.h ] || missing="$missing liblz4-dev"
    [ -e /usr/include/zlib.h ] || missing="$missing zlib1g-dev"
    if [ -n "$missing" ]; then
        # shellcheck disable=SC2086
        apt_install "the RTL simulators" $missing || fail "the test suite needs:$missing"
    fi
    if ! command -v chromium >/dev/null 2>&1; then
        apt_install "browser tests of the report" chromium || say "browser tests will be skipped: chromium is missing"
    fi
fi
say "ready"
