"""The crontab provider keeps every promise, in a table that holds the worst of what people write."""

from __future__ import annotations

import re
from collections.abc import Sequence

from reconciler.host.fake import FakeHost
from reconciler.model.address import ResourceId
from reconciler.model.data import Json
from reconciler.model.resource import Resource
from reconciler.provider import Provider
from reconciler.providers.crontab.provider import Crontab
from reconciler.testing.builders import resource
from reconciler.testing.conformance import Harness, ProviderConformance
from reconciler.testing.crontab import CrontabProgram

OURS = re.compile(rb"^[^\s#].* : reconciler:Automation/conf-")
FOREIGN = b"""\
# m h  dom mon dow   command
# : reconciler:Automation/conf-a; a comment that quotes our mark

SHELL=/bin/bash
\tPATH = "/usr/local/bin:/usr/bin"
MAILTO=""
   0 5 * * 1   tar -zcf /var/backups/home.tgz /home/  # no comment
*/10 * * * * echo 100\\% | mail -s 'daily %' root%first line%second line
@reboot sleep 30 && echo "reconciler:Automation/conf-b"
0 7 * * * : reconciler@root:Automation/conf-a; exec true --held by root
15 3 * * * /opt/grep ': reconciler:Automation/' /etc/crontab
22-2 5 * jan-MAR,7 sun-5/2 /bin/old\twith\ttabs\x20\x20
0 0 30 2 * never
30 4 * * * caf\xe9 latin-1 \xff\xfe\r
0 6 * * * true --or-not
CRON_TZ=Asia/Tokyo
# 5 4 * * * switched off


"""


def automation(name: str, **spec: Json) -> Resource:
    filled: dict[str, Json] = {"schedule": "0 6 * * *", "command": ["true"], "environment": {}, **spec}
    return resource(f"Automation/conf-{name}", source="jobs.yaml", line=1, **filled)


class CrontabHarness(Harness):
    def provider(self) -> Provider:
        return Crontab()

    def host(self) -> FakeHost:
        return FakeHost(programs=CrontabProgram().programs(), running={77: "cron"})

    def pairs(self) -> Sequence[tuple[Resource, Resource]]:
        return (
            (automation("a", command=["echo", "one"]), automation("a", command="echo one | tee 'a b'")),
            (automation("b"), automation("b", schedule={"every": 300})),
            (automation("c", workingDirectory="~/notes"), automation("c", workingDirectory="/srv/x y")),
            (automation("d", environment={"A": "1", "B": "it's 5%"}), automation("d", environment={"A": "2"})),
            (automation("e", schedule="@daily"), automation("e", schedule={"at": "boot"})),
        )

    def hostile(self, text: str) -> Resource:
        return automation("hostile", command=["printf", text], environment={"TEXT": text})

    def tamper(self, host: FakeHost, id_: ResourceId) -> None:
        mark = f": reconciler:{id_};".encode()
        lines = self.content(host).split(b"\n")
        # Only in the first position: the same words may stand in somebody else's line.
        edited = [
            b"59 23 * * *" + line[line.index(b" " + mark) :] if OURS.match(line) and mark in line else line
            for line in lines
        ]
        self.install(host, b"\n".join(edited))

    def add_foreign(self, host: FakeHost) -> None:
        self.install(host, FOREIGN)

    def add_twin(self, host: FakeHost, resource: Resource) -> bool:
        state = Crontab().canonical(resource)
        line = Crontab().document(resource.id, state).encode()
        twin = line.replace(f": reconciler:{resource.id}; ".encode(), b"")
        self.install(host, b"# mine\n" + twin + b"\n" + self.content(host))
        return True

    def install(self, host: FakeHost, table: bytes) -> None:
        crontab_of(host).tables[crontab_of(host).user] = table

    def content(self, host: FakeHost) -> bytes:
        return crontab_of(host).tables.get(crontab_of(host).user, b"")

    def foreign_bytes(self, host: FakeHost) -> bytes:
        return b"".join(line for line in self.content(host).splitlines(keepends=True) if not OURS.match(line))

    def break_reading(self, host: FakeHost) -> None:
        crontab_of(host).answer("list", 1, b"crontab: error while loading shared libraries\n", times=100)


def crontab_of(host: FakeHost) -> CrontabProgram:
    program = host.programs["crontab"]
    assert isinstance(program, CrontabProgram)
    return program


class TestCrontab(ProviderConformance):
    row = "crontab (stand-in)"
    harness = CrontabHarness()
