"""The `launchctl` program: what is asked of it, and what its answers mean. Known here alone.

Its text is no interface and differs between releases: the exit status decides, text is read where it helps.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from reconciler.host.protocol import Completed, Host
from reconciler.model.errors import ApplyError, HostError
from reconciler.model.lazy import pattern
from reconciler.providers.launchd.definition import DIGEST, EXIT_TIMEOUT
from reconciler.providers.launchd.session import words

READ_TIMEOUT, WRITE_TIMEOUT = 20.0, 60.0
MARGIN = 10.0  # seconds beyond its exit timeout that a label may take to vanish
PATIENCE = 20.0  # seconds of "busy" from bootstrap before it counts as refused: EIO for 5 s was measured
ENDLESS = 60.0  # how long one waits for a program that may take for ever to end

ABSENT = frozenset({3, 112, 113, 125})  # no such process, domain, service; no such session
_BUSY = frozenset({5, 36, 37})  # draining, in progress, or already there
_ELSEWHERE = frozenset({112, 125, 134})  # no such domain, no session, wrong kind of session
_DISABLED = pattern(r'^\s*"?(?P<label>[^"\s]+)"?\s*=>\s*(?P<word>\S+)\s*$', 8)  # re.MULTILINE
_FIELD = pattern(r"^\s*(?P<name>state|pid|runs|exit timeout|last exit code|path) = (?P<value>.*)$", 8)
_DIGEST = pattern(rf"^\s*{DIGEST} => ([0-9a-f]{{32}})\s*$", 8)


class WrongDomain(ApplyError):
    """The domain does not take such a job; another one may."""


@dataclass(frozen=True, slots=True)
class Job:
    """What launchd holds under one label. `digest` is None where the text does not show it."""

    digest: str | None
    state: str
    pid: int | None
    exit_code: int | None
    exit_timeout: int

    @property
    def leaving(self) -> bool:
        """Told to end and not gone yet: listed, and yet as good as unloaded."""
        return self.state.startswith("SIG")


@dataclass(frozen=True, slots=True)
class Domain:
    """One domain. `text` lists its jobs; `certain` where the list was understood."""

    name: str
    text: str
    certain: bool


def domain(host: Host, name: str) -> Domain | None:
    """A domain with its list, or None where there is none. Raises HostError where launchctl cannot say."""
    done = host.query(["launchctl", "print", name], timeout=READ_TIMEOUT)
    if done.code in ABSENT:
        return None
    if done.code != 0:
        raise _unsaid(f"look at the launchd domain {name}", done, f"print {name}")
    text = done.stdout.decode("utf-8", "replace")
    return Domain(name, text, "services = {" in text)


def holds(host: Host, found: Domain, labels: Iterable[str]) -> frozenset[str]:
    """Which of these labels a domain holds: by its list, or one by one where that was not understood."""
    if not found.certain:
        return frozenset(label for label in labels if job(host, f"{found.name}/{label}") is not None)
    listed = {
        words[2]
        for line in found.text.splitlines()
        if len(words := line.split()) == 3 and (words[0].isdigit() or words[0] == "-") and words[1] != "=>"
    }
    return frozenset(labels) & listed


def job(host: Host, target: str) -> Job | None:
    """What is loaded at `domain/label`, or None. Raises HostError where launchctl cannot say."""
    done = host.query(["launchctl", "print", target], timeout=READ_TIMEOUT)
    if done.code in ABSENT:
        return None
    if done.code != 0:
        raise _unsaid(f"look at {target}", done, f"print {target}")
    text = done.stdout.decode("utf-8", "replace")
    fields: dict[str, str] = {}
    for match in _FIELD.finditer(text):
        fields.setdefault(match["name"], match["value"].strip())  # nested blocks repeat names; the first is its own
    digest = _DIGEST.search(text)
    limit = _number(fields.get("exit timeout", ""))
    return Job(
        digest=digest[1] if digest else None,
        state=fields.get("state", ""),
        pid=_number(fields.get("pid", "")),
        exit_code=_number(fields.get("last exit code", "")),
        exit_timeout=EXIT_TIMEOUT if limit is None else limit,
    )


def disabled(host: Host, name: str) -> frozenset[str]:
    """Labels that somebody disabled in a domain: `true` or `disabled`, as the release has it."""
    done = host.query(["launchctl", "print-disabled", name], timeout=READ_TIMEOUT)
    if done.code in ABSENT:
        return frozenset()
    if done.code != 0:
        raise _unsaid(f"read what is disabled in {name}", done, f"print-disabled {name}")
    text = done.stdout.decode("utf-8", "replace")
    return frozenset(m["label"] for m in _DISABLED.finditer(text) if m["word"] in ("true", "disabled"))


def bootout(host: Host, target: str) -> None:
    """Unload a label and wait until it is gone: the program returns before that. Raises HostError, ApplyError."""
    standing = job(host, target)
    if standing is None:
        return
    limit = (standing.exit_timeout or ENDLESS) + MARGIN
    deadline, pause = host.clock.monotonic() + limit, 0.05
    done = _bootout(host, target)
    while job(host, target) is not None:
        if host.clock.monotonic() >= deadline:
            raise ApplyError(
                f"cannot unload {target}: it is still there after {limit:g} s (launchctl: {words(done)})",
                hint=f"see `launchctl print {target}`; its program may ignore SIGTERM",
            )
        host.clock.sleep(pause)
        pause = min(pause * 2, 0.5)
        if done.code == 5:  # refused for now: asked again, unless it is draining already
            done = _bootout(host, target)


def _bootout(host: Host, target: str) -> Completed:
    done = host.execute(["launchctl", "bootout", target], timeout=WRITE_TIMEOUT)
    if done.code not in ABSENT | _BUSY | {0}:
        raise ApplyError(f"cannot unload {target}: launchctl ended with {words(done)}", hint=_hint(done))
    return done


def enable(host: Host, target: str) -> None:
    """Take back an override that outlives plists; before bootstrap, which would be refused."""
    done = host.execute(["launchctl", "enable", target], timeout=WRITE_TIMEOUT)
    if done.code != 0:
        raise ApplyError(f"cannot enable {target}: launchctl ended with {words(done)}", hint=_hint(done))


def bootstrap(host: Host, name: str, label: str, path: Path, digest: str | None) -> None:
    """Load a plist and see that launchd holds this definition and no older one. Raises HostError, ApplyError."""
    deadline, pause = host.clock.monotonic() + PATIENCE, 0.05
    target = f"{name}/{label}"
    while True:
        done = host.execute(["launchctl", "bootstrap", name, str(path)], timeout=WRITE_TIMEOUT)
        standing = job(host, target) if done.code in _BUSY | {0} else None
        if standing is not None and is_that(standing, digest):
            return
        if standing is not None:  # launchd keeps the definition that it has, and bootstrap does not say so
            bootout(host, target)
        elif done.code in _ELSEWHERE:
            raise WrongDomain(f"cannot load {path} into {name}: launchctl ended with {words(done)}")
        elif done.code not in _BUSY | {0}:
            raise ApplyError(f"cannot load {path}: launchctl ended with {words(done)}", hint=_hint(done))
        if host.clock.monotonic() >= deadline:
            raise ApplyError(
                f"cannot load {path} into {name}: launchctl ended with {words(done)}, again and again",
                hint="5 has many causes: a disabled label, a bad plist (`plutil -lint`), the wrong domain",
            )
        host.clock.sleep(pause)
        pause = min(pause * 2, 1.0)


def kickstart(host: Host, target: str) -> None:
    """Start a registered job that launchd forgot to start. Never a way to load an edited plist."""
    done = host.execute(["launchctl", "kickstart", target], timeout=WRITE_TIMEOUT)
    if done.code != 0:
        raise ApplyError(f"cannot start {target}: launchctl ended with {words(done)}", hint=_hint(done))


def is_that(standing: Job, digest: str | None) -> bool:
    """Whether a loaded job is this definition and stays, as far as launchctl shows."""
    if standing.leaving:
        return False
    return digest is None or standing.digest is None or standing.digest == digest


def _unsaid(what: str, done: Completed, asked: str) -> HostError:
    hint = f"run `launchctl {asked}` yourself; where that fails too, log out and in again"
    return HostError(f"cannot {what}: launchctl ended with {words(done)}", hint=hint)


def _number(text: str) -> int | None:
    """`78: EX_CONFIG` is 78; `(never exited)` is nothing."""
    word = text.split(":", maxsplit=1)[0].strip()
    return int(word) if word.lstrip("-").isdigit() else None


def _hint(done: Completed) -> str:
    if b"bad ownership" in done.stderr:
        return "a plist must belong to whoever loads it, and only they may write it"
    if done.code == 119:
        return "somebody disabled it: `launchctl print-disabled` lists what is"
    if done.code == 64:
        return "this launchctl does not know the command: see which one PATH finds first"
    return f"`launchctl error {done.code}` explains the status, `plutil -lint` checks a plist; then plan again"
