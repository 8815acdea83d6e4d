"""To be merged."""


def launcher(python: str, package: str, cli: list[str]) -> str:
    return "#!/bin/sh\n"
