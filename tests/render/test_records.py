"""Runs, figures and the weekly review as people read them; nothing that a job wrote gets through as it was."""

from __future__ import annotations

import json
import re
import xml.dom.minidom
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from typing import Any

import pytest

from reconciler.cli.render.characters import HIDDEN
from reconciler.cli.render.page import review_html
from reconciler.cli.render.records import lately, run_text, runs_text, seconds, share, stats_text
from reconciler.cli.render.review import Review, findings, review_json, review_markdown
from reconciler.model.mask import Mask
from reconciler.model.run import Run, Verdict
from reconciler.records import Summary
from reconciler.runs.listing import listing
from reconciler.runs.punctual import Fate, judge
from reconciler.runs.slots import Timetable
from reconciler.runs.stats import stats
from tests.render.test_golden import compare

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
WEEK = timedelta(days=7)
MASK = Mask("golden")
BERLIN = "Europe/Berlin"
HOSTILE = "\"><script>alert(1)</script>&'|`\x1b[2J\u202e TOKEN=hunter2"


def run(name: str, at: datetime, verdict: Verdict = Verdict.SUCCEEDED, took: float | None = 3.25, **more: Any) -> Run:
    ended = None if took is None else at + timedelta(seconds=took)
    return Run(name, f"{at:%Y%m%dT%H%M%SZ}", at, at, verdict, ended=ended, duration=took, **more)


def summary(name: str, schedule: Any, runs: list[Run], **more: Any) -> Summary:
    table = Timetable(name, "crontab", schedule, "UTC", NOW - WEEK, **more)
    judged = judge(table, runs, NOW - WEEK, NOW)
    return Summary(
        name,
        table,
        tuple(sorted(runs, key=lambda run: run.started, reverse=True)),
        stats(runs),
        tuple(slot for slot in judged if slot.fate is Fate.MISSED),
        tuple(slot for slot in judged if slot.fate is Fate.LATE),
        NOW + timedelta(hours=18),
    )


def days(hour: int) -> list[datetime]:
    return [(NOW - timedelta(days=day)).replace(hour=hour) for day in range(7)]


def week() -> tuple[Summary, ...]:
    backup = [run("backup", at, took=60.0 + 20 * (7 - number)) for number, at in enumerate(days(2)) if number != 3]
    brief = [
        run("brief", at, Verdict.FAILED, exit=1, reason="exit code 1") if number % 2 else run("brief", at, exit=0)
        for number, at in enumerate(days(6))
    ]
    late = [run("digest", at + timedelta(minutes=7)) for at in days(7)]
    broken = [run("sync", at, Verdict.TIMED_OUT, 600.0, reason="took longer than 10m") for at in days(3)]
    return (
        summary("backup", "0 2 * * *", backup, expected=90.0),
        summary("boot", {"at": "boot"}, []),
        summary("brief", "0 6 * * *", brief),
        summary("digest", "0 7 * * *", late),
        summary("sync", "0 3 * * *", broken),
    )


def review(found: tuple[Summary, ...] | None = None, host: str = "atlas") -> Review:
    return Review(host, BERLIN, NOW - WEEK, NOW, week() if found is None else found, MASK)


def test_the_list_of_runs_reads_as_agreed() -> None:
    found = week()
    runs = sorted((one for each in found for one in each.runs), key=lambda run: run.started, reverse=True)[:12]
    trouble = [slot for each in found for slot in (*each.missed, *each.late)]
    lines = listing(
        [run("backup", NOW, Verdict.RUNNING, None), *runs],
        sorted(trouble, key=lambda slot: (slot.at, slot.automation)),
    )
    compare("../runs.txt", runs_text(lines, timezone=BERLIN, mask=MASK))


def test_one_run_reads_as_agreed() -> None:
    one = run(
        "crm-sync", NOW, Verdict.FAILED, 125.0, exit=3, reason="exit code 3", attempts=2, cpu=1.5, peak=50 * 2**20,
        command=("/bin/sh", "-c", "sync --all"), tail="".join(f"line {n}\n" for n in range(30)), output_bytes=300,
        host="atlas", revision="c0ffee12",
    )  # fmt: skip
    compare("../run.txt", run_text(one, timezone=BERLIN, mask=MASK))


def test_figures_read_as_agreed() -> None:
    found = week()
    text = stats_text(found, timezone=BERLIN, mask=MASK) + "\n" + stats_text(found[:1], timezone=BERLIN, mask=MASK)
    compare("../stats.txt", text)


def test_the_review_reads_as_agreed() -> None:
    compare("../report.md", review_markdown(review()))


def test_the_page_is_as_agreed_and_well_formed() -> None:
    text = review_html(review())
    compare("../report.html", text)
    for svg in re.findall(r"<svg.*?</svg>", text, re.DOTALL):
        xml.dom.minidom.parseString(svg)


def test_the_review_names_what_the_seeds_of_trouble_are() -> None:
    kinds = {(each.kind, each.automation) for each in findings(review())}
    assert kinds == {
        ("rising", "backup"),
        ("missed", "backup"),
        ("intermittent", "brief"),
        ("late", "digest"),
        ("failing", "sync"),
    }


def test_the_data_says_the_same() -> None:
    found = json.loads(json.dumps(review_json(review())))
    assert [each["automation"] for each in found["automations"]] == ["backup", "boot", "brief", "digest", "sync"]
    assert len(found["automations"][2]["history"]) == 7
    assert found["findings"][0]["kind"] == "failing"


class Reader(HTMLParser):
    """Collects the tags and the text that a browser would see."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}


@pytest.fixture
def hostile() -> Summary:
    bad = run(HOSTILE, NOW, Verdict.FAILED, reason=HOSTILE, exit=1, tail=HOSTILE, trigger=HOSTILE, command=(HOSTILE,))
    return summary(HOSTILE, "0 * * * *", [bad])


def test_a_hostile_name_or_output_is_only_text_in_the_page(hostile: Summary) -> None:
    text = review_html(review((hostile,), host=HOSTILE))
    reader, clean = Reader(), Reader()
    reader.feed(text)
    clean.feed(review_html(review()))
    assert reader.tags <= clean.tags
    assert reader.attributes <= clean.attributes
    assert "script" not in reader.tags
    assert "<script" not in text
    assert not HIDDEN.search(text.replace("\n", ""))


def test_a_page_loads_nothing_and_runs_nothing() -> None:
    text = review_html(review())
    assert "default-src 'none'" in text
    assert not re.search(r"https?:|src=|href=|@import|url\(|<script|\son\w+=", text)


def test_hostile_text_stays_harmless_everywhere(hostile: Summary) -> None:
    one = hostile.runs[0]
    shown = (
        runs_text(listing([one], ()), timezone="x", mask=MASK)
        + run_text(one, timezone=BERLIN, mask=MASK)
        + stats_text((hostile, hostile), timezone=BERLIN, mask=MASK)
        + review_markdown(review((hostile,)))
    )
    assert not HIDDEN.search(shown.replace("\n", ""))
    assert "<script" not in review_markdown(review((hostile,)))
    reasons = runs_text(listing([run("a", NOW, reason=HOSTILE)], ()), timezone="", mask=MASK)
    assert "hunter2" not in reasons


def test_many_runs_give_a_plot_of_bounded_size() -> None:
    every = [run("a", NOW - timedelta(minutes=n), took=n % 7) for n in range(10_000)]
    assert len(review_html(review((summary("a", "* * * * *", every),)))) < 400_000


@pytest.mark.parametrize(
    ("value", "wanted"),
    [(None, ""), (0, "0ms"), (0.0851, "85ms"), (3.25, "3.2s"), (59.9, "60s"), (59.96, "1m"), (250, "4m 10s"),
     (7500, "2h 5m"), (3600, "1h"), (273_600, "3d 4h"), (-5, "-5.0s")],
)  # fmt: skip
def test_durations_for_people(value: float | None, wanted: str) -> None:
    assert seconds(value) == wanted


def test_a_share_is_whole_only_where_nothing_is_missing() -> None:
    assert (share(0.99999), share(1.0), share(0.0), share(None)) == ("99.9%", "100%", "0%", "")


def test_one_line_about_the_last_day() -> None:
    found = week()
    runs = [one for each in found for one in each.runs]
    assert lately((), ()) == ""
    assert (
        lately(runs, [slot for each in found for slot in each.missed])
        == "27 in the last day; failed: brief, sync; missed: backup"
    )


def test_runs_that_newer_ones_ended_are_no_failures_until_none_gets_through() -> None:
    ended = [
        run("feed", at, Verdict.STOPPED, reason="stopped by the newer run 20261121T060000Z (overlap: kill)")
        for at in days(3)
    ]
    good = run("feed", NOW, exit=0)
    assert findings(review((summary("feed", {"at": "boot"}, [good, *ended]),))) == []
    (found,) = findings(review((summary("feed", {"at": "boot"}, ended),)))
    assert (found.kind, found.text.partition(";")[0]) == ("failing", "has not succeeded once in 7 runs")
