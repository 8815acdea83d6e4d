"""Jobs by their content, and commands with the runner around them."""

from __future__ import annotations

from hashlib import sha256

from reconciler.model.job import Job, called, unwrapped
from reconciler.model.state import State

RUNNER = "/home/ada/.local/share/reconciler/bin/reconcile"


def test_a_job_is_named_by_its_content() -> None:
    job = Job("brief", {"timeout": 600})
    assert job.content == b'{"timeout":600,"v":1}\n'
    assert job.file_name == f"brief-{sha256(job.content).hexdigest()[:12]}.json"
    assert Job("brief", {"timeout": 601}).digest != job.digest


def test_the_runner_is_recognised_by_its_call() -> None:
    assert called([RUNNER, "exec", "brief@0123456789ab", "--", "python3", "x"]) == ("brief", "0123456789ab")
    assert called([RUNNER, "exec", "brief", "--in", "~/a", "--", "x"]) == ("brief", "")
    for other in (
        "reconcile exec brief -- x",
        ["x"],
        [RUNNER, "run", "brief", "--", "x"],
        ["/bin/timeout", "exec", "a", "--", "x"],
    ):
        assert called(other) is None


def test_without_the_runner_it_is_what_a_person_would_have_written() -> None:
    state = State({"schedule": "@daily", "command": [RUNNER, "exec", "b", "--in", "~/a", "--", "python3", "--", "x"]})
    assert unwrapped(state) == State({"schedule": "@daily", "command": ["python3", "--", "x"], "directory": "~/a"})
    shell = State({"command": [RUNNER, "exec", "b", "--", "/bin/sh", "-c", "a > b"]})
    assert unwrapped(shell) == State({"command": "a > b"})
    plain = State({"command": "a"})
    assert unwrapped(plain) is plain
