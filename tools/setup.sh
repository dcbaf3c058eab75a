#!/usr/bin/env bash
# One part of the set-up per call: tools/setup.sh system|python|node. The Makefile decides when.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf '==> %s\n' "$*"; }
die() { printf 'setup: %s\n' "$*" >&2; exit 1; }

# Python 3.14 is left out until every locked package has a wheel for it.
python_fits() {
    "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' 2>/dev/null
}

find_python() {
    local candidate
    for candidate in ${PYTHON:-python3.13 python3.12 python3.11 python3}; do
        if python_fits "$candidate"; then
            printf '%s\n' "$candidate"
            return
        fi
    done
    die "Python 3.11, 3.12 or 3.13 is needed, found $(python3 --version 2>/dev/null || echo none);" \
        "install one or name it: make setup PYTHON=/path/to/python3."
}

# Debian ships venv apart from Python; without ensurepip it makes environments that have no pip.
venv_package() {
    "$1" -c 'import ensurepip, venv' 2>/dev/null && return
    "$1" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])'
}

missing_packages() {
    command -v bwrap >/dev/null || echo bubblewrap
    command -v gcc >/dev/null || echo gcc libc6-dev
    command -v make >/dev/null || echo make
    command -v node >/dev/null || echo nodejs
    command -v npm >/dev/null || echo npm
    # What the examples are tested with.
    command -v ruby >/dev/null || echo ruby
    command -v distccd >/dev/null || echo distcc
    command -v chromium >/dev/null || echo chromium # the tests of the pages
    local python
    for python in ${PYTHON:-python3.13 python3.12 python3.11 python3}; do
        if python_fits "$python"; then
            venv_package "$python"
            return
        fi
    done
    command -v python3 >/dev/null || echo python3 python3-venv
}

retry() {
    local attempt
    for attempt in 1 2 3; do
        "$@" && return
        say "attempt $attempt of 3 failed: $*"
        sleep $((attempt * 5))
    done
    return 1
}

check_node() {
    local major
    major=$(node --version | sed -E 's/^v([0-9]+).*/\1/')
    [ "$major" -ge 20 ] || die "Node.js 20 or newer is needed, found $(node --version); see nodejs.org."
}

setup_system() {
    [ "$(uname -s)-$(uname -m)" = Linux-x86_64 ] ||
        die "Linux on x86_64 is needed: the embedded chain ships as a binary for it alone."
    local packages
    packages=$(missing_packages | tr '\n' ' ')
    if [ -n "$packages" ]; then
        local install="apt-get install -y --no-install-recommends $packages"
        [ "$(id -u)" -eq 0 ] || die "please install what is missing: sudo $install"
        command -v apt-get >/dev/null || die "please install what is missing: $packages"
        say "installing system packages: $packages"
        export DEBIAN_FRONTEND=noninteractive
        # An image without package lists, or with old ones, cannot install anything.
        retry apt-get update -q || die "apt-get update failed; check the network and try again."
        # shellcheck disable=SC2086 # a list of words on purpose
        retry $install || die "apt could not install: $packages"
    fi
    find_python >/dev/null
    check_node
}

setup_python() {
    local python
    python=$(find_python)
    if ! python_fits .venv/bin/python; then
        say "creating .venv with $("$python" --version)"
        "$python" -m venv --clear .venv
    fi
    say "installing the locked Python packages (about a minute)"
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes \
        -r requirements.lock
    say "installing kudos itself, editable"
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps \
        --no-build-isolation -e .
}

setup_node() {
    check_node
    say "installing the locked npm packages"
    npm ci --no-audit --no-fund --loglevel=error
}

case "${1:-}" in
    system) setup_system ;;
    python) setup_python ;;
    node) setup_node ;;
    *) die "say which part: system, python or node." ;;
esac
