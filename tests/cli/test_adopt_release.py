"""`reconcile adopt` and `reconcile release` at a crontab: what their plans say about the line and around it."""

from __future__ import annotations

from tests.cli.workplace import MANIFEST, Workplace, own_name

TABLE = "FOO=bar\nLOG_LEVEL=info\nMAILTO=ops\n0 6 * * * echo one\n"


def lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines()]


def test_the_plan_of_a_release_shows_the_mark_go(workplace: Workplace) -> None:
    workplace.manifest("one")
    assert workplace.run("apply", "--yes", "--accept", "missed-run").code == 0
    (held,) = (workplace.tables / own_name()).read_text().splitlines()
    ran = workplace.run("release", "Automation/one", "--yes")
    assert ran.code == 0
    left = held.replace(": reconciler:Automation/one; ", "")
    assert f"- {held}" in lines(ran.out)
    assert f"+ {left}" in lines(ran.out)
    assert (workplace.tables / own_name()).read_text() == f"{left}\n"


def test_what_is_imported_is_adopted_with_its_variables(workplace: Workplace) -> None:
    workplace.crontab(TABLE)
    assert workplace.run("import", "crontab", "--out", "desired").code == 0
    ran = workplace.run("adopt", "Automation/echo", "--yes", "--accept", "missed-run")
    assert ran.code == 0, ran.err
    assert "run without" not in ran.out
    assert "export FOO=bar LOG_LEVEL=info;" in (workplace.tables / own_name()).read_text()


def test_a_variable_that_the_manifest_leaves_out_is_a_danger_with_its_name(workplace: Workplace) -> None:
    workplace.crontab(TABLE)
    workplace.write("desired/one.yaml", MANIFEST.format(name="one") + "  environment: {LOG_LEVEL: info}\n")
    ran = workplace.run("adopt", "Automation/one")
    said = " ".join(ran.out.split())
    assert "data loss: the variable FOO that stood above it is not in the manifest: it will run without it" in said
    assert "under environment, as `reconcile import crontab` does" in said
    assert f"data loss: MAILTO stood above it and reaches it no more: its output is mailed to {own_name()}" in said


def test_without_a_manifest_the_backends_that_can_write_one_are_named(workplace: Workplace) -> None:
    workplace.manifest("a")
    for address, hint in (
        (
            "Automation/x",
            "`reconcile import crontab` or `reconcile import launchd` or `reconcile import systemd` writes",
        ),
        (
            "Service/x",
            "`reconcile import container` or `reconcile import launchd` or `reconcile import systemd` writes",
        ),
        ("Port/x", "write its manifest first"),
    ):
        ran = workplace.run("adopt", address, "--yes")
        assert ran.code == 1
        assert hint in ran.err
