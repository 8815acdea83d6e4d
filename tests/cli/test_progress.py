"""What a rollout shows while it runs: redrawn in a terminal, plain lines elsewhere, nothing in the way of data."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.cli.progress import is_live, plain
from reconciler.cli.render.characters import cells
from reconciler.cli.render.progress import UnderWay, cut, line, rows
from reconciler.model.address import ResourceId
from reconciler.model.event import Event, EventType
from tests.cli.terminal import Screen, Terminal
from tests.cli.workplace import Workplace

CRM, DB = ResourceId("Service", "crm"), ResourceId("Service", "db")
PROGRAM = "from reconciler.cli.main import main; main()"
APPLY = [sys.executable, "-c", PROGRAM, "apply", "--yes", "--accept", "missed-run"]
MANIFEST = """\
apiVersion: reconciler/v1
kind: Automation
metadata: {{name: {name}}}
spec:
  schedule: "0 6 * * *"
  command: [echo, {name}]
  verify: {{within: 30s, probes: [{{exec: {{command: [test, -e, {flag}]}}}}]}}
"""


@pytest.fixture
def environment(workplace: Workplace) -> dict[str, str]:
    """A tree whose gate waits for a file `go`."""
    workplace.manifest("quick")
    workplace.write("desired/slow.yaml", MANIFEST.format(name="slow", flag=workplace.folder / "go"))
    root = str(Path(__file__).parents[2])
    unwanted = {"CI", "NO_COLOR", "FORCE_COLOR"}
    inherited = {name: value for name, value in os.environ.items() if name not in unwanted}
    return {**inherited, "TERM": "xterm", "PYTHONPATH": root}


@pytest.fixture
def go(workplace: Workplace) -> Path:
    return workplace.folder / "go"


@pytest.fixture
def terminal(environment: dict[str, str]) -> Iterator[Terminal]:
    with Terminal(APPLY, environment) as opened:
        yield opened


def test_a_terminal_shows_what_is_waited_for_and_is_left_tidy(terminal: Terminal, go: Path) -> None:
    terminal.until(lambda text: "2s of at most 30s" in text)
    screen = terminal.screen()
    assert "  verifying Automation/slow  2s of at most 30s" in screen
    assert screen.count("verifying") == 1
    assert "3 of 4 steps done" in screen
    assert re.search(r"s  \[2/4\] 2 resources applied", screen)
    go.touch()
    assert terminal.end() == 0
    screen = terminal.screen()
    assert "verifying" not in screen
    assert "steps done" not in screen
    assert screen.rstrip().endswith("`reconcile rollback` takes it back.")


def test_a_window_may_become_narrow_or_tiny(terminal: Terminal, go: Path) -> None:
    terminal.until(lambda text: "verifying" in text)
    for width, height in ((30, 10), (8, 3), (1, 1), (100, 40)):
        terminal.resize(width, height)
        terminal.read(1.1)  # what was under way was drawn for the window as it was
        before = len(terminal.text)
        terminal.read(1.3)
        drawn = re.sub(r"\x1b\[\d*[AJ]", "", terminal.text[before:])
        assert all(cells(part) < width for part in drawn.splitlines()[1:])
    go.touch()
    assert terminal.end() == 0
    assert "applied and verified" in terminal.text


def test_ctrl_c_while_a_gate_waits_undoes_and_leaves_the_terminal_in_order(
    terminal: Terminal, workplace: Workplace
) -> None:
    terminal.until(lambda text: "verifying" in text)
    terminal.type(b"\x03")
    assert terminal.end(seconds=5) == 7
    screen = terminal.screen()
    assert "stopped by SIGINT" in screen
    assert "steps done" not in screen
    assert "rolled back" in screen
    assert not any(b"slow" in path.read_bytes() for path in workplace.tables.glob("[!c]*"))


@pytest.mark.parametrize("variable", [("NO_COLOR", "1"), ("CI", "true"), ("TERM", "dumb")], ids=lambda v: v[0])
def test_some_terminals_get_plain_lines(environment: dict[str, str], go: Path, variable: tuple[str, str]) -> None:
    go.touch()
    with Terminal(APPLY, {**environment, variable[0]: variable[1]}) as terminal:
        assert terminal.end() == 0
        assert "\x1b" not in terminal.text
        assert "verifying Automation/slow, for at most 30s" in terminal.text


def test_a_file_gets_plain_lines_with_the_time_and_json_stays_json(environment: dict[str, str], go: Path) -> None:
    go.touch()
    done = subprocess.run([*APPLY, "-o", "json"], env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["outcome"] == "done"
    lines = done.stderr.splitlines()
    assert all(re.match(r" +\d+\.\ds  \[\d/4\] ", text) for text in lines), lines
    said = [text.split("] ")[1] for text in lines]
    assert said == [
        "applying 2 resources",
        "2 resources applied",
        "verifying Automation/slow, for at most 30s",
        "Automation/quick verified",
        "Automation/slow verified",
    ]


def test_json_at_a_terminal_is_not_mixed_with_progress(environment: dict[str, str], go: Path) -> None:
    go.touch()
    with Terminal([*APPLY, "-o", "json"], environment) as terminal:
        assert terminal.end() == 0
        assert terminal.process.stdout is not None
        assert json.loads(terminal.process.stdout.read())["outcome"] == "done"


def test_a_reader_that_goes_away_does_not_stop_a_rollout(
    environment: dict[str, str], go: Path, workplace: Workplace
) -> None:
    process = subprocess.Popen(APPLY, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert process.stderr is not None
    process.stderr.readline()
    process.stderr.close()
    go.touch()
    process.wait(30)
    assert "stable" in workplace.run("history").out


def event(type_: EventType, *ids: ResourceId, message: str = "", limit: float = 0.0, done: int = 0) -> Event:
    return Event(type_, message, ids, done, 4, limit)


def test_what_is_under_way() -> None:
    view = UnderWay(0.0)
    view.hear(event(EventType.STEPS_STARTED, CRM), 1.0)
    view.hear(event(EventType.GATE_WAITING, DB, limit=60.0, done=1), 2.0)
    view.hear(event(EventType.STEP_PROGRESS, CRM, message="Service/crm: pulling app:1, 2 of 7 layers", done=1), 3.0)
    assert view.lines(12.0, 80, 24) == [
        "  applying Service/crm  11s  pulling app:1, 2 of 7 layers",
        "  verifying Service/db  10s of at most 1m",
        "  1 of 4 steps done, 12s",
    ]
    view.hear(event(EventType.STEPS_DONE, CRM, done=2), 13.0)
    view.hear(event(EventType.GATE_PASSED, DB, done=3), 13.0)
    assert view.lines(14.0, 80, 24) == []


def test_a_group_shrinks_and_everything_goes_when_the_walk_is_over() -> None:
    view = UnderWay(0.0)
    view.hear(event(EventType.GATE_WAITING, CRM, DB, limit=60.0), 0.0)
    assert "verifying 2 resources" in view.lines(1.0, 80, 24)[0]
    view.hear(event(EventType.GATE_PASSED, CRM), 0.0)
    assert "verifying Service/db" in view.lines(1.0, 80, 24)[0]
    view.hear(event(EventType.STEPS_OVER), 0.0)
    assert view.lines(1.0, 80, 24) == []


@pytest.mark.parametrize(("width", "height"), [(80, 24), (20, 5), (3, 2), (1, 1), (0, 0)])
def test_a_view_never_leaves_its_window(width: int, height: int) -> None:
    view = UnderWay(0.0)
    for number in range(30):
        view.hear(event(EventType.STEPS_STARTED, ResourceId("Service", f"s{number}")), 0.0)
    lines = view.lines(5.0, width, height)
    assert len(lines) <= height
    assert all(cells(text) < max(1, width) for text in lines)
    if height == 24:
        assert lines[-2:] == ["  and 23 more", "  0 of 4 steps done, 5s"]


def test_wide_characters_are_cut_by_columns() -> None:
    assert cut("東京東京", 5) == "東..."
    assert cut("abc", 3) == "abc"
    assert rows(["abcdef", "", "東京"], 3) == 2 + 1 + 2


def test_what_a_backend_says_cannot_move_the_cursor() -> None:
    hostile = event(EventType.STEPS_FAILED, CRM, message="cannot apply Service/crm: \x1b[2J\nsecond line")
    text = line(hostile, 1.0)
    assert text is not None
    assert "\x1b" not in text
    assert text.endswith("\\x1b[2J\n    second line")
    view = UnderWay(0.0)
    view.hear(event(EventType.STEPS_STARTED, CRM), 0.0)
    view.hear(event(EventType.STEP_PROGRESS, CRM, message="Service/crm: \x1b[2J"), 0.0)
    assert "\x1b" not in "".join(view.lines(0.0, 80, 24))


def test_a_closed_stream_is_no_error() -> None:
    stream = io.StringIO()
    listen = plain(stream, now=lambda: 0.0)
    listen(event(EventType.STEPS_DONE, CRM, message="Service/crm applied"))
    assert stream.getvalue() == "    0.0s  [0/4] Service/crm applied\n"
    stream.close()
    listen(event(EventType.STEPS_DONE, CRM))


def test_a_stream_that_is_no_terminal_is_never_live() -> None:
    assert not is_live(io.StringIO(), {"TERM": "xterm"})


def test_the_screen_of_these_tests_wraps_and_erases() -> None:
    screen = Screen(4)
    screen.feed("keep\r\nabcdef\r\n\x1b[2A\r\x1b[Jnew\r\n")
    assert screen.text == "keep\nnew\n"
