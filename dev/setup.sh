#!/bin/sh
# Finds a Python of 3.11 or later that really runs, and lets dev/setup.py build .venv with it.
set -eu
cd "$(dirname "$0")/.."

supported() { "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))' >/dev/null 2>&1; }

# PYTHON=/path/to/python make test: your own choice comes first.
for python in ${PYTHON:-} python3.13 python3.12 python3.11 python3 python; do
    if supported "$python"; then
        exec "$python" dev/setup.py "$@"
    fi
done

{
    echo "This project needs Python 3.11 to 3.14, and none was found. Looked at:"
    for python in ${PYTHON:-} python3.13 python3.12 python3.11 python3 python; do
        if command -v "$python" >/dev/null 2>&1; then
            echo "    $python: $("$python" --version 2>&1 | head -n 1)"
        else
            echo "    $python: not found"
        fi
    done
    echo "Install one (Debian, Ubuntu: apt install python3 python3-venv; macOS: brew install python@3.13),"
    echo "or name yours: make PYTHON=/path/to/python3 ..."
} >&2
exit 1
