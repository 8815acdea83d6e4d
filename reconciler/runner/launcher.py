"""The text of the launcher: what schedulers call, and what outlives the Python and the package it starts. Pure."""

from __future__ import annotations

_TEXT = """\
#!/bin/sh
# Written by reconciler; changes are lost. Starts its runner, and where that is gone the command itself.
python=%s
runner=%s
cli=%s
if [ "${1-}" != exec ]; then
    [ -x "$cli" ] && exec "$cli" "$@"
    echo "reconcile: cannot start $cli: it is gone; apply once more with the reconciler that you use now" >&2
    exit 127
fi
shift
[ -x "$python" ] && [ -r "$runner" ] && exec "$python" -IS "$runner" exec --cli "$cli" "$@"
echo "reconcile exec: cannot start $python $runner: it is gone; the command runs without timeout, lock and record" >&2
folder=
while [ $# -gt 0 ] && [ "$1" != -- ]; do
    case $1 in
        --in) folder=${2-}; shift ;;
        --in=*) folder=${1#--in=} ;;
    esac
    shift
done
[ $# -gt 1 ] || { echo "reconcile exec: there is no command after --" >&2; exit 2; }
shift
case $folder in
    "~") folder=$HOME ;;
    "~/"*) folder=$HOME/${folder#"~/"} ;;
    "~"*) folder=$(getent passwd "${folder#"~"}" | cut -d: -f6) ;;
esac
if [ -n "$folder" ]; then cd "$folder" || exit 125; fi
exec "$@"
"""


def launcher(python: str, package: str, cli: str) -> str:
    """`python` runs the runner of the folder `package` (`reconciler`); `cli` is the whole command line."""
    return _TEXT % (_quoted(python), _quoted(f"{package}/runner/__main__.py"), _quoted(cli))


def _quoted(word: str) -> str:
    return "'" + word.replace("'", "'\\''") + "'"
