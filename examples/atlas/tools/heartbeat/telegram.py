"""Sends what stands in `alerts/` and was not sent yet to the Telegram chat TELEGRAM_CHAT, with TELEGRAM_TOKEN.

What was sent is noted only afterwards: an alert may arrive twice, but never not at all. A network that is down costs
nothing but time. --check only looks whether it can start.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import atlas

NAME = "telegram"
LONGEST = 4000  # characters of a message; Telegram takes 4096
SHOWN = 20  # lines of one file in one message


def unsent(done: dict[str, int]) -> tuple[str, dict[str, int]]:
    """The text to send, and how far each file is done once it was sent. Half a line waits for its other half."""
    lines: list[str] = []
    reached = {}
    for path in sorted(atlas.folder("alerts").glob("*.txt")):
        content = path.read_bytes()
        start = done.get(path.name, 0)
        if start > len(content):  # somebody made a new file of it
            start = 0
        fresh = content[start : content.rfind(b"\n") + 1]
        reached[path.name] = start + len(fresh)
        found = fresh.decode("utf-8", "replace").splitlines()
        lines += found[-SHOWN:]
        if len(found) > SHOWN:
            lines.append(f"and {len(found) - SHOWN} lines before, in {path.name}")
    return "\n".join(lines)[:LONGEST], reached


def send(text: str) -> None:
    base = os.environ.get("TELEGRAM_API", "https://api.telegram.org")
    body = json.dumps({"chat_id": os.environ["TELEGRAM_CHAT"], "text": text}).encode()
    request = Request(  # its address holds the token: no message of ours may name it
        f"{base}/bot{os.environ['TELEGRAM_TOKEN']}/sendMessage", body, {"Content-Type": "application/json"}
    )
    try:
        with urlopen(request, timeout=20) as answer:
            answer.read(65536)
    except HTTPError as error:
        raise RuntimeError(f"cannot send: Telegram answers {error.code}") from None
    except OSError as error:
        raise RuntimeError(f"cannot send: {error}") from None


def deliver(logger: logging.Logger) -> None:
    path = atlas.folder("state") / "telegram.json"
    done = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    text, reached = unsent(done)
    if text:
        send(text)
        logger.info("sent %d characters", len(text))
    if reached != done:
        atlas.write(path, json.dumps(reached) + "\n")


if __name__ == "__main__" and not atlas.checking():
    atlas.run(NAME, deliver)
