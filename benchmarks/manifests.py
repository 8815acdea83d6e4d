"""Manifests to measure with: the same for the same number, one file each, 15 to 16 lines. No clock, no randomness."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

PER_USER = 5_000  # crontabs end at 10,000 lines
VERBS = ("rotate-logs", "sync-index", "send-report", "expire-sessions", "check-queue")


@dataclass(frozen=True, slots=True)
class Job:
    """One automation. Weekly, so that thousands in a living crontab start next to nothing while we measure."""

    number: int
    edition: int = 0  # another edition of a job differs in one argument
    user: str = ""

    @property
    def name(self) -> str:
        return f"{VERBS[self.number % len(VERBS)]}-{self.number:06d}"

    @property
    def fields(self) -> tuple[str, str, str]:
        """Minute, hour, day of the week."""
        number = self.number
        return str(number * 7 % 60), str(number // 60 % 24), str(number % 7)

    @property
    def argv(self) -> list[str]:
        return ["/bin/true", "--queue", str(self.number), "--keep", f"{14 + self.edition}d"]

    @property
    def line(self) -> str:
        """The same command as other tools are given it: one shell line."""
        return f"cd ~/queues || exit; LOG_LEVEL=info QUEUE=queue-{self.number} {' '.join(self.argv)}"

    @property
    def manifest(self) -> str:
        minute, hour, weekday = self.fields
        command = ", ".join([self.argv[0], *(f'"{word}"' for word in self.argv[1:])])
        user = f"  user: {self.user}\n" if self.user else ""
        return f"""\
# What to do with queue {self.number}.
apiVersion: reconciler/v1
kind: Automation
metadata:
  name: {self.name}
  description: Care for queue {self.number}
  labels:
    team: data
spec:
  schedule: "{minute} {hour} * * {weekday}"
  command: [{command}]
  workingDirectory: ~/queues
{user}  environment:
    LOG_LEVEL: info
    QUEUE: queue-{self.number}
"""


def jobs(count: int, *, spread: bool = False) -> list[Job]:
    """The first `count` jobs; `spread` over as many users as their crontabs need."""
    return [Job(n, user=f"bench{n // PER_USER:02d}" if spread else "") for n in range(count)]


def write(folder: Path, wanted: Sequence[Job]) -> Path:
    """One file per job; returns the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for job in wanted:
        (folder / f"{job.name}.yaml").write_text(job.manifest)
    return folder


def changed(wanted: Sequence[Job], edition: int) -> list[Job]:
    """The one in a hundred that changes (at least one), in a new edition."""
    return [Job(job.number, edition, job.user) for job in wanted[:: min(100, len(wanted))]]
