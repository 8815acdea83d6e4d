"""The text of the launcher: what schedulers call, and what outlives the Python and the package it starts. Pure."""

from __future__ import annotations

import encodings

_TEXT = """\
#!/bin/sh
# Written by reconciler; changes are lost. Starts its runner, and where that cannot work the command itself.
python=%s
library=%s
runner=%s
cli=%s
if [ "${1-}" != exec ]; then
    [ -x "$cli" ] && exec "$cli" "$@"
    echo "reconcile: cannot start $cli: it is gone; apply once more with the reconciler that you use now" >&2
    exit 127
fi
shift
# -V loads its shared libraries and nothing more. Asked before, because a start that has failed cannot be taken back.
if [ -s "$runner" ] && [ -r "$library" ]; then
    case $("$python" -V 2>&1) in
        Python*) exec "$python" -IS "$runner" exec --cli "$cli" "$@" ;;
    esac
fi
echo "reconcile exec: cannot start $python $runner: it is gone or broken;" \
    "the command runs without timeout, lock and record" >&2
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


def launcher(python: str, package: str, cli: str, library: str = encodings.__file__) -> str:
    """`python` runs the runner of the folder `package` (`reconciler`); `cli` is the whole command line.

    `library` is the file of its standard library without which it ends before it reads a line of ours.
    """
    words = python, library, f"{package}/runner/__main__.py", cli
    return _TEXT % tuple(map(_quoted, words))


def _quoted(word: str) -> str:
    return "'" + word.replace("'", "'\\''") + "'"
