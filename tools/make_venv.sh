#!/bin/sh
# Make the virtual environment "$1" with everything that the project and its tests need.
# Run again it brings an existing one up to date. Needs Python 3.11 or newer and a package index.
set -eu
venv=$1

# The first is the version that the Docker image and the constraints are made for. Each is run, not
# only looked up: a version manager's stub, or a Debian without python3-venv, would fail later.
find_python() {
    for name in python3.11 python3.12 python3.13 python3 python3.14; do
        "$name" -c 'import sys, ensurepip, venv; sys.exit(not (3, 11) <= sys.version_info < (3, 15))' \
            2>/dev/null && echo "$name" && return
    done
    echo "No usable Python 3.11 to 3.14 found. Install one with its venv module" \
        "(Debian: apt install python3 python3-venv) and run this again." >&2
    exit 1
}

need_mb=1500
if ! "$venv/bin/python" -c '' 2>/dev/null; then
    free_mb=$(df -Pm "$(dirname "$venv")" | awk 'NR == 2 { print $4 }')
    if [ "$free_mb" -lt "$need_mb" ]; then
        echo "Only $free_mb MB are free where $venv goes, $need_mb MB are needed. Free some, or" \
            "name another place: make VENV=/other/disk/venv …" >&2
        exit 1
    fi
    python=$(find_python)
    echo "making $venv with $python ($("$python" --version))"
    "$python" -m venv --clear "$venv"
fi
py=$venv/bin/python

echo "installing about 200 packages (1.1 GB) into $venv: some minutes at the first time"
if "$py" -m pip install --quiet --constraint constraints.txt uv \
    && "$py" -m uv pip install --python "$py" -r requirements-dev.txt -c constraints.txt; then
    "$py" -m uv pip install --python "$py" --quiet --no-deps -e .
else
    echo "uv cannot be used here; going on with pip, which is slower"
    if ! "$py" -m pip install -r requirements-dev.txt -c constraints.txt; then
        echo "The packages could not be installed; the reason stands above. They come from the" \
            "package index that pip is set up for: is there a network, and space on the disk?" \
            "Then run this again: it goes on where it was." >&2
        exit 1
    fi
    "$py" -m pip install --quiet --no-deps -e .
fi
"$py" -m pip check
