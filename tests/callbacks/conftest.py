"""The app of the callbacks over a real metadata database, with assets that a DAG knows."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import jwt
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

if find_spec("airflow.sdk") is None:
    collect_ignore_glob = ["test_app*.py", "test_keep*.py"]

SECRET = "an API secret that is long enough for every algorithm: SHA-512 wants sixty-four octets"
OTHER = "another API secret, as long as the first one is, of the time before it was rotated away"
STREAM_SECRET = "part-of-the-path"
KINDS = ("sms", "sms-receipts", "events", "usage")


@pytest.fixture(scope="session")
def metadata_database() -> None:
    """A database of this process, in its throwaway home of Airflow."""
    from airflow.utils.db import initdb

    initdb()


@pytest.fixture
def assets_of_other_tests(metadata_database: None) -> Iterator[None]:
    """Nothing is known, and nothing has come: an example DAG of another test can have made assets known."""
    from airflow.models.asset import AssetActive, AssetEvent
    from airflow.models.log import Log
    from airflow.utils.session import create_session
    from sqlalchemy import delete, select

    def clear() -> None:
        with create_session() as session:
            for table in (AssetEvent, AssetActive, Log):
                session.execute(delete(table))

    with create_session() as session:
        known = [(asset.name, asset.uri) for asset in session.scalars(select(AssetActive))]
    clear()
    yield
    clear()
    with create_session() as session:
        session.add_all(AssetActive(name=name, uri=uri) for name, uri in known)


@pytest.fixture
def known_assets(assets_of_other_tests: None) -> Iterator[None]:
    """Assets as a DAG makes them known: those of connection ``emnify_default``."""
    from airflow.models.asset import AssetActive, AssetModel
    from airflow.utils.session import create_session
    from sqlalchemy import delete, select

    made = []
    with create_session() as session:
        for uri in (f"emnify://emnify_default/{kind}" for kind in KINDS):
            if session.scalar(select(AssetModel).where(AssetModel.uri == uri)) is None:
                session.add(AssetModel(name=uri, uri=uri))
                session.flush()
                made.append(uri)
            session.add(AssetActive(name=uri, uri=uri))
    yield
    with create_session() as session:
        for table in (AssetActive, AssetModel):
            session.execute(delete(table).where(table.uri.in_(made)))


@dataclass
class Answer:
    status: int
    body: Any
    headers: dict[str, str]


@dataclass
class Door:
    """An app, called as a server of ASGI calls it."""

    app: Any
    sent: list[Any] = field(default_factory=list)
    scope: dict[str, Any] = field(default_factory=dict)

    def send(
        self,
        method: str,
        path: str,
        body: Any = b"",
        *,
        token: str | None = None,
        headers: dict[str, str] | None = None,
        chunk: int = 1 << 16,
    ) -> Answer:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        told = {"content-length": str(len(content)), **(headers or {})}
        if token is not None:
            told["authorization"] = f"Bearer {token}"
        return asyncio.run(self._send(method, path, content, told, chunk))

    async def _send(
        self, method: str, path: str, content: bytes, headers: dict[str, str], chunk: int
    ) -> Answer:
        pieces = [content[at : at + chunk] for at in range(0, len(content), chunk)] or [b""]
        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "root_path": "",
            "http_version": "1.1",
            "scheme": "http",
            "headers": [
                (name.lower().encode("latin-1"), value.encode("latin-1", "replace"))
                for name, value in headers.items()
            ],
        }
        answer = Answer(0, None, {})
        self.scope = scope
        taken = bytearray()

        async def receive() -> dict[str, Any]:
            self.sent.append(len(pieces))
            return {"type": "http.request", "body": pieces.pop(0), "more_body": bool(pieces)}

        async def send(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                answer.status = message["status"]
                answer.headers = {name.decode(): value.decode() for name, value in message["headers"]}
            else:
                taken.extend(message.get("body", b""))

        await self.app(scope, receive, send)
        answer.body = json.loads(taken) if answer.headers.get("content-type") == "application/json" else taken
        return answer

    def sms(self, body: Any, *, token: str | None = None, method: str = "POST", **more: Any) -> Answer:
        return self.send(method, "/emnify_default/sms", body, token=token or signed(), **more)

    def stream(self, body: Any, secret: str = STREAM_SECRET, **more: Any) -> Answer:
        return self.send("POST", f"/emnify_default/stream/{secret}", body, **more)


@pytest.fixture
def connection(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Set the extra of the connection ``emnify_default``."""

    def put(**extra: Any) -> None:
        value = {"conn_type": "emnify", "password": "a token", "extra": extra}
        monkeypatch.setenv("AIRFLOW_CONN_EMNIFY_DEFAULT", json.dumps(value))

    put(api_secret=SECRET, stream_secret=STREAM_SECRET)
    return put


@pytest.fixture
def open_door(connection: Callable[..., None], assets_of_other_tests: None) -> Callable[..., Door]:
    """Make an app; the arguments are those of its settings."""
    from airflow_provider_emnify.callbacks.app import build_app
    from airflow_provider_emnify.callbacks.settings import CallbackSettings

    def make(**settings: Any) -> Door:
        return Door(build_app(CallbackSettings(frozenset({"emnify_default"}), **settings)))

    return make


@pytest.fixture
def door(open_door: Callable[..., Door]) -> Door:
    return open_door()


@pytest.fixture
def door_with_files(open_door: Callable[..., Door], tmp_path: Path) -> Door:
    return open_door(path=str(tmp_path / "kept"))


def signed(secret: str = SECRET, algorithm: str = "HS256", **claims: Any) -> str:
    """A JWT as emnify makes it."""
    return jwt.encode({"iat": int(time.time()), **claims}, secret, algorithm=algorithm)


def sms(number: int = 7, text: str = "BATTERY 12", **more: Any) -> dict[str, Any]:
    """An SMS as emnify sends it."""
    return {
        "id": number,
        "endpoint": {"id": 1000001, "name": "Pump"},
        "organisation": {"id": 100, "name": "Sandbox"},
        "source_address": "8823912345678",
        "dest_address": "12345",
        "payload": text,
        "dcs": 0,
        "pid": 0,
        "submit_date": "2026-11-30T12:00:00.000+0000",
        **more,
    }


def event(number: int = 1, **more: Any) -> dict[str, Any]:
    """An event as the Data Streamer sends it."""
    return {
        "id": number,
        "timestamp": "2026-11-30T12:00:00.000Z",
        "alert": False,
        "description": "PDP Context created",
        "event_type": {"id": 3, "description": "Create PDP Context"},
        "event_source": {"id": 0, "description": "Network"},
        "event_severity": {"id": 0, "description": "INFO"},
        "organisation": {"id": 100, "name": "Sandbox"},
        "endpoint": {"id": 1000001, "name": "Pump"},
        **more,
    }


def usage(number: int = 1) -> dict[str, Any]:
    """A usage record as the Data Streamer sends it."""
    return {
        "id": number,
        "start_timestamp": "2026-11-30T12:00:00.000Z",
        "end_timestamp": "2026-11-30T12:05:00.000Z",
        "traffic_type": {"id": 5, "description": "Data"},
        "volume": {"total": 1.5, "rx": 0.5, "tx": 1.0},
        "organisation": {"id": 100},
    }


def kept(kind: str = "sms", organisation: str = "emnify_default") -> list[dict[str, Any]]:
    """The extras of the events of an asset, in order."""
    from airflow.models.asset import AssetEvent, AssetModel
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        rows = session.scalars(
            select(AssetEvent)
            .join(AssetModel, AssetModel.id == AssetEvent.asset_id)
            .where(AssetModel.uri == f"emnify://{organisation}/{kind}")
            .order_by(AssetEvent.id)
        )
        return [dict(row.extra) for row in rows]
