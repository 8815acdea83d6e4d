"""Rollouts with a plugin, by the commands: which code it was, and which content, is part of what is remembered."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from reconciler.plugins import folder_digest
from tests.cli.workplace import Workplace

PLUGIN = Path(__file__).parents[2] / "plugins/file"


@pytest.fixture
def shop(workplace: Workplace) -> Workplace:
    """A tree with one file whose content stands beside its manifest, and which must say `good`."""
    shutil.copytree(PLUGIN, workplace.folder / "plugins/file", ignore=shutil.ignore_patterns("__pycache__"))
    workplace.write("reconciler.yaml", "plugins: [file]\n")
    target = workplace.folder / "target"
    workplace.write(
        "desired/file.yaml",
        "apiVersion: reconciler/v1\nkind: File\nmetadata: {name: motd}\n"
        f'spec: {{path: "{target}", source: motd, '
        f'verify: {{within: 1s, probes: [{{exec: [grep, -q, good, "{target}"]}}]}}}}\n',
    )
    return workplace


def test_a_source_that_changed_is_another_revision(shop: Workplace) -> None:
    shop.write("desired/motd", "bad\n")
    assert shop.run("apply", "--yes").code == 7
    assert shop.run("apply", "--yes").code == 5  # quarantined
    shop.write("desired/motd", "good\n")
    ran = shop.run("apply", "--yes")
    assert ran.code == 0, ran.err
    assert (shop.folder / "target").read_text() == "good\n"
    shop.write("desired/motd", "bad\n")
    assert "quarantine" in shop.run("apply", "--yes").err


def test_the_digest_of_a_plugin_is_journalled_and_shown(shop: Workplace) -> None:
    shop.write("desired/motd", "good\n")
    assert shop.run("apply", "--yes").code == 0
    digest = folder_digest(shop.folder / "plugins/file")
    assert f"file ({digest})" in shop.run("show", "1").out
    assert json.loads(shop.run("show", "1", "-o", "json").out)["plugins"] == {"file": digest}
    (rollout,) = json.loads(shop.run("history", "-o", "json").out)["rollouts"]
    assert rollout["plugins"] == {"file": digest}
