"""`python -IS FOLDER/__main__.py exec NAME -- COMMAND…`: the runner alone, without the rest of the package.

A stand-in for the parent package makes the imports work without site-packages and without reconciler/__init__.
"""

import os
import sys

if not __package__:
    parent = type(sys)("reconciler")
    parent.__path__ = [os.path.dirname(os.path.dirname(os.path.abspath(__file__)))]
    sys.modules["reconciler"] = parent

from reconciler.runner.main import main

# Nothing is buffered and nothing waits for an end of the interpreter, which would cost a millisecond.
os._exit(main(sys.argv[1:]))
