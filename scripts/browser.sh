#!/bin/sh
# What the browser tests need: Playwright (its driver alone, no browser of its own) in the environment of PYTHON, axe-core below FOLDER, Chromium on the PATH.
# usage: browser.sh PYTHON FOLDER
set -eu
python=$1 folder=$2
"$python" -c 'import playwright' 2>/dev/null || "$python" -m pip install --quiet --disable-pip-version-check 'playwright>=1.49'
mkdir -p "$folder"
if ! test -f "$folder/node_modules/axe-core/axe.min.js" && ! command -v npm >/dev/null; then
  echo "the browser tests need npm to fetch axe-core (Debian: apt-get install npm)" >&2
  exit 1
fi
test -f "$folder/node_modules/axe-core/axe.min.js" || npm install --silent --no-audit --no-fund --prefix "$folder" 'axe-core@4'
if ! command -v chromium >/dev/null && ! command -v chromium-browser >/dev/null && ! command -v google-chrome >/dev/null; then
  if test "$(id -u)" = 0 && command -v apt-get >/dev/null; then
    apt-get update -qq && apt-get install -y -qq chromium >/dev/null
  else
    echo "the browser tests need chromium on the PATH (Debian: apt-get install chromium)" >&2
    exit 1
  fi
fi
