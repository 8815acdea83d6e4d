"""Keeps the table `cards` of `data/board.db` in step with `data/board.txt`, one card per line, until it is stopped.

Answers `/health` on 127.0.0.1, port BOARD_PORT: 200 while the last sync went well, 503 with the reason otherwise.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import sqlite3
import sys
import threading
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import atlas

EVERY = 2.0  # seconds
SCHEMA = "CREATE TABLE IF NOT EXISTS cards (place INTEGER PRIMARY KEY, text TEXT NOT NULL)"


class Board:
    """The state that `/health` tells."""

    def __init__(self, logger: logging.Logger) -> None:
        self.logger, self.stopped, self.health = logger, threading.Event(), {"status": "starting"}

    def sync(self) -> None:
        file = atlas.folder("data") / "board.txt"
        cards = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
        with closing(sqlite3.connect(atlas.ROOT / "data" / "board.db")) as database, database:
            database.execute(SCHEMA)
            database.execute("DELETE FROM cards")
            database.executemany("INSERT INTO cards VALUES (?, ?)", enumerate(cards, 1))
        self.health = {"status": "ok", "cards": str(len(cards)), "synced": atlas.now().isoformat(timespec="seconds")}

    def keep_going(self) -> None:
        while not self.stopped.is_set():
            try:
                self.sync()
            except (OSError, ValueError, sqlite3.Error) as error:
                if self.health.get("error") != str(error):
                    self.logger.warning("error: %s", error)
                self.health = {"status": "failing", "error": str(error)}
            self.stopped.wait(EVERY)  # ends at once when we are asked to stop


def server(board: Board, port: int) -> ThreadingHTTPServer:
    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            health = board.health if self.path == "/health" else {"status": "there is only /health"}
            self.send_response(200 if health["status"] == "ok" else 404 if self.path != "/health" else 503)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps(health).encode() + b"\n")

        def log_message(self, *_: object) -> None:
            """A line per probe would be all that its log ever holds."""

    return ThreadingHTTPServer(("127.0.0.1", port), Answer)


def main() -> None:
    board = Board(atlas.log("board-sync"))
    with server(board, int(os.environ.get("BOARD_PORT", "8790"))) as http:

        def stop(number: int, _: object) -> None:
            board.logger.info("stopped by signal %d", number)
            board.stopped.set()
            threading.Thread(target=http.shutdown).start()

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, stop)
        worker = threading.Thread(target=board.keep_going)
        worker.start()
        print(f"listening on port {http.server_port}", flush=True)
        http.serve_forever(poll_interval=0.1)
        worker.join()


if __name__ == "__main__" and not atlas.checking():
    main()
