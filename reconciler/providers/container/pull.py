"""How far a pull is: the engine's stream of JSON lines becomes a few words, now and then.

Nothing that the stream says reaches a person as it is, but for the error that ends it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from reconciler.host.protocol import Host
from reconciler.model.data import Json
from reconciler.model.errors import HostError

PAUSE = 0.5  # seconds between two reports
_LINE_LIMIT = 2**20
_DONE = frozenset({"Pull complete", "Already exists"})
_FETCHED = frozenset({"Verifying Checksum", "Download complete", "Extracting"})
_BEGUN = frozenset({"Pulling fs layer", "Waiting", "Downloading", "Retrying"})


class Pull:
    """One pull under way. `feed` takes the stream in parts of any length; `error` is what went wrong."""

    def __init__(self, image: str, host: Host) -> None:
        self.error: str | None = None
        self._image = image
        self._host = host
        self._rest = b""
        self._layers: dict[str, str] = {}  # the last status of each
        self._bytes: dict[tuple[str, str], int] = {}  # by layer and status, how far that is
        self._sizes: dict[str, int] = {}
        self._said = ""
        self._last = host.clock.monotonic() - PAUSE
        self._report()

    def feed(self, part: bytes) -> None:
        *lines, self._rest = (self._rest + part).split(b"\n")
        if len(self._rest) > _LINE_LIMIT:
            raise HostError(f"cannot pull {self._image}: the engine's answer has a line without an end")
        for line in lines:
            self._hear(line)
        if self._host.clock.monotonic() - self._last >= PAUSE:
            self._report()

    def end(self) -> None:
        """The stream is over: its last line may have no end."""
        self._hear(self._rest)
        self._rest = b""
        self._report()

    def _hear(self, line: bytes) -> None:
        try:
            said = json.loads(line)
        except (ValueError, RecursionError):
            return
        if not isinstance(said, dict):
            return
        if said.get("error"):
            self.error = " ".join(str(said["error"]).split())[:500]
        layer, status = said.get("id"), said.get("status")
        if not isinstance(layer, str) or not isinstance(status, str) or status not in _DONE | _FETCHED | _BEGUN:
            return
        self._layers[layer] = status
        detail = said.get("progressDetail")
        if isinstance(detail, dict) and isinstance(current := detail.get("current"), int):
            self._bytes[layer, _unit(status, detail)] = current
            if status == "Downloading" and isinstance(total := detail.get("total"), int):
                self._sizes[layer] = total
        if status not in _BEGUN and layer in self._sizes:  # the last part of a layer is not always told
            self._bytes[layer, "Downloading"] = self._sizes[layer]

    def _report(self) -> None:
        """Only what is new: a report earns time, and a pull that stands still is to end."""
        text = self._text()
        if text != self._said:
            self._said, self._last = text, self._host.clock.monotonic()
            self._host.report(text)

    def _text(self) -> str:
        parts = [f"pulling {self._image}"]
        if self._layers:
            done = sum(status in _DONE for status in self._layers.values())
            parts.append(f"{done} of {len(self._layers)} layers")
        if fetched := self._sum("Downloading"):
            parts.append(f"{fetched / 1e6:.1f} MB fetched")
        if unpacked := self._sum("Extracting"):
            parts.append(f"{unpacked / 1e6:.1f} MB unpacked")
        if seconds := self._sum("Extracting for"):
            parts.append(f"unpacking for {seconds}s")
        return ", ".join(parts)

    def _sum(self, unit: str) -> int:
        return sum(count for (_, of), count in self._bytes.items() if of == unit)


def _unit(status: str, detail: Mapping[str, Json]) -> str:
    """Bytes, or, with the image store of containerd, the seconds that unpacking takes."""
    return f"{status} for" if detail.get("units") == "s" else status
