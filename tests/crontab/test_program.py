"""The stand-in agrees with the real program, and the provider keeps its word with the real cron.

Marked `cron`: a throw-away user is made for these, and root's own crontab is never touched.
"""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from reconciler.model.errors import ApplyError, ObserveError
from reconciler.model.state import State
from reconciler.provider import Wanted
from reconciler.providers.crontab import daemon
from reconciler.providers.crontab.program import UnknownUser, listing
from reconciler.testing.crontab import COMMAND_LIMIT, LINE_LIMIT, CrontabProgram, problem_with

pytestmark = pytest.mark.cron

REAL = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])

TERMS = (
    "* 5 05 60 0 7 8 24 31 32 13 */5 */60 */0 1-5 5-1 1-5/2 5/15 0~30 *-5 +5 -5 , 1, ,1 1,,2 jan JAN-mar sun 1,jan "
    "mon-fri L H ? 5-5 *,5 fri#2 0-7 1- 1-/2 007 99999999"
)
OTHERS = """
  |#| # x|MAILTO=|MAILTO=""|FOO = bar| FOO=bar|'F O'=x|F O=x|FOO=a b|FOO='a' b|FOO='a'|FOO="a|=x|5=3|FOO|@daily|@daily
@Daily x|@reboot x|@every_minute x|@30 x|@midnight\tx|@|@ daily|FOO=\\|A='b' |A= ''|A="b"c|A=b'c'|''=x|A =b|é=1|\t
"""
FIELD = st.sampled_from(TERMS.split(" ")) | st.text(st.sampled_from("*0123456789-/,~#abjn"), min_size=1, max_size=5)
JOB = st.builds(
    lambda lead, fields, gap, command: lead + gap.join([*fields, command]),
    st.sampled_from(["", " ", "\t", "  \t"]),
    st.lists(FIELD, min_size=4, max_size=6),
    st.sampled_from([" ", "\t", "  "]),
    st.sampled_from(["x", "", "x % y", "FOO=bar x", "# x", "\\"]),
)
LONG = st.builds("{} {}".format, st.sampled_from(["@daily", "* * * * *"]), st.integers(990, 1003).map("x".__mul__))
OTHER = st.sampled_from([part for line in OTHERS.split("\n") for part in line.split("|")]) | LONG


def agree(real: Any, table: bytes) -> None:
    argv = ["crontab", "-u", real.account, "-n", "-"]
    done = subprocess.run(argv, input=table, capture_output=True)
    ours = problem_with(table)
    assert (ours is None) == (done.returncode == 0), (table, ours, done.stderr)
    if ours is not None:
        cause = ours.splitlines()[0].rpartition(":")[2].strip()
        assert cause in done.stderr.decode("utf-8", "replace"), (table, ours, done.stderr)


@given(st.lists(JOB | OTHER, min_size=1, max_size=2))
@settings(REAL, max_examples=400)
@example(["* * * * * " + "x" * (COMMAND_LIMIT + 1)])
def test_the_stand_in_takes_what_the_real_program_takes(real: Any, lines: list[str]) -> None:
    agree(real, "".join(f"{line}\n" for line in lines).encode())


@pytest.mark.parametrize("line", [b"\n", b"# c\n", b"A=b\n", b"* * * * * x\n"])
@pytest.mark.parametrize("count", [LINE_LIMIT, LINE_LIMIT + 1])
def test_both_stop_at_the_same_number_of_lines_of_any_sort(real: Any, line: bytes, count: int) -> None:
    agree(real, line * count)


@pytest.mark.parametrize(
    "table",
    [
        b"* * * * * x",
        b"#",
        b"",
        b" ",
        b"A=b",
        b"x\n#",
        b"* * * * * x\n # y",
        b"* * * * * x\r\n",
        b"\r\n",
        b"garbage\n",
    ],
)
def test_both_judge_endings_alike(real: Any, table: bytes) -> None:
    agree(real, table)


def answers(run: Callable[[list[str], bytes], Any], user: str) -> list[tuple[int, bytes, str]]:
    """A conversation with a crontab program, as far as the provider listens."""
    tricky = b"# a\rb\bc\\r \x07 \xff\n* * * * * x\r\n"
    script: list[tuple[list[str], bytes]] = [
        (["-u", user, "-l"], b""),
        (["-u", user, "-r"], b""),
        (["-u", user, "-"], tricky),
        (["-u", user, "-l"], b""),
        (["-u", user, "-n", "-"], b"garbage\n"),
        (["-u", user, "-n", "-"], b"# fine\n"),
        (["-u", user, "-l"], b""),
        (["-u", user, "-"], b""),
        (["-u", user, "-l"], b""),
        (["-u", user, "-r"], b""),
        (["-u", user, "-l"], b""),
        (["-u", "nobody-here", "-l"], b""),
    ]
    said = []
    for arguments, stdin in script:
        done = run(["crontab", *arguments], stdin)
        words = done[2].decode().strip().splitlines()[0] if done[0] else ""
        said.append((done[0], done[1], re.sub(r'^"-":\d+: ', "", words)))  # its line numbers are off at times
    return said


def test_the_stand_in_answers_as_the_real_program_does(real: Any) -> None:
    def really(argv: list[str], stdin: bytes) -> Any:
        done = subprocess.run(argv, input=stdin, capture_output=True)
        return done.returncode, done.stdout, done.stderr

    program = CrontabProgram("root")
    program.accounts.add(real.account)

    def stand_in(argv: list[str], stdin: bytes) -> Any:
        done = program(argv, stdin)
        return done.code, done.stdout, done.stderr

    assert answers(stand_in, real.account) == answers(really, real.account)


def test_both_usage_texts_tell_the_same_family(real: Any) -> None:
    from reconciler.providers.crontab.program import _DEBIAN, _DRY_RUN

    done = subprocess.run(["crontab", "-?"], capture_output=True)
    stand_in = CrontabProgram()(["crontab", "-?"], b"")
    for text in (done.stderr + done.stdout, stand_in.stderr + stand_in.stdout):
        assert _DEBIAN.search(text)
        assert _DRY_RUN.search(text)


THEIRS = [
    b'# head\r\n\tMAILTO = ""\n0 5 * * * x%y\\%\r\n#\xff\xfe \b\n\n',
    b"PATH=/bin\n# \\r \\b\n",
    b"0 5 * * * <other>Automation/a; exec true\n# x\n1 5 * * * <other>Automation/b;exec bent\n",
    b"* * * * * : reconcilers:Automation/x; nearly\n" + b"# DO NOT EDIT THIS FILE - edit the master and reinstall.\n",
    b"\n\n\n",
]
TREES = st.dictionaries(
    st.sampled_from("abcd"),
    st.sampled_from([["true"], "date +%F", ["\\\\", "%", "it's"], "printf '\\\\%s'", ["grep", "\\bx\\r"]]),
)


@pytest.mark.parametrize("whose", ["real", "real_own"])
@given(st.sampled_from(THEIRS), st.lists(TREES, min_size=1, max_size=3))
@settings(REAL, max_examples=12)
def test_a_few_random_lives_under_the_real_cron_leave_every_foreign_byte(
    request: pytest.FixtureRequest,
    foreign: Callable[..., bytes],
    whose: str,
    theirs: bytes,
    trees: list[Any],
) -> None:
    desk = request.getfixturevalue(whose)
    theirs = theirs.replace(b"<other>", desk.mark.other.raw)
    desk.table = theirs
    history = []
    for tree in trees:
        before = desk.table
        wanted = {name: desk.state(name, command=command) for name, command in tree.items()}
        history.append((before, desk.reach(wanted)))
        assert foreign(desk.table, desk.mark) == theirs
        assert desk.plan(wanted) == []
    for before, changes in reversed(history):
        if changes:
            desk.undo(changes)
        assert desk.table == before


@pytest.mark.parametrize("whose", ["real", "real_own"])
def test_the_first_create_undone_leaves_no_crontab(request: pytest.FixtureRequest, whose: str) -> None:
    desk = request.getfixturevalue(whose)
    assert desk.table is None
    changes = desk.reach({"a": desk.state("a")})
    assert desk.table
    desk.undo(changes)
    assert desk.table is None


def test_a_table_that_the_real_cron_refuses_is_kept_and_its_words_are_quoted(real: Any) -> None:
    spool = Path("/var/spool/cron/crontabs") / real.account
    real.table = b"# fine\n"
    content = spool.read_bytes().replace(b"# fine\n", b"garbage\n")
    spool.write_bytes(content)
    with pytest.raises(ApplyError, match="bad minute"):
        real.reach({"a": real.state("a")})
    assert spool.read_bytes() == content


def test_without_privilege_the_table_of_another_user_cannot_be_read(real_own: Any) -> None:
    real_own.user = "root"
    with pytest.raises(ObserveError, match="only root may"):
        real_own.observe(a=real_own.state("a"))


def test_the_real_program_says_of_a_deleted_account_that_it_is_unknown(real: Any) -> None:
    with pytest.raises(UnknownUser):
        listing(real.host, "nobody-here")
    state = State({"user": "nobody-here", "schedule": "@daily", "command": "x"})
    observation = real.provider.observe(real.host, [Wanted(real.id("a"), None, state)])
    assert "nobody-here" not in observation.facts["users"]


def test_a_daemon_is_found(real: Any) -> None:
    assert daemon.running(real.host), "no cron daemon runs here: start it before the tests"
    assert real.provider.health(real.host, ()) is None


@pytest.mark.slow
def test_the_daemon_hands_over_exactly_what_was_asked_for(real: Any) -> None:
    home = Path(f"/home/{real.account}")
    words = ["a'b", "100 %", "\\\\", "\\%", "\\n", "$HOME `id`", "é", "", "~", "#", "%"]
    list_command = ["/bin/sh", "-c", 'printf "%s\\0" "$@" "$KEY" "$PWD" > "$OUT"', "sh", *words]
    spec = {"schedule": "* * * * *", "workingDirectory": "~/my folder"}
    environment = {"KEY": "v % '\\\\'", "OUT": f"{home}/list"}
    script = "printf '%s\\0' 'a\\\\b' \"c%d\" \\\\ > \"$HOME/script\""
    (home / "my folder").mkdir()
    subprocess.run(["chown", real.account, home / "my folder"], check=True)
    real.table = b"# theirs\nSHELL=/bin/false\n"
    real.reach(
        {
            "list": real.state("list", command=list_command, environment=environment, **spec),
            "script": real.state("script", command=script, schedule="* * * * *"),
        }
    )
    expected = {
        home / "list": [*words, environment["KEY"], f"{home}/my folder"],
        home / "script": ["a\\\\b", "c%d", "\\"],
    }
    deadline = time.monotonic() + 75
    while time.monotonic() < deadline and not all(path.exists() and path.stat().st_size for path in expected):
        time.sleep(0.5)
    for path, values in expected.items():
        assert path.read_bytes().decode().split("\0")[:-1] == values
