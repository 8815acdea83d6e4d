"""One question whether a service can be used yet, asked in a process of its own, so that its waiting holds nobody up.

The child answers with an empty line, or with what is wrong. Asked only between the start of a service and its first
yes; looking after it later is the business of the gates and of checks.
"""

from __future__ import annotations

import _signal
import os
import time
from collections.abc import Mapping
from typing import Any

LIMIT = 64 * 1024  # bytes of an answer that are looked at


def ask(type_: str, options: Mapping[str, Any], environment: Mapping[str, str]) -> tuple[int, int]:
    """The pid of the child, and the pipe that its answer comes through."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        why = "the question could not be asked"
        try:
            _signal.set_wakeup_fd(-1)
            os.setsid()
            os.dup2(writing, 3)
            os.closerange(4, 1 << 16)  # above all the lock, which must go with our parent
            why = _asked(type_, options, environment)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the answer
            why = f"{type(error).__name__}: {error}"
        finally:
            os.write(3, why.encode(errors="replace")[:512] + b"\n")
            os._exit(0)
    os.close(writing)
    os.set_blocking(reading, False)
    return pid, reading


def limit_of(type_: str, options: Mapping[str, Any]) -> float:
    """Seconds after which no answer is an answer."""
    return float(options.get("timeout", 10) if type_ == "exec" else options.get("within", 2))


def _asked(type_: str, options: Mapping[str, Any], environment: Mapping[str, str]) -> str:
    if type_ == "tcp":
        return _tcp(options)
    if type_ == "http":
        return _http(options)
    if type_ == "file":
        return _file(options)
    if type_ == "exec":
        return _exec(options, environment)
    return f"there is no probe {type_}"


def _tcp(options: Mapping[str, Any]) -> str:
    import socket

    try:
        socket.create_connection((options["address"], int(options["port"])), limit_of("tcp", options)).close()
    except OSError as error:
        return f"cannot connect to {options['address']}:{options['port']}: {error.strerror or error}"
    return ""


def _http(options: Mapping[str, Any]) -> str:
    """Status and text only: conditions on JSON are the business of the gates."""
    from http.client import HTTPConnection, HTTPException, HTTPSConnection
    from urllib.parse import urlsplit

    parts = urlsplit(options["url"])
    kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=limit_of("http", options))
    target = f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
    try:
        connection.request(options.get("method", "GET"), target, headers=dict(options.get("headers") or {}))
        answer = connection.getresponse()
        body = answer.read(LIMIT)
    except (OSError, HTTPException) as error:
        return f"{options['url']} does not answer: {error}"
    if answer.status != options.get("status", 200):
        return f"{options['url']} answers {answer.status}"
    return _matched(options, body)


def _file(options: Mapping[str, Any]) -> str:
    path = os.path.expanduser(options["path"])
    if not options.get("exists", True):
        return f"{path} exists" if os.path.exists(path) else ""
    try:
        about = os.stat(path)
        if "minSize" in options and about.st_size < options["minSize"]:
            return f"{path} holds {about.st_size} bytes only"
        if "maxAge" in options and time.time() - about.st_mtime > options["maxAge"]:
            return f"{path} is too old"
        if "matches" not in options:
            return ""
        with open(path, "rb") as file:
            return _matched(options, file.read(LIMIT))
    except OSError as error:
        return f"cannot look at {path}: {error.strerror}"


def _exec(options: Mapping[str, Any], environment: Mapping[str, str]) -> str:
    from reconciler.runner.start import NotStarted, capture

    command = options["command"]
    argv = ["/bin/sh", "-c", command] if isinstance(command, str) else list(command)
    os.chdir(os.path.expanduser(options.get("directory") or "~"))
    try:
        code, output = capture(argv, limit_of("exec", options), environment)
    except NotStarted as error:
        return str(error)
    if code != options.get("exitCode", 0):
        return f"`{' '.join(argv)}` ended with {code}"
    return _matched(options, output)


def _matched(options: Mapping[str, Any], data: bytes) -> str:
    import re

    pattern = options.get("matches")
    if pattern is None or re.search(pattern, data.decode("utf-8", "replace")):
        return ""
    return f"there is no {pattern!r} in the answer"
