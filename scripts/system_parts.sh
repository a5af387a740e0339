#!/bin/sh
# What the tests use beyond Python packages: a browser for the gallery, a PostgreSQL server for the ledger.
# Installed where this is Debian or Ubuntu and we may; elsewhere the tests that need them skip and say so.
set -eu

missing=""
command -v chromium >/dev/null 2>&1 || command -v chromium-browser >/dev/null 2>&1 || missing="$missing chromium"
ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1 || missing="$missing postgresql"
[ -n "$missing" ] || exit 0

if command -v apt-get >/dev/null 2>&1 && [ "$(id -u)" = 0 ]; then
    export DEBIAN_FRONTEND=noninteractive
    # shellcheck disable=SC2086  # a list of package names
    { apt-get -qq update && apt-get -qq install --yes --no-install-recommends $missing >/dev/null; } || {
        echo "could not install:$missing; the tests that need them will skip" >&2
    }
else
    echo "not installed:$missing; the tests that need them will skip (Debian: apt-get install$missing)" >&2
fi
