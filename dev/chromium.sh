#!/bin/sh
# Sees to it that there is a Chromium for the tests of the pages; with --check it only tells whether there is one.
set -eu

for program in chromium chromium-browser google-chrome google-chrome-stable; do
    command -v "$program" >/dev/null && exit 0
done
[ "${1:-}" != --check ] || exit 1

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "Chromium is missing: installing it with apt-get"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium
    exit 0
fi
echo "These tests need Chromium or Chrome. Install one (Debian, Ubuntu: sudo apt install chromium; macOS:" >&2
echo "brew install --cask chromium) so that a command of this name is in the PATH." >&2
exit 1
