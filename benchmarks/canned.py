"""An emnify whose pages are made beforehand, so that a benchmark measures who reads them.

    python benchmarks/canned.py READY_FILE ROWS

serves ROWS SIMs, endpoints and events as the sandbox writes them, with their own ids, numbers and dates, and
a year of daily usage of any endpoint. READY_FILE gets its URL. It runs in a process of its own.
"""

from __future__ import annotations

import json
import re
import sys
import time
from datetime import UTC, date, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
PAGES = {"sim": 2_500, "endpoint": 1_000, "event": 1_000}
FIRST = 2_000_001
DAYS = 365


def rows_of(text: str, number: str) -> str:
    """Return a row with places for another id, and other minutes and seconds, where its own are."""
    text = text.replace("%", "%%").replace(number, "%(id)07d")
    lately = f"{datetime.now(UTC) - timedelta(hours=12):%Y-%m-%dT%H}"
    text = re.sub(r'("timestamp":")[\d-]+T\d\d', rf"\g<1>{lately}", text)
    return re.sub(r"T(\d\d):\d\d:\d\d\.\d{3}", r"T\1:%(minute)02d:%(second)02d.%(rest)03d", text)


def templates() -> dict[str, str]:
    """Return a page of each list with places for its numbers."""
    from airflow_provider_emnify.api import Credentials, EmnifyClient, Limits
    from airflow_provider_emnify.sandbox import Sandbox

    with Sandbox(1, spare_sims=0, events=1, limits=False) as sandbox:
        credentials = Credentials(application_token=sandbox.application_token)
        with EmnifyClient(credentials, base_url=sandbox.url, limits=Limits("memory")) as client:
            lists = {"sim": client.sims, "endpoint": client.endpoints, "event": client.events}
            return {
                name: rows_of(
                    json.dumps(row := next(iter(found.list())), separators=(",", ":")), str(row["id"])
                )
                for name, found in lists.items()
            }


def usage(first: date) -> bytes:
    """Return the daily usage of an endpoint."""

    def part(unit: str, volume: float) -> dict[str, Any]:
        kind = {"id": 5, "description": unit, "unit": unit}
        currency = {"id": 1, "code": "EUR", "symbol": "\u20ac"}
        volumes = {"volume": volume, "volume_rx": volume * 0.75, "volume_tx": volume * 0.25, "cost": 0.0}
        return {**volumes, "currency": currency, "traffic_type": kind}

    days = range(DAYS)
    return json.dumps(
        [
            {
                "date": str(first + timedelta(days=day)),
                "data": part("MB", 4.183876 + day),
                "sms": part("SMS", 4.0),
            }
            for day in days
        ]
    ).encode()


class Canned:
    """The pages, made when they are asked for the first time: the bench's own work is not measured.

    :param rows: How many SIMs, endpoints and events there are.
    """

    def __init__(self, rows: int) -> None:
        self.rows, self._templates = rows, templates()

    def page(self, name: str, number: int) -> tuple[bytes, dict[str, str]]:
        """Return a page and its headers; the last one for a number beyond it."""
        size = PAGES[name]
        pages = -(-self.rows // size)
        number = min(number, pages)
        template = self._templates[name]
        ids = range((number - 1) * size, min(number * size, self.rows))
        rows = (
            template % {"id": FIRST + n, "minute": n // 60 % 60, "second": n % 60, "rest": n % 1000}
            for n in ids
        )
        counts = (number, pages, self.rows, size)
        names = ("X-Current-Page", "X-Total-Pages", "X-Total-Count", "X-Count-Per-Page")
        return f"[{','.join(rows)}]".encode(), dict(zip(names, map(str, counts), strict=True))


def token() -> bytes:
    """Return an answer to an authentication."""
    import jwt

    now = int(time.time())
    claims = {"iat": now, "exp": now + 24 * 3600, "esc.organisation": 100}
    return json.dumps({"auth_token": jwt.encode(claims, "canned" * 8)}).encode()


def serve(canned: Canned) -> ThreadingHTTPServer:
    """Return the server, which is not running yet."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.answer(token(), {})

        def do_GET(self) -> None:
            target = urlsplit(self.path)
            query = {name: values[-1] for name, values in parse_qs(target.query).items()}
            name = target.path.rsplit("/", 1)[-1]
            if name in PAGES:
                self.answer(*canned.page(name, int(query.get("page", 1))))
            else:
                self.answer(usage(date.fromisoformat(query["start_date"])), {})

        def answer(self, body: bytes, headers: dict[str, str]) -> None:
            self.send_response(200)
            for name, value in {"Content-Type": "application/json", **headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            self.wfile.flush()

        def log_message(self, *_: Any) -> None:
            pass

    return ThreadingHTTPServer(("127.0.0.1", 0), Handler)


def main(ready: str, rows: str) -> None:
    server = serve(Canned(int(rows)))
    path = Path(ready)
    path.with_suffix(".new").write_text("http://{}:{}".format(*server.server_address[:2]))
    path.with_suffix(".new").rename(path)
    server.serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
