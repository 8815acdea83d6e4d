"""No plan, however it came about, can break the terminal, the comment or the annotations that show it."""

from __future__ import annotations

import json
import re
import time
from dataclasses import replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconciler.cli.render.characters import HIDDEN, cells, visible, wrap
from reconciler.cli.render.github import SHOWN, plan_annotations
from reconciler.cli.render.json import json_text, plan_json
from reconciler.cli.render.markdown import code, inline, plan_markdown, prose
from reconciler.cli.render.text import plan_text
from reconciler.model.address import ResourceId
from reconciler.model.change import Action, Cause, Change, Danger, Hazard
from reconciler.model.mask import Mask
from reconciler.model.plan import ApplyStep, Plan, Skip, VerifyStep, Veto
from reconciler.model.resource import Probe, Revision
from reconciler.model.state import HostFacts, State
from tests.render.build import TAKEN
from tests.render.plans import CASES

MASK = Mask("k")
BITS = (
    "\x1b[2J",
    "\x07",
    "\r\n",
    "\u202e",
    "\x9b31m",
    "\udce9",
    "`",
    "```",
    "|",
    "<b>",
    "-->",
    "::error::",
    "%0A",
    "@me",
    "\t",
)
TEXT = st.lists(st.sampled_from(BITS) | st.text(max_size=6), max_size=5).map("".join)
NAMES = st.builds(ResourceId, st.just("Automation"), st.from_regex(r"[a-z]{1,3}", fullmatch=True))
VALUES = TEXT | st.lists(TEXT, max_size=2) | st.dictionaries(TEXT, TEXT, max_size=2)
STATES = st.none() | st.builds(State, st.dictionaries(TEXT, VALUES, max_size=3))
HAZARDS = st.builds(Hazard, st.sampled_from(Danger), TEXT, st.none() | TEXT, st.booleans())
CHANGES = st.builds(
    Change, NAMES, st.sampled_from(["crontab", "other"]), st.sampled_from(Action), STATES, STATES,
    st.sampled_from(Cause), TEXT, st.lists(HAZARDS, max_size=2).map(tuple), TEXT, st.none() | TEXT, st.none() | TEXT,
)  # fmt: skip
VETOES = st.builds(Veto, TEXT, TEXT, st.none() | NAMES, st.none() | TEXT, st.none() | TEXT)
PROBES = st.builds(Probe, st.just("exec"), st.fixed_dictionaries({"command": TEXT}))


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    steps: list[ApplyStep | VerifyStep] = []
    for change in draw(st.lists(CHANGES, max_size=6)):
        steps.append(ApplyStep(len(steps) + 1, (), change, None))
        probes = tuple(draw(st.lists(PROBES, max_size=1)))
        steps.append(VerifyStep(len(steps) + 1, (len(steps),), change.id, change.provider, 60.0, 0.0, probes))
    return Plan(
        path=draw(TEXT),
        host=HostFacts(draw(TEXT), "linux", "root", draw(st.sampled_from(["", "Europe/Berlin", "x\x00y", "../etc"]))),
        revision=Revision(draw(TEXT), draw(st.none() | TEXT), draw(st.none() | TEXT), draw(st.booleans())),
        steps=tuple(steps),
        skipped=tuple(draw(st.lists(st.builds(Skip, NAMES, TEXT, st.booleans()), max_size=2))),
        vetoes=tuple(draw(st.lists(VETOES, max_size=2))),
        notices=tuple(draw(st.lists(TEXT, max_size=2))),
        unchanged=draw(st.integers(0, 9)),
        sources={id_: f"{draw(TEXT)}:3" for id_ in draw(st.lists(NAMES, max_size=3))},
    )  # fmt: skip


FUZZ = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@FUZZ
@given(plans())
def test_no_hidden_character_reaches_text_or_comment(plan: Plan) -> None:
    for shown in (
        plan_text(plan, taken=TAKEN, mask=MASK),
        plan_markdown(plan, taken=TAKEN, mask=MASK),
        json_text(plan_json(plan, taken=TAKEN, mask=MASK)),
    ):
        assert not HIDDEN.search(shown.replace("\n", ""))
        shown.encode("utf-8")


@FUZZ
@given(plans())
def test_every_annotation_stays_one_line_with_its_own_level(plan: Plan) -> None:
    lines = plan_annotations(plan, mask=MASK).splitlines()
    assert all(re.match(r"::(error|warning|notice)( [a-z]+=[^:]*)?::", line) for line in lines)
    assert sum(line.startswith("::error") for line in lines) == len(plan.vetoes)
    assert not any(HIDDEN.search(line) for line in lines)


@FUZZ
@given(plans(), st.integers(10_000, 12_000), st.integers(1, 60))
def test_the_comment_keeps_its_limit(plan: Plan, limit: int, times: int) -> None:
    wide = Plan(
        plan.path * times, HostFacts(plan.host.name * times, "linux", "root", plan.host.timezone), plan.revision,
        plan.steps * times, plan.skipped * times, plan.vetoes * times, plan.notices * times, 0, plan.sources,
    )  # fmt: skip
    assert len(plan_markdown(wide, taken=TAKEN, mask=MASK, limit=limit).encode()) <= limit


@FUZZ
@given(plans())
def test_the_same_plan_gives_the_same_bytes(plan: Plan) -> None:
    for show in (plan_text, plan_markdown):
        assert show(plan, taken=TAKEN, mask=MASK) == show(plan, taken=TAKEN, mask=MASK)


@given(TEXT)
def test_text_in_a_comment_is_neither_markup_nor_a_mention(text: str) -> None:
    for shown in (inline(text), prose(text), code(text)):
        outside = re.sub(r"`[^`]*`", "", shown.replace("<code>", "").replace("</code>", "").replace("<!-- -->", ""))
        assert not re.search(r"[<`|@*\[\]]", outside)
        assert "\n" not in shown


@given(st.text())
def test_visible_text_stays_visible(text: str) -> None:
    assert not HIDDEN.search(visible(text))
    assert visible(visible(text)) == visible(text)


@given(TEXT.map(visible), st.integers(1, 40))
def test_wrapping_loses_nothing(text: str, width: int) -> None:
    lines = wrap(text, width)
    assert " ".join(lines).split() == text.split()
    assert all(cells(line) <= width or " " not in re.sub("`[^`]*`", "", line).strip() for line in lines)


def test_wrapping_keeps_a_command_in_one_piece() -> None:
    assert wrap("try again with `reconcile apply --yes` now", 24) == [
        "try again with",
        "`reconcile apply --yes`",
        "now",
    ]


def test_json_output_can_be_read_back() -> None:
    data = plan_json(CASES["hostile"](), taken=TAKEN, mask=MASK)
    assert json.loads(json_text(data)) == data


def test_dangers_outlive_the_limit_of_a_comment() -> None:
    plan = CASES["thousand"]()
    shown = plan_markdown(plan, taken=TAKEN, mask=MASK, limit=10_000)
    assert len(shown.encode()) <= 10_000
    assert all(f"Automation/job-{number:04}" in shown for number in range(980, 1000))
    assert re.search(r"\*\*9\d\d steps omitted here", shown)
    assert "wait until each line is in the crontab" in shown


def test_annotations_leave_room_for_the_worst() -> None:
    lines = plan_annotations(CASES["thousand"](), mask=MASK).splitlines()
    assert sum(line.startswith("::notice") for line in lines) == SHOWN
    assert "971 more changes not annotated" in lines[-1]


def test_what_a_step_costs_does_not_grow_with_their_number() -> None:
    plan = CASES["thousand"]()
    assert _seconds(plan) < 30 * _seconds(replace(plan, steps=plan.steps[:100]))  # a square would be 100


def _seconds(plan: Plan) -> float:
    """Of the processor, for one rendering: the best of five."""
    spent = []
    for _ in range(5):
        started = time.process_time()
        plan_text(plan, taken=TAKEN, mask=MASK)
        spent.append(time.process_time() - started)
    return min(spent)


def test_showing_a_plan_without_changes_imports_nothing_heavy() -> None:
    import subprocess
    import sys

    program = (
        "import sys\n"
        "from reconciler.cli.render import text, markdown, github, json, problems, rollout\n"
        "from tests.render.plans import CASES\nfrom tests.render.build import TAKEN\n"
        "from reconciler.model.mask import Mask\n"
        "text.plan_text(CASES['nothing'](), taken=TAKEN, mask=Mask('k'))\n"
        "heavy = {'rich', 'click', 'pydantic', 'cronsim', 'httpx', 'ruamel', 'zoneinfo', 'difflib', 'subprocess'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
