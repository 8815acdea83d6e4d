"""`python -m reconciler`: the command line, for where its program is not on PATH."""

from reconciler.cli.main import main

if __name__ == "__main__":
    main()
