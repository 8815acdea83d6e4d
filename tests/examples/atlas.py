"""A copy of examples/atlas, and its tools run as schedulers run them: elsewhere, with little environment."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

EXAMPLE = Path(__file__).parents[2] / "examples" / "atlas"


def install(folder: Path) -> Path:
    ignored = shutil.ignore_patterns("__pycache__", *(EXAMPLE / ".gitignore").read_text().replace("/", "").split())
    return Path(shutil.copytree(EXAMPLE, folder, ignore=ignored))


def run(
    atlas: Path, tool: str, *arguments: str, stdin: str = "", **environment: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(atlas / "tools" / tool), *arguments],
        cwd=atlas.parent,
        env={"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1", **environment},
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
    )


def now() -> datetime:
    return datetime.now().astimezone()


def log(atlas: Path, name: str, *lines: str) -> Path:
    path = atlas / "logs" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(line + "\n" for line in lines))
    return path


class Answers:
    """What a small server was asked, and how it answers: `status` may be changed meanwhile."""

    def __init__(self, status: int, body: bytes) -> None:
        self.status, self.body, self.url = status, body, ""
        self.asked: list[tuple[str, dict[str, str], bytes]] = []


@contextmanager
def server(status: int = 200, body: bytes = b"") -> Iterator[Answers]:
    found = Answers(status, body)

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            sent = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            found.asked.append((self.path, dict(self.headers.items()), sent))
            self.send_response(found.status)
            self.end_headers()
            self.wfile.write(found.body)

        def do_POST(self) -> None:
            self.do_GET()

        def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Answer) as http:
        found.url = f"http://127.0.0.1:{http.server_port}/"
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield found
        finally:
            http.shutdown()
            thread.join()
