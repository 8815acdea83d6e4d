"""Opening a TCP connection within a deadline that also holds for the name look-up."""

from __future__ import annotations

import socket
import time

from reconciler.host.bounded import bounded
from reconciler.model.errors import HostError


def connect(address: str, port: int, *, timeout: float) -> None:
    """Open and close one connection, trying every address of the name in turn."""
    place = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
    deadline = time.monotonic() + timeout
    try:
        found = bounded(lambda: socket.getaddrinfo(address, port, type=socket.SOCK_STREAM), timeout)
    except TimeoutError as error:
        message = f"cannot connect to {place}: the name {address} was not resolved within {timeout:g} s"
        raise HostError(message) from error
    except (OSError, UnicodeError, OverflowError) as error:
        raise HostError(f"cannot connect to {place}: {_cause(error)}") from error
    cause = f"no answer within {timeout:g} s"
    for family, kind, protocol, _, target in found:
        left = deadline - time.monotonic()
        if left <= 0:
            break
        try:
            with socket.socket(family, kind, protocol) as connection:
                connection.settimeout(left)
                connection.connect(target)
        except TimeoutError:
            break
        except OSError as error:
            cause = _cause(error)
        else:
            return
    raise HostError(f"cannot connect to {place}: {cause}")


def _cause(error: Exception) -> str:
    return (getattr(error, "strerror", None) or str(error)).lower()
