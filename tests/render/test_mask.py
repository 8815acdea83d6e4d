"""Secrets do not reach what is shown; ordinary words do."""

from __future__ import annotations

import re
import shlex

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.model.mask import Mask, secret_name

MASK = Mask("key")
HIDDEN = [
    ("backup --password=hunter2 /srv", "hunter2"),
    ("backup --password hunter2 /srv", "hunter2"),
    ("backup '--password=hunter2 and more' /srv", "hunter2 and more"),
    ("backup '--password=hunter2'\\''more' /srv", "hunter2'more"),
    ("TOKEN=hunter2 run", "hunter2"),
    ("export DB_PASS='hunter2 x' A=1; run", "hunter2 x"),
    ("env=API_TOKEN=hunter2", "hunter2"),
    ("psql postgres://me:hunter2@db/x", "hunter2"),
    ("curl -H 'Authorization: Bearer hunter2' http://x", "hunter2"),
    ("curl -H 'X-Api-Key: hunter2' http://x", "hunter2"),
    ("curl http://x/?token=hunter2&y=1", "hunter2"),
    ('curl -d \'{"clientSecret": "hunter2"}\'', "hunter2"),
    ("git clone https://ghp_0123456789abcdefghij0123@x", "ghp_0123456789abcdefghij0123"),
    ("curl https://api.telegram.org/bot123456789:" + "A" * 35 + "/send", "123456789:" + "A" * 35),
]
ORDINARY = [
    "PATH=/usr/bin:/bin",
    "--keep=7 --keep-daily 3",
    "monkey=1 turkey=2 KEYBOARD=de",
    "OLDPWD=/root PWD=/tmp",
    "TOKEN_FILE=/run/token --password-file /run/pw",
    "--max-tokens=100 TOKENIZERS_PARALLELISM=false",
    "cannot read the secret: no such file",
    "http://127.0.0.1:3500/api/health?keys=all",
    "0 3 * * * : reconciler:Automation/secret-santa; exec /opt/run --monkey=1",
    "someone@example.com at 10:30",
]


@pytest.mark.parametrize(("text", "secret"), HIDDEN)
def test_a_secret_is_masked(text: str, secret: str) -> None:
    masked = MASK.text(text)
    assert secret not in masked
    assert secret.rsplit("'", maxsplit=1)[-1] not in masked
    assert masked.count("\u2039masked ") == 1


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_words_are_shown(text: str) -> None:
    assert MASK.text(text) == text


def test_equal_values_look_equal_and_different_ones_different() -> None:
    def shown(text: str) -> str:
        return re.findall("masked ([0-9a-f]{8})", MASK.text(text))[0]

    assert shown("--password=one") == shown("TOKEN='one'") == shown("'--token=one'")
    assert shown("--password=one") != shown("--password=two")
    assert Mask("other").text("TOKEN=one") != MASK.text("TOKEN=one")


def test_json_is_masked_by_key_by_flag_and_by_look() -> None:
    shown = MASK.json(
        {
            "environment": {"API_KEY": "hunter2", "PATH": "/bin"},
            "command": ["run", "--password", "hunter2", "--keep", "7", "--token=hunter2"],
            "nested": {"token": {"inner": 5}},
            "count": 3,
        }
    )
    assert isinstance(shown, dict)
    assert "hunter2" not in str(shown)
    assert (shown["count"], shown["environment"]["PATH"], shown["command"][3:5]) == (3, "/bin", ["--keep", "7"])  # type: ignore[index, call-overload]
    assert MASK.json(shown) == shown


def test_a_text_is_masked_in_json_as_it_is_by_itself() -> None:
    for text in (*(text for text, _ in HIDDEN), *ORDINARY):
        assert MASK.json({"a": [text, 1]}) == {"a": [MASK.text(text), 1]}
    assert MASK.json({"count": 3, "name": ["b", None]}) == {"count": 3, "name": ["b", None]}


def test_a_value_reads_the_same_masked_before_and_after_it_was_put_into_a_line() -> None:
    for argv in (["run", "--token=abc"], ["run", "--token", "a b"], ["run", "https://me:abc@host/x"]):
        masked = [str(word) for word in MASK.json(argv)]  # type: ignore[union-attr]
        assert MASK.text(shlex.join(masked)) == MASK.text(shlex.join(argv))


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        *(("accessToken", True), ("db.password", True), ("AWS_SECRET_ACCESS_KEY", True), ("MYSQL_PWD", True)),
        *(("key", False), ("compass", False), ("passenger", False), ("SECRETARY", False), ("secretName", False)),
    ],
)
def test_a_name_is_judged_by_its_words(name: str, secret: bool) -> None:
    assert secret_name(name) is secret


WORDS = ("TOKEN", "password", "--", "x", "Authorization: Bearer ", "://", "\u2039masked 0123abcd\u203a")
PIECES = st.sampled_from([*"= '\"\\\n&:/@-{}", *WORDS])


@settings(max_examples=400, deadline=None)
@given(st.lists(PIECES | st.text(max_size=3), max_size=14).map("".join))
def test_masking_twice_is_masking_once(text: str) -> None:
    once = MASK.text(text)
    assert MASK.text(once) == once


def test_masking_a_long_hostile_text_takes_time_in_proportion() -> None:
    import time

    for piece in ["a=", "token=", "'", '"', "://", "--", "x:", "\\", "'token=", "A-", "-eyJ", "--token=", '"a":']:
        started = time.perf_counter()
        MASK.text("token=x " + piece * (60_000 // len(piece)))
        assert time.perf_counter() - started < 1
