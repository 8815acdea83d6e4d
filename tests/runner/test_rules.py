"""Secrets at the moment of the run, and what counts as a success."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.runner.place import Place


def programs(place: Place, **texts: str) -> dict[str, str]:
    """A folder of small programs in front of PATH."""
    folder = place.folder / "bin"
    folder.mkdir(exist_ok=True)
    for name, text in texts.items():
        path = folder / name.replace("_", "-")
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
    return {"PATH": f"{folder}:{os.environ['PATH']}"}


def test_every_kind_of_secret(place: Place) -> None:
    (place.folder / "file").write_text("from-file\n")
    environment = programs(
        place,
        secret_tool='test "$*" = "lookup service atlas account telegram" && echo from-keyring',
        envchain='test "$1" = atlas && shift && CHAINED=from-envchain exec "$@"',
        issue='echo "from-$1"',
    )
    job = {
        "secrets": {
            "A": {"env": "SOURCE"}, "B": {"file": str(place.folder / "file")}, "C": {"keyring": "atlas/telegram"},
            "CHAINED": {"envchain": "atlas"}, "E": {"exec": ["issue", "program"]},
        }
    }  # fmt: skip
    script = 'for v in "$A" "$B" "$C" "$CHAINED" "$E"; do test "$v" = "$1" && echo yes; shift; done'
    words = ["from-env", "from-file", "from-keyring", "from-envchain", "from-program"]
    done = place.run("sh", "-c", script, "sh", *words, job=job, env={**environment, "SOURCE": "from-env"})
    assert done.stdout == "yes\n" * 5, done.stderr
    assert all(word not in line for line in (str(place.lines()[1]), str(place.lines()[2])) for word in words)


@pytest.mark.parametrize(
    ("reference", "words"),
    [
        ({"env": "NOT_THERE"}, "(env NOT_THERE): the environment of the run has no such variable"),
        ({"env": "EMPTY"}, "(env EMPTY): it is empty"),
        ({"file": "/no/such/file"}, "(file /no/such/file): no such file"),
        ({"keyring": "atlas/none"}, "(keyring atlas/none): secret-tool ended with exit code 1"),
        ({"envchain": "none"}, "(envchain none): "),
        ({"exec": ["leaky"]}, "(exec leaky): leaky ended with exit code 3"),
        ({"exec": ["no-such-program"]}, "(exec no-such-program): cannot start"),
        ({"exec": "text"}, "makes no sense"),
        ({"vault": "x"}, "(vault x): there is no such kind of reference"),
        ({"env": "A", "file": "B"}, "makes no sense"),
        ({}, "makes no sense"),
        (5, "makes no sense"),
    ],
)
def test_a_secret_that_is_not_to_be_had_keeps_the_job_from_running(place: Place, reference: Any, words: str) -> None:
    environment = programs(place, secret_tool="exit 1", leaky="echo hunter2; echo hunter2 >&2; exit 3")
    done = place.run(
        "touch", "ran", job={"secrets": {"TOKEN": reference}}, env={**environment, "EMPTY": ""}
    )  # fmt: skip
    assert done.returncode == 125
    assert not (place.folder / "ran").exists()
    end = place.end()
    assert (end["verdict"], end["attempts"]) == ("failed", 0)
    assert "cannot resolve the secret TOKEN" in end["reason"]
    assert words in end["reason"]
    assert "hunter2" not in done.stderr + place.files()[0].read_text()


def test_a_stop_while_a_secret_is_fetched_starts_nothing(place: Place) -> None:
    environment = programs(place, slow="sleep 1; echo value")
    with place.start(
        "touch", "ran", job={"secrets": {"TOKEN": {"exec": ["slow"]}}}, env={**os.environ, **environment}
    ) as process:
        time.sleep(0.6)
        process.terminate()
        assert process.wait(30) == 143
    assert place.end()["reason"] == "stopped by SIGTERM before it began"
    assert not (place.folder / "ran").exists()


def judge(place: Place, script: str, **success: Any) -> str:
    """The reason that a run is rejected for; empty where it succeeds."""
    name = f"run-{len(list(place.folder.glob('state/runs/spool/*')))}"
    done = place.run("sh", "-c", script, job={"success": success}, name=name, options=["--in", str(place.folder)])
    end = place.end(name)
    if end["verdict"] == "succeeded":
        assert end["reason"] == ""
        return ""
    assert (done.returncode, end["verdict"]) == (0, "rejected"), end
    return str(end["reason"])


def test_exit_codes(place: Place) -> None:
    assert place.run("sh", "-c", "exit 3", job={"success": {"exitCodes": [0, 3]}}).returncode == 3
    assert place.end()["verdict"] == "succeeded"
    place.run("true", name="b", job={"success": {"exitCodes": [3]}})
    assert place.end("b")["reason"] == "exit code 0"


def test_output_that_must_match_and_must_not(place: Place) -> None:
    assert judge(place, "echo all done", output={"matches": "^all .*e$"}) == ""
    assert "no line of the output matches" in judge(place, "echo nothing", output={"matches": "^all"})
    assert "forbids: Traceback here" in judge(place, "echo ' Traceback here' >&2", output={"rejects": "Traceback"})
    assert "forbids" in judge(place, "printf Traceback", output={"matches": "Trace", "rejects": "Traceback"})


def test_rules_see_the_whole_output_and_not_only_its_tail(place: Place) -> None:
    script = "echo early trouble; head -c 3M /dev/zero | tr '\\0' '\\n'"
    assert "forbids" in judge(place, script, output={"rejects": "trouble"})
    assert judge(place, script, output={"matches": "^early trouble$"}) == ""
    assert judge(place, "head -c 3M /dev/zero; echo late", output={"matches": "late$"}) == ""


def test_a_schema_judges_standard_output(place: Place) -> None:
    schema = {"type": "object", "required": ["count"], "properties": {"count": {"type": "integer", "minimum": 1}}}
    rule = {"schema": schema}
    assert judge(place, """echo '{"count": 3}'; echo noise >&2""", output=rule) == ""
    assert "$.count is 0, less than 1" in judge(place, """echo '{"count": 0}'""", output=rule)
    assert "$ has no count" in judge(place, "echo '{}'", output=rule)
    assert "stdout is no JSON" in judge(place, "echo hello", output=rule)
    assert "stdout is no JSON" in judge(place, "true", output=rule)
    assert "larger than 4 MiB" in judge(place, "head -c 5M /dev/zero", output=rule)


@pytest.mark.parametrize(
    ("output", "words"),
    [
        ({"matches": "("}, "success.output.matches is no regular expression"),
        ({"rejects": "*"}, "success.output.rejects is no regular expression"),
        ({"schema": {"oneOf": []}}, "the keyword oneOf, which is not supported"),
        ({"schema": {"properties": {"a": {"$ref": "#"}}}}, "properties.a has the keyword $ref"),
        ({"schema": {"type": "text"}}, "names 'text', which is no type"),
        ({"schema": {"minLength": "3"}}, "minLength makes no sense"),
        ({"schema": {"pattern": "("}}, "pattern makes no sense"),
    ],
)
def test_a_rule_that_cannot_be_judged_is_broken(place: Place, output: Any, words: str) -> None:
    assert words in judge(place, "echo '{}'", output=output)


def test_files_must_be_fresh_and_large_enough(place: Place) -> None:
    rule = [{"path": "out", "maxAge": 60, "minSize": 3}]
    assert judge(place, "echo text > out", files=rule) == ""
    assert "has 0 bytes, fewer than 3" in judge(place, ": > out", files=rule)
    os.utime(place.folder / "out", (time.time() - 100, time.time() - 100))
    assert "s old, older than 60 s" in judge(place, "true", files=rule)
    assert "cannot find" in judge(place, "rm out", files=rule)


def test_a_file_without_an_age_must_be_written_by_this_very_run(place: Place) -> None:
    rule = [{"path": "out"}, {"path": "out", "minSize": 3}]
    assert "cannot find" in judge(place, "true", files=rule)
    assert judge(place, "echo text > out", files=rule) == ""
    assert judge(place, "true", files=rule) == f"success.files: the run did not write {place.folder}/out"
    assert judge(place, "echo text > out", files=rule) == ""
    assert judge(place, "cp -p out new; mv new out", files=rule) == ""  # the clock says nothing about this one


def test_a_file_that_an_earlier_attempt_wrote_counts(place: Place) -> None:
    job = {"success": {"files": [{"path": "out"}]}, "retry": {"limit": 1, "delay": 0}}
    script = "test -e out || { echo text > out; exit 1; }"
    place.run("sh", "-c", script, job=job, options=["--in", str(place.folder)])
    assert (place.end()["attempts"], place.end()["verdict"]) == (2, "succeeded")


def test_a_run_that_ends_too_soon(place: Place) -> None:
    place.run("true", job={"runtime": {"min": 5}})
    assert place.end()["verdict"] == "rejected"
    assert "sooner than runtime.min, 5 s" in place.end()["reason"]


def test_a_rejected_run_is_tried_again(place: Place) -> None:
    job = {"success": {"output": {"matches": "^3$"}}, "retry": {"limit": 4, "delay": 0}}
    place.run("sh", "-c", "echo x >> tries; wc -l < tries", job=job)
    assert (place.end()["attempts"], place.end()["verdict"]) == (3, "succeeded")


SCHEMAS: list[tuple[Any, Any, str]] = [
    (True, 1, ""), (False, 1, "$ is not allowed"), ({}, None, ""),
    ({"type": ["string", "null"]}, None, ""), ({"type": "integer"}, True, "$ is no integer"),
    ({"type": "integer"}, 3.0, ""), ({"type": "number"}, "3", "$ is no number"),
    ({"enum": [1, "a"]}, 1.0, ""), ({"enum": [1]}, True, "$ is none of the values allowed"),
    ({"const": {"a": [1]}}, {"a": [1.0]}, ""), ({"const": 0}, False, "$ is not the one value allowed"),
    ({"maximum": 3}, 4, "$ is 4, more than 3"), ({"minLength": 2}, "a", "$ is shorter than 2 characters"),
    ({"pattern": "^a"}, "ba", "$ does not match ^a"), ({"minItems": 1}, [], "$ has 0 items, fewer than 1"),
    ({"items": {"type": "string"}}, ["a", 1], "$[1] is no string"), ({"minimum": 3}, "text", ""),
]  # fmt: skip


@pytest.mark.parametrize(("schema", "value", "reason"), SCHEMAS)
def test_the_keywords_of_schemas(schema: Any, value: Any, reason: str) -> None:
    from reconciler.runner.schema import broken, check

    check(schema)
    assert broken(schema, value) == reason


def test_texts_are_read_and_written_as_json_does(place: Place) -> None:
    import json

    from reconciler.runner.text import dumps, loads

    value = {"a": [1, -2.5, True, None, 'ä\n"\x00\U0001f600'], "b": {}, "": [], "big": 10**30}
    assert loads(dumps(value)) == json.loads(dumps(value)) == value
    for text in ("", " ", "{", "[1,]", "{} {}", "NaN", "[" * 100_000, "tru"):
        with pytest.raises(ValueError, match=r"."):
            loads(text)
    assert Path(sys.executable).exists()
