#!/bin/sh
# Prints a Python 3.11+ that can make virtual environments: the one named, else the first that runs. Exit 1 with one sentence if there is none.
for python in ${1:-python3 python3.13 python3.12 python3.11 python3.14 python}; do
  if "$python" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
    echo "$python"
    exit 0
  fi
done
echo "flowaudit needs Python 3.11 or newer with venv (Debian: python3-venv); name one with make PYTHON=/path/to/python3" >&2
exit 1
