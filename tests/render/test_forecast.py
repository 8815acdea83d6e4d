"""A forecast as text, data and picture, compared with golden texts, and with names that mean harm."""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET
from zoneinfo import ZoneInfo

import pytest

from reconciler.cli.render.characters import cells
from reconciler.cli.render.forecast import ASCII, BLOCKS, Heading, blocks_for, forecast_text
from reconciler.cli.render.forecast_json import forecast_json
from reconciler.cli.render.forecast_page import forecast_page
from reconciler.cli.render.json import json_text
from reconciler.cli.render.timeline import timeline
from reconciler.runs.entry import Entry
from reconciler.runs.forecast import Forecast, forecast
from tests.runs.test_forecast import entry

GOLDEN = Path(__file__).parent.parent / "golden" / "forecast"
BERLIN = ZoneInfo("Europe/Berlin")
HEADING = Heading("atlas", "Europe/Berlin", (("crontab of root, line 9", "it is not a job"),))
HOSTILE = "<script>alert(1)</script>\"'&\x1b[2J\u202e]]>\udcff\x00"


def entries() -> list[Entry]:
    return [
        entry("backup", "30 2 * * *", takes=5400.0),
        entry("brief", "0 6 * * *", takes=120.0),
        entry("certs"),
        entry("friday-13", "0 0 13 * 5", takes=30.0),
        entry("gone", never="launchd cannot be used here: this is not a Mac", provider="launchd"),
        entry("index", "45 2 * * *", provider="systemd"),
        entry("logrotate", foreign="crontab of root, line 3"),
        entry("loose", {"every": 5400}, provider="systemd"),
        entry("poll", "*/5 * * * *", takes=20.0),
        entry("watcher", "*/10 7-22 * * *", takes=700.0),
        entry("weekly", "0 6 * * 0", timezone="America/New_York", provider="systemd"),
    ]


def of(*more: Entry, days: float = 1) -> Forecast:
    start = datetime(2026, 3, 28, 17, 20, tzinfo=UTC)
    return forecast([*entries(), *more], start, timedelta(days=days), BERLIN, 4)


FORMS: dict[str, Any] = {
    "day.txt": lambda: forecast_text(of(), HEADING),
    "week.txt": lambda: forecast_text(of(days=7), HEADING, blocks=ASCII),
    "day.json": lambda: json_text(forecast_json(of(), HEADING)),
    "day.svg": lambda: timeline(of(), HEADING),
    "day.html": lambda: forecast_page(of(), HEADING),
}


@pytest.mark.parametrize("name", sorted(FORMS))
def test_a_forecast_is_as_agreed(name: str) -> None:
    found, path = FORMS[name](), GOLDEN / name
    if os.environ.get("UPDATE_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(found, encoding="utf-8")
    assert found == path.read_text(encoding="utf-8")


def test_no_line_of_the_text_is_wider_than_the_terminal() -> None:
    long = entry("n" * 60, "5 4 1,2,3,4,5 1-6 *")
    for days in (1, 7, 31):
        assert max(map(cells, forecast_text(of(long, days=days), HEADING).splitlines())) <= 80


def test_colour_changes_nothing_but_colour() -> None:
    coloured = forecast_text(of(), HEADING, colour=True)
    assert "\x1b[" in coloured
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == forecast_text(of(), HEADING)


@pytest.mark.parametrize(
    ("encoding", "locale", "wanted"),
    [
        ("utf-8", "en_US.UTF-8", BLOCKS),
        ("UTF8", "C.utf8", BLOCKS),
        ("utf-8", "C", ASCII),
        ("ascii", "C.UTF-8", ASCII),
    ],
)
def test_blocks_are_drawn_where_they_can_be_shown(encoding: str, locale: str, wanted: str) -> None:
    assert blocks_for(encoding, locale) == wanted


def test_many_entries_are_counted_rather_than_listed() -> None:
    found = of(*(entry(f"job-{n:04}", f"{n % 60} * * * *") for n in range(1000)))
    text, picture = forecast_text(found, HEADING), timeline(found, HEADING)
    assert "more; `-o json` has all of them" in text
    assert len(text.splitlines()) < 120
    assert "more start, not shown" in picture
    assert len(picture) < 200_000


def hostile() -> tuple[Forecast, Heading]:
    found = of(
        entry(HOSTILE, "* * * * *", foreign=HOSTILE, takes=90.0),
        entry(HOSTILE, HOSTILE, provider=HOSTILE, timezone=HOSTILE),
    )
    return found, Heading(HOSTILE, HOSTILE, ((HOSTILE, HOSTILE),))


def test_hostile_names_stay_text_in_the_picture() -> None:
    text = timeline(*hostile())
    root = ET.fromstring(text.encode())
    assert {element.tag.rpartition("}")[2] for element in root.iter()} <= {
        "svg", "title", "style", "rect", "text", "path", "g"
    }  # fmt: skip
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert any("<script>" in (element.text or "") for element in root.iter())


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()
        self.attributes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.add(tag)
        self.attributes |= {name for name, _ in attrs}


def test_hostile_names_stay_text_on_the_page_which_loads_nothing() -> None:
    page = forecast_page(*hostile())
    tags = Tags()
    tags.feed(page)
    assert "script" not in tags.found
    assert tags.attributes.isdisjoint({"src", "href", "onload", "onclick", "onerror"})
    assert "url(" not in page
    assert "\x1b" not in page
    page.encode()


def test_hostile_names_do_not_move_the_cursor() -> None:
    text = forecast_text(*hostile())
    assert "\x1b" not in text
    assert "\u202e" not in text
    json_text(forecast_json(*hostile())).encode()
