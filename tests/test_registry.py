"""What a command does not need is not imported: start-up is felt on every save."""

from __future__ import annotations

import subprocess
import sys


def loaded(program: str, *names: str) -> list[str]:
    """Which of these modules, or of those below them, are there after a program."""
    done = subprocess.run(
        [sys.executable, "-c", f"import sys\n{program}\nprint(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    return sorted(found for found in done.stdout.split() if any(f"{found}.".startswith(f"{name}.") for name in names))


def test_looking_for_a_backend_by_name_imports_none() -> None:
    program = "from reconciler.registry import registry\nassert 'crontab' in registry().providers"
    assert loaded(program, "reconciler.providers") == []
    program = "from reconciler.registry import registry\nregistry().providers['port']"
    assert "reconciler.providers.port.provider" in loaded(program, "reconciler.providers")
    assert loaded(program, "reconciler.providers.crontab", "reconciler.providers.container") == []


def test_showing_a_plan_imports_nothing_that_carries_one_out() -> None:
    program = "import reconciler.cli.plan, reconciler.cli.show_plan, reconciler.cli.render.text"
    assert loaded(program, "reconciler.engine.diff") == ["reconciler.engine.diff"]
    doing = ("executor", "rollout", "rollback", "verify", "restore", "walk")
    assert loaded(program, *(f"reconciler.engine.{name}" for name in doing), "reconciler.load.locate") == []
    assert loaded(program, "_hashlib", "difflib", "pydantic", "ryaml") == []
