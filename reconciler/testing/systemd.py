"""A stand-in for systemd in memory: `systemctl`, `systemd-analyze`, and the `find`, `mkdir`, `ln` around them.

Stateful: units are what was on disk at the last reload, and run or not. Strict: what it does not know is an error.
A differential test keeps it in step with the real programs.
"""

from __future__ import annotations

import fnmatch
import io
import json
import tarfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from reconciler.host.fake import FakeHost
from reconciler.host.protocol import Completed

_DONE = Completed(0, b"", b"")


class Link(bytes):
    """A symbolic link among the files of a fake host; its content is the text of its target."""


@dataclass(slots=True)
class ManagerState:
    """One manager: where its units lie, the files that it has read, and what runs."""

    folder: str
    answers: bool = True
    known: dict[str, bytes] = field(default_factory=dict)
    active: set[str] = field(default_factory=set)
    failed: set[str] = field(default_factory=set)
    started: set[str] = field(default_factory=set)
    restarts: dict[str, int] = field(default_factory=dict)
    loaded: datetime = datetime(2026, 1, 1, tzinfo=UTC)


class SystemdPrograms:
    """Give `programs()` to a FakeHost. `fails` holds units that cannot be started; `broken` an error for all asks."""

    def __init__(self, host: FakeHost) -> None:
        self.host = host
        self.user = ManagerState("/home/tester/.config/systemd/user")
        self.system = ManagerState("/etc/systemd/system", answers=False)
        self.fails: set[str] = set()
        self.broken: str | None = None
        self.calls: list[tuple[str, ...]] = []
        host.programs |= self.programs()

    def programs(self) -> dict[str, Callable[[Sequence[str], bytes], Completed]]:
        """Every program that the provider starts."""
        return {
            "systemctl": self._systemctl,
            "systemd-analyze": lambda argv, _: _error(f"unexpected: {' '.join(argv)}"),
            "sh": self._verify,
            "find": self._find,
            "mkdir": lambda _argv, _stdin: _DONE,
            "ln": self._ln,
        }

    def files(self, manager: ManagerState) -> dict[str, bytes]:
        """Unit files and links in a manager's folder, by path inside it."""
        start = f"{manager.folder}/"
        return {p.removeprefix(start): c for p, c in sorted(self.host.files.items()) if p.startswith(start)}

    def _systemctl(self, argv: Sequence[str], _stdin: bytes) -> Completed:
        self.calls.append(tuple(argv))
        rest = [word for word in argv[1:] if word not in ("--no-pager", "--no-ask-password", "--timestamp=us+utc")]
        manager = {"--user": self.user, "--system": self.system}.get(rest.pop(0))
        if manager is None:
            return _error("say --user or --system")
        if self.broken is not None:
            return _error(self.broken)
        if not manager.answers:
            return _error("Failed to connect to bus: No such file or directory")
        verb, *arguments = rest
        end = arguments.index("--") if "--" in arguments else len(arguments)
        options, names = arguments[:end], arguments[end + 1 :]
        verbs = {
            "show": self._show, "list-units": self._list, "start": self._start, "stop": self._stop,
            "daemon-reload": self._reload, "reset-failed": self._reset, "clean": self._clean, "status": self._status,
        }  # fmt: skip
        if verb not in verbs:
            return _error(f"Unknown command verb {verb}.")
        return verbs[verb](manager, options, names)

    def _show(self, manager: ManagerState, options: Sequence[str], names: Sequence[str]) -> Completed:
        asked = options[0].removeprefix("--property=").split(",")
        if not names:
            about = {
                "Version": "252",
                "UnitPath": f"{manager.folder}.control {manager.folder} /usr/lib/systemd",
                "SystemState": "running",
                "UnitsLoadTimestamp": f"{manager.loaded:%a %Y-%m-%d %H:%M:%S.%f} UTC",
            }
            return Completed(0, "".join(f"{k}={about[k]}\n" for k in asked if k in about).encode(), b"")
        blocks = []
        for name in names:
            about = self._about(manager, name)
            blocks.append("".join(f"{key}={about[key]}\n" for key in asked if key in about))
        return Completed(0, "\n".join(blocks).encode(), b"")

    def _about(self, manager: ManagerState, name: str) -> dict[str, str]:
        known, now = manager.known.get(name), self.files(manager).get(name)
        _, active, sub = self._row(manager, name)
        service = {
            "NRestarts": str(manager.restarts.get(name, 0)),
            "ExecMainStartTimestampMonotonic": "1" if name in manager.started else "0",
            "ExecMainCode": "1" if name in manager.failed else "0",
            "ExecMainStatus": "1" if name in manager.failed else "0",
        }
        return (service if name.endswith(".service") else {}) | {
            "Id": name,
            "LoadState": "loaded" if known is not None else "not-found",
            "FragmentPath": f"{manager.folder}/{name}" if known is not None else "",
            "ActiveState": active,
            "SubState": sub,
            "Result": "exit-code" if name in manager.failed else "success",
            "NeedDaemonReload": "yes" if known != now else "no",
        }

    def _row(self, manager: ManagerState, name: str) -> tuple[str, str, str]:
        load = "loaded" if name in manager.known else "not-found"
        if name in manager.active:
            return load, "active", "waiting" if name.endswith(".timer") else "running"
        return (load, "failed", "failed") if name in manager.failed else (load, "inactive", "dead")

    def _list(self, manager: ManagerState, options: Sequence[str], names: Sequence[str]) -> Completed:
        if "--output=json" not in options or "--all" not in options:
            return _error("this stand-in lists all units as JSON only")
        every = sorted(manager.known.keys() | manager.active | manager.failed)
        chosen = [unit for unit in every if any(fnmatch.fnmatchcase(unit, pattern) for pattern in names)]
        rows = [
            dict(zip(("unit", "load", "active", "sub"), (u, *self._row(manager, u)), strict=True)) for u in chosen
        ]
        return Completed(0, json.dumps(rows).encode(), b"")

    def _start(self, manager: ManagerState, _options: Sequence[str], names: Sequence[str]) -> Completed:
        files, bad = self.files(manager), []
        for name in names:
            if name not in manager.known and name in files:  # a unit that is not loaded is read when it is needed
                manager.known[name] = files[name]
            if name not in manager.known:
                return _error(f"Failed to start {name}: Unit {name} not found.", 5)
            if name in self.fails:
                bad.append(name)
                manager.failed.add(name)
            else:
                manager.active.add(name)
                manager.started.add(name)
                manager.failed.discard(name)
        return (
            _error(f"Job for {bad[0]} failed because the control process exited with error code.") if bad else _DONE
        )

    def _stop(self, manager: ManagerState, _options: Sequence[str], names: Sequence[str]) -> Completed:
        missing = [name for name in names if name not in manager.known]
        if missing:
            return _error(f"Failed to stop {missing[0]}: Unit {missing[0]} not loaded.", 5)
        manager.active -= set(names)
        return _DONE

    def _reload(self, manager: ManagerState, _options: Sequence[str], _names: Sequence[str]) -> Completed:
        files = self.files(manager)
        manager.known = {n: c for n, c in files.items() if "/" not in n and not isinstance(c, Link)}
        self.host.time.advance(0.05)
        manager.loaded = self.host.time.now()
        self.host.time.advance(0.05)
        return _DONE

    def _reset(self, manager: ManagerState, _options: Sequence[str], names: Sequence[str]) -> Completed:
        manager.failed -= set(names)
        return _DONE

    def _clean(self, manager: ManagerState, options: Sequence[str], names: Sequence[str]) -> Completed:
        busy = [name for name in names if name in manager.active]
        if list(options) != ["--what=state"] or busy:
            return _error(f"Failed to clean unit {busy[0] if busy else names}: Unit is not inactive or failed.")
        return _DONE

    def _status(self, manager: ManagerState, _options: Sequence[str], names: Sequence[str]) -> Completed:
        load, active, _ = self._row(manager, names[0])
        if load == "not-found" and active == "inactive":
            return _error(f"Unit {names[0]} could not be found.", 4)
        return Completed(3, f"{names[0]}\n  Loaded: {load}\n  Active: {active} (Result: exit-code)\n".encode(), b"")

    def _verify(self, argv: Sequence[str], stdin: bytes) -> Completed:
        if len(argv) < 4 or "systemd-analyze verify" not in argv[2]:
            return _error("this stand-in runs no other script")
        with tarfile.open(fileobj=io.BytesIO(stdin)) as archive:
            for member in archive.getmembers():
                content = (archive.extractfile(member) or io.BytesIO()).read()
                if b"\nExecStart=" not in content and member.name.endswith(".service"):
                    return _error(f"{member.name}: Service has no ExecStart=")
                if b"/no/such" in content:
                    return _error(f"{member.name}: Command /no/such is not executable: No such file or directory")
        return _DONE

    def _find(self, argv: Sequence[str], _stdin: bytes) -> Completed:
        words = list(argv)
        roots = words[2 : words.index("-mindepth")]
        patterns = [(words[i], words[i + 1]) for i, word in enumerate(words) if word in ("-path", "-name")]
        out = b""
        for path, content in sorted(self.host.files.items()):
            inside = [root for root in roots if path.startswith(f"{root}/") and path[len(root) :].count("/") <= 2]
            if not inside or not any(_matches(path, *pattern) for pattern in patterns):
                continue
            sort = "l" if isinstance(content, Link) else "f"
            at = self.host.times.get(path, datetime(2026, 1, 1, tzinfo=UTC)).timestamp()
            target = content.decode() if sort == "l" else ""
            out += f"{sort}\0{path}\0{at:.9f}\0{target}\0".encode()
        return Completed(0, out, b"")

    def _ln(self, argv: Sequence[str], _stdin: bytes) -> Completed:
        words = list(argv)
        targets = words[words.index("--") + 1 :]
        if words[1:3] == ["-sfn", "-t"]:
            pairs = [(f"{words[3]}/{target.rpartition('/')[2]}", target) for target in targets]
        else:
            pairs = [(targets[1], targets[0])]
        for path, target in pairs:
            self.host.files[path] = Link(target.encode())
        return _DONE


def _matches(path: str, test: str, pattern: str) -> bool:
    return fnmatch.fnmatchcase(path if test == "-path" else path.rpartition("/")[2], pattern)


def _error(text: str, code: int = 1) -> Completed:
    return Completed(code, b"", text.encode() + b"\n")
