"""Secrets, taken from where they are kept at the moment of the run. Their values leave this file in memory only."""

from __future__ import annotations

import os
import sys
import time

from reconciler.runner.held import opened
from reconciler.runner.signals import Signals
from reconciler.runner.start import NotStarted, capture
from reconciler.runner.text import why

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

PATIENCE = 30.0  # seconds that a program may take to hand a secret out
LARGEST = 1024 * 1024


class Unresolved(Exception):
    """A secret is not to be had. Names the variable and the reference, never a value."""


class Limits:
    """How long it may take: each secret for a while, all together as long as the job, and none past a signal."""

    def __init__(self, longest: float, asked: Signals) -> None:
        self.asked = asked
        self._until = time.monotonic() + (longest or float("inf"))

    @property
    def left(self) -> float:
        return max(0.0, min(PATIENCE, self._until - time.monotonic()))


def resolve(
    secrets: Mapping[str, Mapping[str, Any]], environment: Mapping[str, str], longest: float, asked: Signals
) -> dict[str, str]:
    """Every variable with its value. Raises Unresolved for the first that has none. `longest`: seconds, or 0."""
    found = {}
    limits = Limits(longest, asked)
    for variable, reference in secrets.items():
        source, _, target = _shown(reference).partition(" ")
        try:
            value = _usable(variable, _value(variable, reference, environment, limits))
        except (OSError, ValueError, NotStarted) as error:
            cause = str(error) if isinstance(error, NotStarted) else why(error)
            raise Unresolved(f"cannot resolve the secret {variable} ({source} {target}): {cause}") from error
        found[variable] = os.fsdecode(value)
    return found


def _usable(variable: str, value: bytes) -> bytes:
    if not value:
        raise ValueError("it is empty")
    if b"\0" in value:
        raise ValueError("it holds a NUL byte, which no variable can")
    if not variable or "=" in variable or "\0" in variable:
        raise ValueError("this is no name of a variable")
    return value


def _shown(reference: Mapping[str, Any]) -> str:
    source = next(iter(reference), "reference")
    target = reference.get(source, "missing")
    return f"{source} {target[0] if isinstance(target, list) and target else target}"


def _value(variable: str, reference: Mapping[str, Any], environment: Mapping[str, str], limits: Limits) -> bytes:
    source, target = next(iter(reference.items()), ("", None))
    if source == "exec" and isinstance(target, list) and target and all(isinstance(word, str) for word in target):
        return _asked(target, environment, limits)
    if source == "exec" or len(reference) != 1 or not isinstance(target, str) or not target:
        raise ValueError("the reference makes no sense")
    if source == "env":
        if target not in environment:
            raise ValueError("the environment of the run has no such variable")
        return os.fsencode(environment[target])
    if source == "file":
        with open(opened(os.path.expanduser(target), limits.left, limits.asked), "rb") as file:
            value = file.read(LARGEST + 1)
        if len(value) > LARGEST:
            raise ValueError("it is too large for a secret")
        return value.removesuffix(b"\n").removesuffix(b"\r")
    if source == "keyring":
        service, _, account = target.partition("/")
        if sys.platform == "darwin":
            argv = ["security", "find-generic-password", "-s", service, "-a", account, "-w"]
        else:
            argv = ["secret-tool", "lookup", "service", service, "account", account]
        return _asked(argv, environment, limits)
    if source == "envchain":
        return _asked(["envchain", target, "printenv", variable], environment, limits)
    raise ValueError("there is no such kind of reference")


def _asked(argv: list[str], environment: Mapping[str, str], limits: Limits) -> bytes:
    seconds = limits.left
    code, output = capture(argv, seconds, environment, LARGEST, limits.asked)
    if code == -1:
        raise ValueError(f"{argv[0]} took longer than {seconds:.3g} s, died or said too much")
    if code:
        raise ValueError(f"{argv[0]} ended with exit code {code}")
    return output.removesuffix(b"\n").removesuffix(b"\r")
