"""`python -IS FOLDER/__main__.py exec NAME -- COMMAND…`: the runner alone, without the rest of the package.

A stand-in for the parent package makes the imports work without site-packages and without reconciler/__init__.
"""

import os
import sys

if not __package__:
    parent = type(sys)("reconciler")
    parent.__path__ = [os.path.dirname(os.path.dirname(os.path.abspath(__file__)))]
    sys.modules["reconciler"] = parent


def without_runner(words: list[str], error: Exception) -> None:
    """Become the command of the line: a package that lacks a file must not keep a job from running."""
    options, command = words[: words.index("--")], words[words.index("--") + 1 :]
    text = (
        f"cannot load the runner: {type(error).__name__}: {error}; the command runs without timeout, lock and record"
    )
    os.write(2, f"reconcile exec: {text}\n".encode(errors="backslashreplace"))
    folder = ""
    for at, word in enumerate(options):
        if word.startswith("--in="):
            folder = word.partition("=")[2]
        elif word == "--in":
            folder = "".join(options[at + 1 : at + 2])
    try:
        if folder:
            os.chdir(os.path.expanduser(folder))
    except OSError as cause:
        os.write(2, f"reconcile exec: cannot enter {folder}: {cause.strerror}\n".encode(errors="backslashreplace"))
        os._exit(125)
    try:
        os.execvp(command[0], command)
    except OSError as cause:
        os.write(
            2, f"reconcile exec: cannot start {command[0]}: {cause.strerror}\n".encode(errors="backslashreplace")
        )
        os._exit(127 if isinstance(cause, FileNotFoundError) else 126)


try:
    from reconciler.runner.main import main
except Exception as error:
    if "--" not in sys.argv[:-1]:
        raise
    without_runner(sys.argv[1:], error)
    raise

# Nothing is buffered and nothing waits for an end of the interpreter, which would cost a millisecond.
os._exit(main(sys.argv[1:]))
