"""Containers of a real Docker and a real Podman: nothing to do, one changed, all new; beside `docker compose up -d`.

Needs engines: `script/start-engines` starts them, RECONCILER_ENGINES says where. Containers that others put there
are not touched.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.measure import OURS, Rounds, Row, Say
from benchmarks.place import HERE, Failed, Place, Run
from reconciler.host.local import LocalHost

SIZES = (1, 10, 30, 100)
NOTHING, INSIDE, ONE, ALL = "no-op", "no-op inside watch", "change 1, verified", "create all, verified"
PASS, LOOK, COMPOSE = "reconcile, whole pass", "reconcile, look at the engine", "docker compose"
NAME = "rbench-"
IMAGE = "localhost/reconciler-test:1"
SLOW = 30  # more containers than that are made only a few times
AIMS = {("docker", NOTHING): 0.1, ("podman", NOTHING): 0.1, ("docker", INSIDE): 0.005, ("podman", INSIDE): 0.03}
MANIFEST = """\
apiVersion: reconciler/v1
kind: Service
metadata: {{name: {name}}}
spec:
  supervisor: container
  image: {image}
  command: [/bin/busybox, httpd, -f, -p, "8080"]
  environment: {{EDITION: "{edition}"}}
  networks: [none]
  stop: {{signal: SIGKILL, grace: 1s}}
"""


@dataclass(frozen=True, slots=True)
class Passed:
    """One pass, or one look, inside a process that goes on."""

    seconds: float
    peak: int = 0


def engines() -> tuple[dict[str, Path], str]:
    """The sockets of those that run, by name, and what is said of the others."""
    script = HERE.parent / "script" / "start-engines"
    done = subprocess.run([script, "status"], capture_output=True, text=True, check=False)
    pairs = (line.split() for line in done.stdout.splitlines())
    return {name: Path(path) for name, path in pairs}, done.stderr.strip()


def compose() -> tuple[str, ...]:
    """The command of Compose that is there: the plugin of the docker client, or the older program; none: empty."""
    for words in (("docker", "compose"), ("docker-compose",)):
        if shutil.which(words[0]) and subprocess.run([*words, "version"], capture_output=True).returncode == 0:  # noqa: PLW1510
            return words
    return ()


class Course:
    """One engine and one size: a tree and a compose file that say the same."""

    def __init__(self, place: Place, engine: str, socket: Path, count: int) -> None:
        self.count = count
        self.socket = socket
        env = place.env | {"DOCKER_HOST": f"unix://{socket}", "USER": "root", "LOGNAME": "root"}
        self.place = replace(place, user="", prefix=(), env=env)
        self.folder = self.place.fresh(f"containers-{engine}-{count}")
        self.tree = self.folder / "tree"
        self.tree.mkdir()
        self.file = self.folder / "compose.yaml"
        self.edition = 0
        self.write(range(count))
        self.compose = compose()

    def write(self, numbers: Sequence[int]) -> None:
        """These services in the edition of now; compose keeps them in one file."""
        for number in numbers:
            name = f"{NAME}{number:03d}"
            text = MANIFEST.format(name=name, image=IMAGE, edition=self.edition)
            (self.tree / f"{name}.yaml").write_text(text)
        editions = {n: self.edition if n in numbers else 0 for n in range(self.count)}
        services = {f"{NAME}{n:03d}": _service(edition) for n, edition in editions.items()}
        self.file.write_text(json.dumps({"services": services}))  # JSON is YAML

    def apply(self) -> Run:
        return self.place.reconcile("apply", self.tree, "--yes")

    def plan(self) -> Run:
        return self.place.reconcile("plan", self.tree, "--detailed-exitcode")

    def up(self) -> Run:
        return self.place.run([*self.compose, "-p", "rbench", "-f", self.file, "up", "-d"])

    def clear(self) -> None:
        """No container of ours or of compose's, and no journal."""
        for row in self._rows():
            self._ask("DELETE", f"/containers/{row['Id']}?force=1")
        self.place.fresh("state")

    def settled(self) -> None:
        """Raises Failed unless every container runs, the first one in the edition of now."""
        up = {_name(row): row for row in self._rows() if row["State"] == "running"}
        if len(up) != self.count:
            raise Failed(f"{len(up)} of {self.count} containers run")
        first = next(row for name, row in up.items() if f"{NAME}000" in name)
        about = json.loads(self._ask("GET", f"/containers/{first['Id']}/json"))
        if f"EDITION={self.edition}" not in about["Config"]["Env"]:
            raise Failed(f"the first container is not of edition {self.edition}")

    def _rows(self) -> list[dict[str, str]]:
        return [row for row in json.loads(self._ask("GET", "/containers/json?all=1")) if NAME in _name(row)]

    def _ask(self, method: str, target: str) -> bytes:
        return LocalHost().request(self.socket, method, target, timeout=60).body


def _name(row: dict[str, str]) -> str:
    return row["Names"][0]


def _service(edition: int) -> dict[str, object]:
    return {
        "image": IMAGE,
        "command": ["/bin/busybox", "httpd", "-f", "-p", "8080"],
        "environment": {"EDITION": str(edition)},
        "network_mode": "none",
        "restart": "unless-stopped",
        "stop_signal": "SIGKILL",
        "stop_grace_period": "1s",
    }


def measure(place: Place, sizes: Sequence[int], runs: int, say: Say) -> Iterator[Row]:
    """Every engine and size. What is not there is a row that says so."""
    found, trouble = engines()
    for engine in ("docker", "podman"):
        if engine not in found:
            note = f"left out: no engine runs ({trouble.splitlines()[0] if trouble else 'script/start-engines'})"
            yield Row(engine, "all", "all", note=note)
            continue
        for count in sizes:
            say(f"containers: {count} on {engine}")
            course = Course(place, engine, found[engine], count)
            course.clear()
            try:
                yield from _rows(course, engine, runs if count <= SLOW else min(runs, 2))
            finally:
                course.clear()


def _rows(course: Course, engine: str, runs: int) -> Iterator[Row]:
    rounds = Rounds(others={COMPOSE})
    for number in range(runs + 1):
        taken = rounds if number else Rounds()  # the first round compiles and caches
        if course.compose:
            _round(course, taken, COMPOSE, course.up, course.up)
        _round(course, taken, OURS, course.apply, course.plan)
    asked = _inside(course, rounds, 4 * runs)
    group = f"{engine} {course.count}"
    order = (NOTHING, INSIDE, ONE, ALL)
    for row in sorted(rounds.rows(group, COMPOSE), key=lambda row: order.index(row.case)):
        aim = AIMS.get((engine, row.case)) if course.count == SLOW and row.who in (OURS, PASS) else None
        yield replace(row, aim=aim, note=f"asks: {asked}" if row.who == PASS else row.note)
    if not course.compose:
        yield Row(group, "all", COMPOSE, note="left out: neither `docker compose` nor `docker-compose` is there")


def _round(course: Course, taken: Rounds, who: str, do: Callable[[], Run], nothing: Callable[[], Run]) -> None:
    """Everything new, nothing to do, one changed: each outcome is looked at."""
    course.edition = 0
    course.write(range(course.count))
    course.clear()
    taken.take(ALL, who, do())
    course.settled()
    nothing()
    taken.take(NOTHING, who, nothing())
    course.edition += 1
    course.write([0])
    taken.take(ONE, who, do())
    course.settled()


def _inside(course: Course, rounds: Rounds, runs: int) -> str:
    """What a pass asked the engine."""
    told = json.loads(course.place.run([sys.executable, HERE / "inside.py", course.tree, str(runs)]).out)
    for seconds in told["passes"]:
        rounds.take(INSIDE, PASS, Passed(seconds))
    for seconds in told["looks"]:
        rounds.take(INSIDE, LOOK, Passed(seconds))
    return ", ".join(told["asked"])
