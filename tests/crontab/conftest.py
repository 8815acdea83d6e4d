"""A desk to work at: the provider, a host with a crontab program, and a planner of ten lines."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

import pytest

from reconciler.host.fake import FakeHost
from reconciler.host.protocol import Host
from reconciler.model.address import ResourceId
from reconciler.model.change import Action, Cause, Change
from reconciler.model.resource import Resource, Source
from reconciler.model.state import HostFacts, Observation, Observed, Ownership, State
from reconciler.provider import Wanted
from reconciler.providers.crontab.line import OWN, Mark
from reconciler.providers.crontab.provider import Crontab
from reconciler.providers.crontab.table import read
from reconciler.providers.crontab.users import mark_in
from reconciler.testing.crontab import CrontabProgram


def resource(name: str, **spec: object) -> Resource:
    filled = {"schedule": "0 6 * * *", "command": ["true"], "workingDirectory": None, "environment": {}, **spec}
    return Resource(ResourceId("Automation", name), filled, Source("jobs.yaml", 1))  # type: ignore[arg-type]


class Desk:
    """One user's table on one host, and short words for what the engine does with a provider."""

    def __init__(self, host: Host, user: str = "", program: CrontabProgram | None = None) -> None:
        self.host = host
        self.user = user
        self.provider = Crontab()
        self._program = program

    @property
    def program(self) -> CrontabProgram:
        assert self._program is not None
        return self._program

    @property
    def table(self) -> bytes | None:
        return self.program.tables.get(self.user or self.program.user)

    @table.setter
    def table(self, content: bytes | None) -> None:
        user = self.user or self.program.user
        if content is None:
            self.program.tables.pop(user, None)
        else:
            self.program.tables[user] = content

    @property
    def mark(self) -> Mark:
        """What our lines carry in this table."""
        return mark_in(self.user)

    def id(self, name: str) -> ResourceId:
        return ResourceId("Automation", name)

    def state(self, name: str, **spec: object) -> State:
        return self.provider.canonical(resource(name, **{**({"user": self.user} if self.user else {}), **spec}))

    def wanted(self, **desired: State | None) -> list[Wanted]:
        return [Wanted(self.id(name), state, None) for name, state in desired.items()]

    def observe(self, **desired: State | None) -> Observation:
        return self.provider.observe(self.host, self.wanted(**desired))

    def ours(self, **desired: State | None) -> dict[str, Observed]:
        found = self.observe(**desired).found
        return {item.id.name: item for item in found if item.ownership is Ownership.OURS}

    def plan(self, desired: Mapping[str, State], *, adopt: Sequence[str] = ()) -> list[Change]:
        """What the engine would do to get from what is there to `desired`, and nothing else."""
        # As the inventory of a real journal does: it names the user also where nothing is desired.
        known = [Wanted(self.id("known"), None, State({"user": self.user}))]
        found = self.provider.observe(self.host, [*self.wanted(**dict(desired)), *known])
        ours = {item.id.name: item for item in found.found if item.ownership is Ownership.OURS}
        foreign = {item.id.name: item for item in found.found if item.ownership is Ownership.FOREIGN}
        changes: list[Change] = []
        for name in sorted(ours.keys() | desired.keys()):
            before, after = ours.get(name), desired.get(name)
            if before is None and name in adopt:
                changes.append(self.change(Action.ADOPT, name, foreign[name], after))
            elif before is None:
                changes.append(self.change(Action.CREATE, name, None, after))
            elif after is None:
                changes.append(self.change(Action.DELETE, name, before, None))
            elif before.state != after:
                changes.append(self.change(Action.UPDATE, name, before, after))
        return changes

    def change(self, action: Action, name: str, before: Observed | None, after: State | None) -> Change:
        return Change(
            id=self.id(name),
            provider="crontab",
            action=action,
            before=before.state if before else None,
            after=after,
            cause=Cause.NEW,
            reason="a test asks",
            restore=before.restore if before else None,
        )

    def apply(self, *changes: Change) -> None:
        self.provider.apply(self.host, changes)

    def reach(self, desired: Mapping[str, State], *, adopt: Sequence[str] = ()) -> list[Change]:
        changes = self.plan(desired, adopt=adopt)
        if changes:
            self.apply(*changes)
        return changes

    def release(self, name: str, **desired: State | None) -> Change:
        item = self.ours(**{name: None, **desired})[name]
        change = self.change(Action.RELEASE, name, item, item.state)
        self.apply(change)
        return change

    def undo(self, changes: Sequence[Change]) -> None:
        self.apply(*(change.inverse() for change in reversed(changes)))


def foreign_bytes(content: bytes | None, mark: Mark = OWN) -> bytes:
    return b"".join(read(content or b"", mark=mark).foreign)


@pytest.fixture
def make() -> Callable[..., Resource]:
    return resource


@pytest.fixture
def foreign() -> Callable[..., bytes]:
    """The bytes of a table without our lines."""
    return foreign_bytes


@pytest.fixture
def new_desk() -> Callable[..., Desk]:
    """A desk on a host in memory."""

    def build(
        table: bytes | None = None,
        *,
        user: str = "",
        runs_as: str = "tester",
        platform: str = "linux",
        debian: bool = True,
    ) -> Desk:
        program = CrontabProgram(runs_as, debian=debian)
        program.accounts |= {runs_as, user or runs_as, "bob"}
        facts = HostFacts("box", platform, runs_as, "Europe/Berlin")
        host = FakeHost(programs=program.programs(), running={77: "cron"}, facts=facts)
        desk = Desk(host, user, program)
        desk.table = table
        return desk

    return build


@pytest.fixture
def desk(new_desk: Callable[..., Desk]) -> Desk:
    return new_desk()


def _refuse(why: str) -> None:
    if os.environ.get("CI") == "true":
        pytest.fail(f"CI must run the tests with the real cron: {why}")
    pytest.skip(why)


@pytest.fixture(scope="session")
def account() -> Iterator[str]:
    """A throw-away user of this machine, for tests with its real cron."""
    if os.geteuid() != 0:
        _refuse("only root can make a throw-away user")
    for program in ("crontab", "useradd", "userdel"):
        if shutil.which(program) is None:
            _refuse(f"there is no {program} here")
    name = f"rectest{os.getpid() % 100000}"
    subprocess.run(["useradd", "--create-home", "--shell", "/bin/sh", name], check=True, capture_output=True)
    try:
        yield name
    finally:
        subprocess.run(["crontab", "-u", name, "-r"], capture_output=True)
        subprocess.run(["userdel", "--remove", name], capture_output=True)


class RealDesk(Desk):
    """The table of a throw-away user under the machine's own cron, read and written around the provider."""

    @property
    def table(self) -> bytes | None:
        listed = subprocess.run(["crontab", "-u", self.account, "-l"], capture_output=True)
        if listed.returncode:
            return None
        argv = ["env", "VISUAL=cat", "EDITOR=cat", "crontab", "-u", self.account, "-e"]
        return subprocess.run(argv, capture_output=True, stdin=subprocess.DEVNULL).stdout

    @table.setter
    def table(self, content: bytes | None) -> None:
        argv = ["crontab", "-u", self.account, *(["-r"] if content is None else ["-"])]
        subprocess.run(argv, input=content or b"", capture_output=True, check=content is not None)

    account: str


@pytest.fixture
def real(account: str) -> RealDesk:
    """The real cron, as root for somebody else."""
    from reconciler.host.local import LocalHost

    desk = RealDesk(LocalHost(), account)
    desk.account = account
    desk.table = None
    return desk


@pytest.fixture
def real_own(account: str) -> RealDesk:
    """The real cron, as a user without any privilege, for oneself."""
    from reconciler.host.local import LocalHost
    from reconciler.host.protocol import Completed
    from reconciler.model.errors import HostError

    class Unprivileged(LocalHost):
        def facts(self) -> HostFacts:
            return replace(super().facts(), user=account)

        def execute(self, argv: Sequence[str], *, timeout: float, stdin: bytes = b"") -> Completed:
            step_down = ["setpriv", "--reuid", account, "--regid", account, "--init-groups", "--reset-env", "--"]
            return super().execute([*step_down, *argv], timeout=timeout, stdin=stdin)

        def read(self, path, *, limit: int = 2**24) -> bytes | None:  # type: ignore[no-untyped-def]
            if str(path).startswith("/var/spool/cron/crontabs"):
                raise HostError(f"cannot read {path}: permission denied")
            return super().read(path, limit=limit)

    desk = RealDesk(Unprivileged())
    desk.account = account
    desk.table = None
    return desk
