"""One line: what we write, what we recognise, and that the shell behind cron gets exactly what was asked."""

from __future__ import annotations

import subprocess

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from reconciler.model.address import ResourceId
from reconciler.providers.crontab import line
from reconciler.providers.crontab.line import BY_ROOT, OWN, Mark, Sort

ID = ResourceId("Automation", "daily-brief")
HEAD = "0 6 * * * : reconciler:Automation/daily-brief; "

# Everything that a line can carry; what it cannot is refused by `canonical`.
TEXT = st.text(st.characters(blacklist_characters="\n\r\0\b", blacklist_categories=["Cs"]), max_size=40)
NASTY = st.text(st.sampled_from("\\'\"%$`!#~ ;&|<>*?[]{}()=aé\t-"), max_size=16)
WORDS = st.lists(TEXT | NASTY, min_size=1, max_size=6).filter(lambda argv: argv[0] and not argv[0].startswith("-"))
SCRIPTS = (TEXT | NASTY | st.sampled_from(["a\\\\b", "a\\%b", "exec x", "cd /x || exit; y", "eval 'a'"])).filter(
    str.strip
)
NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True)
FOLDERS = st.one_of(NASTY, st.builds(lambda tail: f"~/{tail}", NASTY), st.just("~")).filter(
    lambda d: d and d[0] != "-"
)
MARKS = st.sampled_from([OWN, BY_ROOT])
ATTRIBUTES = st.fixed_dictionaries(
    {"schedule": st.sampled_from(["0 6 * * *", "@daily", "*/5 1-3,7 * jan mon-fri"]), "command": WORDS | SCRIPTS},
    optional={"directory": FOLDERS, "environment": st.dictionaries(NAMES, TEXT | NASTY, min_size=1, max_size=3)},
)


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({"command": ["backup", "--fast"]}, "exec backup --fast"),
        ({"command": ["say", "it's 5 o'clock"]}, "exec say 'it'\\''s 5 o'\\''clock'"),
        ({"command": ["date", "+%F"]}, "exec date +\\%F"),
        ({"command": ["say", "100 % sure"]}, "exec say '100 '\\%' sure'"),
        ({"command": ["a", "\\\\", "\\%", ""]}, "exec a '\\''\\' '\\'\\% ''"),
        ({"command": "date +%F > log"}, "date +\\%F > log"),
        ({"command": "sed 's/\\\\/x/'"}, "eval 'sed '\\''s/\\''\\/x/'\\'"),
        ({"command": "x", "directory": "~/my atlas"}, "cd ~/'my atlas' || exit; x"),
        ({"command": "x", "directory": "~"}, "cd ~ || exit; x"),
        ({"command": "x", "directory": "~bob"}, "cd '~bob' || exit; x"),
        ({"command": "x", "environment": {"B": "2 3", "A": ""}}, "export A='' B='2 3'; x"),
    ],
)
def test_a_line_reads_like_this(attributes: dict[str, object], expected: str) -> None:
    wanted = {"schedule": "0 6 * * *", **attributes}
    assert line.render(ID, wanted, OWN) == HEAD + expected  # type: ignore[arg-type]
    assert line.parse(HEAD + expected, OWN) == (ID, wanted)


@given(ATTRIBUTES, MARKS)
@settings(max_examples=500, deadline=None)
def test_what_we_write_is_a_fixed_point(attributes: dict[str, object], mark: Mark) -> None:
    text = line.render(ID, attributes, mark)  # type: ignore[arg-type]
    parsed = line.parse(text, mark)
    assert parsed is not None
    assert line.render(*parsed, mark) == text
    assert line.parse(line.render(*parsed, mark), mark) == parsed


@given(ATTRIBUTES, MARKS)
@settings(max_examples=300, deadline=None)
def test_a_line_of_one_reconciler_is_none_of_the_others(attributes: dict[str, object], mark: Mark) -> None:
    text = line.render(ID, attributes, mark)  # type: ignore[arg-type]
    raw = text.encode() + b"\n"
    assert line.marked(raw, mark) == ID
    assert line.marked(raw, mark.other) is None
    assert line.parse(text, mark.other) is None
    assert line.unmarked(raw, mark.other) == raw


@given(ATTRIBUTES)
@settings(max_examples=300, deadline=None)
def test_a_list_its_directory_and_its_environment_come_back_as_they_were(attributes: dict[str, object]) -> None:
    parsed = line.parse(line.render(ID, attributes, OWN), OWN)  # type: ignore[arg-type]
    assert parsed is not None
    assert parsed[1]["schedule"] == attributes["schedule"]
    if isinstance(attributes["command"], list):
        assert parsed[1] == attributes


@given(ATTRIBUTES)
@settings(max_examples=500, deadline=None)
def test_no_backslash_of_ours_meets_a_backslash_and_no_percent_is_bare(attributes: dict[str, object]) -> None:
    text = line.render(ID, attributes, OWN)  # type: ignore[arg-type]
    assert "\\\\" not in text
    assert "\\%" * text.count("%") == "".join(text[i - 1 : i + 1] for i, c in enumerate(text) if c == "%")
    command = text.partition(" : ")[2]
    assert line.unescape(command, halve=True) == line.unescape(command, halve=False)
    assert line.unescape(command)[1] is None


def through_the_shell(attributes: dict[str, object], *, halve: bool) -> list[str]:
    """What the program of a line gets as arguments, by way of cron's unescaping and the real /bin/sh."""
    text = line.render(ID, attributes, OWN)  # type: ignore[arg-type]
    command, stdin = line.unescape(text.split(" ", 5)[5], halve=halve)
    assert stdin is None
    done = subprocess.run(["/bin/sh", "-c", command], capture_output=True, check=True, env={"PATH": "/usr/bin:/bin"})
    return done.stdout.decode("utf-8").split("\0")[:-1]


@given(st.lists(TEXT | NASTY, min_size=1, max_size=8))
@example(
    ["\\", "\\\\", "\\\\\\", "%", "\\%", "%\\", "'", "''", "\\'", "'\\", "a'%'b", "$HOME", "`id`", "~", "!x", "-n"]
)
@settings(max_examples=60, deadline=None)
def test_the_program_gets_each_word_as_written_under_every_cron(words: list[str]) -> None:
    attributes = {"schedule": "0 6 * * *", "command": ["printf", "%s\\0", "--", *words]}
    for halve in (True, False):
        assert through_the_shell(attributes, halve=halve) == ["--", *words]


@given(st.dictionaries(st.from_regex(r"RT_[A-Z]{1,6}", fullmatch=True), TEXT | NASTY, min_size=1, max_size=3))
@settings(max_examples=40, deadline=None)
def test_the_program_gets_its_environment_as_written(environment: dict[str, str]) -> None:
    attributes = {"schedule": "0 6 * * *", "command": ["env", "-0"], "environment": environment}
    for halve in (True, False):
        found = dict(item.partition("=")[::2] for item in through_the_shell(attributes, halve=halve))
        assert {name: found[name] for name in environment} == environment


@pytest.mark.parametrize(
    "script",
    [
        r"printf '%s\0' 'a\\b' \\x \%",
        r"printf '%s\0' a%b | cat",
        "printf 'x\\0'; printf 'y\\0'",
        r"""printf "%s\\0" "c\\d" """,
        r"printf '%b\0' 'tab\there'",
    ],
)
def test_a_script_means_the_same_as_in_a_shell(script: str) -> None:
    expected = subprocess.run(["/bin/sh", "-c", script], capture_output=True, check=True).stdout
    for halve in (True, False):
        found = through_the_shell({"schedule": "0 6 * * *", "command": script}, halve=halve)
        assert found == expected.decode().split("\0")[:-1]


@given(ATTRIBUTES)
@settings(max_examples=100, deadline=None)
def test_python_crontab_sees_one_job_with_that_schedule(attributes: dict[str, object]) -> None:
    from crontab import CronItem, CronTab

    text = line.render(ID, attributes, OWN)  # type: ignore[arg-type]
    assume("#" not in text)  # python-crontab takes what follows for a comment; cron does not
    item = CronItem.from_line(text, cron=CronTab(tab=""))
    assert item.is_valid()
    assert item.is_enabled()
    assert str(item.slices) == attributes["schedule"]
    assert str(item.command).startswith(": reconciler:Automation/daily-brief; ")


@pytest.mark.parametrize(
    "tampered",
    [
        "0  6 * * * : reconciler:Automation/daily-brief; exec x",
        "\t0 6 * * * : reconciler:Automation/daily-brief; exec x",
        "0 6 * * * : reconciler:Automation/daily-brief;exec x",
        "0 6 * * * : reconciler:Automation/daily-brief; ",
        "0 6 * * * : reconciler:Automation/daily-brief",
        "0 6 * * * : reconciler:Automation/daily-brief; date +%F",
        "0 6 * * * : reconciler:Automation/daily-brief; printf '\\\\'",
        "0 6 * * * nice : reconciler:Automation/daily-brief; exec x",
        "0 6 * * : reconciler:Automation/daily-brief; exec x",
        "0 6 * * * : reconciler:Automation/daily-brief; exec x\r",
    ],
)
def test_a_line_that_somebody_bent_is_still_ours_and_shows_as_it_stands(tampered: str) -> None:
    raw = tampered.encode() + b"\n"
    assert line.marked(raw, OWN) == ID
    assert line.parse(tampered, OWN) is None
    found = line.attributes(raw, OWN)
    assert set(found) == {"schedule", "text"}
    assert found["text"] == tampered.replace("\r", "\\r").replace("\t", "\t")


def test_bytes_that_are_not_utf8_in_our_line_show_as_escapes() -> None:
    raw = b"0 6 * * * : reconciler:Automation/daily-brief; exec x \xff\x1b[0m\n"
    assert line.marked(raw, OWN) == ID
    assert line.attributes(raw, OWN)["text"] == f"{HEAD}exec x \\xff\\x1b[0m"


@pytest.mark.parametrize(
    "foreign",
    [
        b"# 0 6 * * * : reconciler:Automation/daily-brief; exec x\n",
        b"  # : reconciler:Automation/daily-brief; x\n",
        b"0 6 * * * grep ': reconciler:Automation/x; ' log\n",
        b"0 6 * * * echo 'x' ; : reconciler:Automation/x; y\n",
        b"NOTE=: reconciler:Automation/x; y\n",
        b"0 6 * * * : reconciler:Automation/Bad_Name; y\n",
        b"0 6 * * * : reconciler@bob:Automation/x; y\n",
        b"0 6 * * * : reconciler:automation/x; y\n",
    ],
)
def test_a_line_that_only_mentions_the_mark_is_not_ours(foreign: bytes) -> None:
    assert line.marked(foreign, OWN) is None
    assert line.marked(foreign, BY_ROOT) is None


@pytest.mark.parametrize(
    ("raw", "sort"),
    [
        (b"\n", Sort.BLANK),
        (b" \t\n", Sort.BLANK),
        (b"# x\n", Sort.COMMENT),
        (b"\t# FOO=bar\n", Sort.COMMENT),
        (b"FOO=bar\n", Sort.ENVIRONMENT),
        (b"  FOO = 'a b'\n", Sort.ENVIRONMENT),
        (b"'F O'=x\n", Sort.ENVIRONMENT),
        (b"MAILTO=\n", Sort.ENVIRONMENT),
        (b"5=3\n", Sort.ENVIRONMENT),
        (b"0 5 * * * FOO=bar x\n", Sort.JOB),
        (b"0\t5 * * mon-fri x\r\n", Sort.JOB),
        (b"@reboot x", Sort.JOB),
        (b"@daily\n", Sort.JOB),
        (b"-*/5 * * * * x\n", Sort.JOB),
        (b"garbage\n", Sort.INVALID),
        (b"0 5 * *\n", Sort.INVALID),
        (b"\xff\xfe\n", Sort.INVALID),
        (b"\r\n", Sort.INVALID),
    ],
)
def test_foreign_lines_are_told_apart_as_cron_does(raw: bytes, sort: Sort) -> None:
    assert line.sort_of(raw) is sort


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"FOO=bar baz \n", ("FOO", "bar baz")),
        (b'FOO = "a b"\r\n', ("FOO", "a b")),
        (b"'F O'=' x '\n", ("F O", " x ")),
        (b"MAILTO=\n", ("MAILTO", "")),
        (b"A='it\n", ("A", "'it")),
    ],
)
def test_a_variable_is_read_without_its_quotes(raw: bytes, expected: tuple[str, str]) -> None:
    assert line.variable(raw) == expected


@pytest.mark.parametrize(
    ("text", "halve", "expected"),
    [
        ("a\\%b", True, ("a%b", None)),
        ("a\\%b", False, ("a%b", None)),
        ("a\\\\b", True, ("a\\b", None)),
        ("a\\\\b", False, ("a\\\\b", None)),
        ("cat%one\\%two%three", True, ("cat", "one\\%two%three")),
        ("a\\\\%b", True, ("a\\", "b")),
        ("a\\nb", True, ("a\\nb", None)),
    ],
)
def test_cron_unescapes_like_this(text: str, halve: bool, expected: tuple[str, str | None]) -> None:
    assert line.unescape(text, halve=halve) == expected


@given(ATTRIBUTES, MARKS)
def test_without_its_mark_a_line_runs_the_same(attributes: dict[str, object], mark: Mark) -> None:
    raw = line.render(ID, attributes, mark).encode() + b"\n"  # type: ignore[arg-type]
    plain = line.unmarked(raw, mark)
    assert line.marked(plain, mark) is None
    assert plain == line.render(None, attributes, mark).encode() + b"\n"  # type: ignore[arg-type]


def test_a_long_line_costs_linear_time() -> None:
    from time import perf_counter

    start = perf_counter()
    for body in (
        "a" * 100_000,
        "'a'" * 30_000 + '"',
        "A=" + "b" * 100_000,
        "cd " + "x" * 100_000,
        ">x" * 40_000 + "(",
    ):
        for head in ("0 6 * * * ", HEAD, HEAD + "exec ", HEAD + "export ", HEAD + "cd ", ""):
            line.marked((head + body).encode(), OWN)
            line.parse(head + body, OWN)
            line.sort_of((head + body).encode())
    assert perf_counter() - start < 5
