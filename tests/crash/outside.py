"""The world around a daemon that is killed: files fall, rows are written, a feed grows, deliveries come until they are acknowledged."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import random
import socket
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import closing, suppress
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from eventflow.address import find_socket
from eventflow.testing import Ledger
from tests.crash.harness import Project

KEY = b"secret" * 6
NEWEST = 400
"""Items that the feed shows: more than come while no daemon is up."""


class Outside:
    """Everything that happens in the world, at random moments, in threads of its own. What is offered stands in the ledger first."""

    def __init__(self, project: Project, seed: int, pause: float = 0.25) -> None:
        self._project = project
        self._ledger: Ledger = project.ledger
        self._pause = pause
        self._over = threading.Event()
        self._feed = Feed()
        self._orders = Orders(project.folder / "orders.db")
        self._deliveries: deque[tuple[str, str]] = deque()
        self.offered = 0
        makers = (self._drop, self._order, self._publish_item, self._deliver("hook"), self._deliver("byhand"))
        self._threads = [threading.Thread(target=self._now_and_then, args=(make, seed + place)) for place, make in enumerate(makers)]
        self._sender = threading.Thread(target=self._send)

    @property
    def feed(self) -> str:
        """The address of the feed."""
        return self._feed.url

    def __enter__(self) -> Self:
        self._feed.__enter__()
        for thread in (*self._threads, self._sender):
            thread.start()
        return self

    def calm(self) -> None:
        """Let nothing new happen. What is under way to the daemon goes on."""
        self._over.set()
        for thread in self._threads:
            thread.join()

    @property
    def is_delivered(self) -> bool:
        """Whether everything that was to be delivered has been acknowledged."""
        return not self._deliveries

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.calm()
        self._deliveries.clear()
        self._sender.join()
        self._feed.__exit__(kind, error, trace)

    def _now_and_then(self, make: Callable[[str], None], seed: int) -> None:
        dice, count = random.Random(seed), 0
        while not self._over.wait(dice.expovariate(1 / self._pause)):
            count += 1
            make(f"n{count}")
            self.offered += 1

    def _drop(self, name: str) -> None:
        self._project.drop(f"{name}.txt", source="files")

    def _order(self, name: str) -> None:
        self._orders.write(name, lambda identity: self._ledger.sent("rows", identity))

    def _publish_item(self, name: str) -> None:
        self._ledger.sent("polls", name)
        self._feed.add(name)

    def _deliver(self, source: str) -> Callable[[str], None]:
        def deliver(name: str) -> None:
            self._ledger.sent(source, f"{source}-{name}")
            self._deliveries.append((source, f"{source}-{name}"))

        return deliver

    def _send(self) -> None:
        """Deliver, again and again until it is acknowledged; now and then once more than needed."""
        dice = random.Random(7)
        while self._deliveries or not self._over.is_set():
            if not self._deliveries:
                time.sleep(0.01)
                continue
            source, name = self._deliveries[0]
            if self._is_taken(source, name):
                self._ledger.acknowledged(source, name)
                if dice.random() < 0.2:
                    self._is_taken(source, name)
                with suppress(IndexError):  # the end of the test may have cleared it
                    self._deliveries.popleft()
            else:
                time.sleep(0.02)

    def _is_taken(self, source: str, name: str) -> bool:
        path = find_socket(self._project.state)
        if path is None:
            return False
        address, body, headers = _hook(name) if source == "hook" else _event(name)
        try:
            with closing(OverUnixSocket(path)) as http:
                http.request("POST", address, body, headers)
                answer = http.getresponse()
                told = answer.read()
        except (OSError, HTTPException):
            return False
        if answer.status == 503:
            return False
        assert answer.status < 300, told
        return True


class OverUnixSocket(HTTPConnection):
    """A connection to a daemon."""

    def __init__(self, path: Path) -> None:
        super().__init__("eventflow", timeout=10)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def _hook(name: str) -> tuple[str, bytes, dict[str, str]]:
    body, now = json.dumps({"name": name}).encode(), str(int(time.time()))
    signature = base64.b64encode(hmac.digest(KEY, f"{name}.{now}.".encode() + body, hashlib.sha256)).decode()
    headers = {"webhook-id": name, "webhook-timestamp": now, "webhook-signature": f"v1,{signature}", "content-type": "application/json"}
    return "/hooks/hook", body, headers


def _event(name: str) -> tuple[str, bytes, dict[str, str]]:
    event: dict[str, Any] = {"source": "byhand", "id": name, "type": "note", "data": {"name": name}}
    return "/api/events", json.dumps(event).encode(), {"content-type": "application/json"}


class Orders:
    """A SQLite database into which rows are written, some of them in transactions that take their time or are rolled back."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with sqlite3.connect(path) as made:
            made.execute("PRAGMA journal_mode = WAL")
            made.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT)")
        made.close()
        self._dice = random.Random(11)

    def write(self, name: str, about_to_commit: Callable[[str], None]) -> None:
        connection = sqlite3.connect(self._path, isolation_level=None, timeout=30)
        try:
            connection.execute("BEGIN IMMEDIATE")
            made = connection.execute("INSERT INTO orders (name) VALUES (?)", (name,)).lastrowid
            if self._dice.random() < 0.2:
                connection.execute("ROLLBACK")
                return
            time.sleep(self._dice.random() * 0.02)
            about_to_commit(str(made))
            connection.execute("COMMIT")
        finally:
            connection.close()


class Feed:
    """An HTTP server on loopback with a list that grows at its head."""

    def __init__(self) -> None:
        items: deque[dict[str, str]] = deque(maxlen=NEWEST)

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = json.dumps({"items": list(items)}).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                with suppress(OSError):  # whoever asked may have been killed
                    self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._items = items
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/"

    def add(self, name: str) -> None:
        self._items.appendleft({"id": name})

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
