"""The runner around /bin/true, against the bare command, a shell that appends a line, a Python floor and chronic."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import reconciler
from benchmarks.measure import Rounds, Row, Say
from benchmarks.place import HERE, Failed, Place
from reconciler.runner.launcher import launcher

HERD = 100
BARE, SHELL, FLOOR, CHRONIC, OURS = "bare", "sh + spool", "Python floor", "chronic", "reconcile exec"
ALLOWED = 0.016  # seconds over the bare command that the project allows itself
PACKAGE = Path(reconciler.__file__).parent


def measure(place: Place, runs: int, say: Say) -> Iterator[Row]:
    """One run alone, a hundred at once. No run file may be missing or without an end."""
    say("runner")
    folder = place.fresh("runner")
    launch = folder / "reconcile"
    launch.write_text(launcher(sys.executable, str(PACKAGE), str(Path(sys.executable).with_name("reconcile"))))
    launch.chmod(0o755)
    place.give(folder)
    spool = folder / "spool"
    commands: dict[str, list[str | Path]] = {
        BARE: [],
        SHELL: ["/bin/sh", "-c", f'"$@"; echo "$(date +%s) $?" >> {spool}', "sh"],
        FLOOR: [sys.executable, "-IS", HERE / "floor_run.py", spool],
        OURS: [launch, "exec", "bench", "--state", folder / "state", "--trigger", "manual", "--"],
        "without the launcher": [
            sys.executable, "-IS", PACKAGE / "runner" / "__main__.py",
            "exec", "bench", "--state", folder / "state", "--trigger", "manual", "--",
        ],
    }  # fmt: skip
    if shutil.which("chronic"):
        commands[CHRONIC] = ["chronic"]
    rounds = Rounds()
    for number in range(runs + 1):
        for who, words in commands.items():
            alone = place.run([*words, "/bin/true"])
            if number:  # the first round compiles
                rounds.take("one run", who, alone)
    aim = min(rounds.samples["one run", BARE].seconds) + ALLOWED
    yield from rounds.rows("runner", BARE, {("one run", OURS): aim})
    yield from _herd(place, folder, commands, max(runs // 15, 2))


def _herd(place: Place, folder: Path, commands: dict[str, list[str | Path]], runs: int) -> Iterator[Row]:
    rounds = Rounds()
    case = f"{HERD} at once"
    job = {"overlap": "allow"}
    name = _job(place, folder, job)
    state = folder / "state"
    ours = [word if word != "bench" else name for word in commands[OURS]]
    for _ in range(runs):
        for who, words in {**commands, OURS: ours}.items():
            if who == "without the launcher":
                continue
            shutil.rmtree(state / "runs", ignore_errors=True)
            herd = [sys.executable, "-IS", HERE / "herd.py", str(HERD), *words, "/bin/true"]
            rounds.take(case, who, place.run(herd))
            if who == OURS:
                _all_there(state / "runs" / "spool" / "bench")
    yield from rounds.rows("runner", BARE)


def _job(place: Place, folder: Path, document: dict[str, str]) -> str:
    """The name with the digest of its job file."""
    from hashlib import sha256

    raw = json.dumps(document).encode()
    digest = sha256(raw).hexdigest()[:12]
    jobs = folder / "state" / "jobs"
    jobs.mkdir(parents=True, exist_ok=True)
    (jobs / f"bench-{digest}.json").write_bytes(raw)
    place.give(folder)
    return f"bench@{digest}"


def _all_there(spool: Path) -> None:
    ends = [json.loads(path.read_text().splitlines()[-1]) for path in spool.glob("*.run")]
    whole = sum(end.get("verdict") == "succeeded" for end in ends)
    if whole != HERD:
        raise Failed(f"{whole} of {HERD} runs have a whole record")
