"""The exec probe: a command that must end with the right code and, if asked, say the right thing."""

from __future__ import annotations

import signal
from collections.abc import Mapping, Sequence

from reconciler.health.excerpt import excerpt, short
from reconciler.health.match import mismatch
from reconciler.host.protocol import Host
from reconciler.model.data import Json
from reconciler.model.errors import CommandTimeout, HostError


def check(options: Mapping[str, Json], host: Host, timeout: float) -> str | None:
    """Run the command: a list as it stands, a string through /bin/sh, which its author asked for."""
    command = options["command"]
    argv = ["/bin/sh", "-c", command] if isinstance(command, str) else _words(command)
    name = f"`{short(command if isinstance(command, str) else ' '.join(argv))}`"
    own = options.get("timeout", 10)
    limit = min(float(own) if isinstance(own, int | float) else 10.0, timeout)
    directory = options.get("directory")
    try:
        done = host.probe_command(
            argv, timeout=limit, directory=None if directory is None else str(directory), environment={}
        )
    except CommandTimeout:
        return f"{name} did not end within {limit:g} s and was killed"
    except HostError as error:
        return error.message
    expected = options.get("exitCode", 0)
    output = done.stdout + done.stderr
    if done.code != expected:
        return f"{name} should exit with {expected}, but {_ending(done.code)}; it wrote {excerpt(output, end=True)}"
    if "matches" in options:
        return mismatch(options["matches"], output, f"the output of {name}")
    return None


def _words(command: Json) -> list[str]:
    assert isinstance(command, Sequence)  # noqa: S101 - validated where the manifest was read
    return [str(word) for word in command]


def _ending(code: int) -> str:
    if code >= 0:
        return f"exited with {code}"
    try:
        return f"was killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"was killed by signal {-code}"
