"""Keeps what emnify has sent: as an event of an asset, or as a file; each thing once.

What has come is noted in Airflow's own audit log, in the transaction that makes the event. It is indexed by
the name of the entry, shared by all API servers, outlives them, and ``airflow db clean`` clears it; the
parts of a long SMS wait there for each other. An asset's row is locked meanwhile, so that two servers that
get the same thing at once make one event of it.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import TYPE_CHECKING, Any

from airflow_provider_emnify.api.resources.sms import may_be_parts_of_one
from airflow_provider_emnify.api.secrets.one_line_log import one_line_log
from airflow_provider_emnify.api.types import Row
from airflow_provider_emnify.assets import asset_uri

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from airflow_provider_emnify.callbacks.messages import Message

log = one_line_log(__name__)

REMEMBERED = timedelta(days=1)
_MOST_ORGANISATIONS = 20
_FILE_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


class CannotKeepError(Exception):
    """There is no place for what came; the message says what to set."""


class Outcome(Enum):
    """What has become of a callback."""

    EVENT = "event"
    FILE = "file"
    PART = "part"
    REPEATED = "repeated"
    UNKNOWN = "unknown"


def keep(conn_id: str, message: Message, path: str | None) -> tuple[Outcome, str]:
    """Keep a message.

    :param conn_id: The connection that it came for.
    :param message: The message.
    :param path: Directory for files; None: there is none.
    :returns: What has become of it, and where: the asset, or the file.
    :raises CannotKeepError: for bulk records, when there is no directory for files.
    """
    from airflow.utils.session import create_session

    now = datetime.now(UTC)
    about: Row = {"connection": conn_id, "received_at": now.isoformat()}
    with create_session(scoped=False) as session:
        if _noted(session, _key(conn_id, message), now):
            return Outcome.REPEATED, ""
    if message.records:
        name = _put(path, conn_id, message, now, message.records)
        message = replace(message, body={**message.body, "path": name})
    organisations: list[int | str] = [conn_id, *message.organisations[:_MOST_ORGANISATIONS]]
    uris = [asset_uri(message.kind, one) for one in organisations]
    with create_session(scoped=False) as session:
        assets = _known_assets(session, uris)
        if assets:
            _lock(session, assets)
            outcome = _record(session, conn_id, message, assets, about, now)
            return outcome, uris[0]
    if message.records:
        return Outcome.FILE, str(message.body["path"])
    if path is None:
        return Outcome.UNKNOWN, uris[0]
    return Outcome.FILE, _put(path, conn_id, message, now, [{**message.body, **about}])


def _put(path: str | None, conn_id: str, message: Message, now: datetime, records: Sequence[Any]) -> str:
    """Write JSON lines, whole or not at all, under a name that is the same when they come again."""
    from airflow_provider_emnify.transfers.sinks.object_store import local_directory, open_store

    if path is None:
        raise CannotKeepError("bulk records need a directory: set callbacks_path in [emnify]")
    store = open_store(path, None)
    stem = message.id if _FILE_NAME.fullmatch(message.id) else _digest(message.id)
    name = f"{conn_id}/{message.kind}/{now:%Y-%m-%d}/{stem}.jsonl"
    with local_directory() as directory:
        written = directory / "records"
        written.write_text("".join(json.dumps(one) + "\n" for one in records))
        store.put(written, name)
    return f"{store.uri.rstrip('/')}/{name}"


def _record(
    session: Session, conn_id: str, message: Message, assets: Sequence[Any], about: Row, now: datetime
) -> Outcome:
    """Make an event of a message, unless it was made, or is a part of something that is not whole."""
    from airflow.assets.manager import asset_manager

    key = _key(conn_id, message)
    if _noted(session, key, now):
        return Outcome.REPEATED
    _note(session, key, {"connection": conn_id, "id": message.id[:200]})
    body = message.body
    if message.part is not None:
        whole = _join(session, conn_id, message, now)
        if whole is None:
            return Outcome.PART
        body = whole
    for asset in assets:
        asset_manager.register_asset_change(asset=asset, extra={**body, **about}, session=session)
    return Outcome.EVENT


def _join(session: Session, conn_id: str, message: Message, now: datetime) -> Row | None:
    """Return the whole of a long SMS; None while parts are missing, of which the others are noted."""
    part, body = message.part, message.body
    assert part is not None  # noqa: S101 - for the type checker
    of = (body["endpoint"]["id"], body.get("source_address"), body.get("dest_address"))
    key = f"emnify part {_digest(conn_id, *of, *part.text)}"
    this = {name: body.get(name) for name in ("id", "text", "submit_date")} | {"number": part.number}
    noted = [(entry, json.loads(entry.extra)) for entry in _noted(session, key, now)]
    others = [(entry, one) for entry, one in noted if may_be_parts_of_one(one, this)]
    held = {one["number"]: one for one in (*(one for _, one in others), this)}
    if len(held) < part.total:
        _note(session, key, this)
        return None
    for entry, _ in others:
        session.delete(entry)
    parts = [held[number] for number in range(1, part.total + 1)]
    whole = {**body, "text": "".join(one["text"] for one in parts), "ids": [one["id"] for one in parts]}
    whole.pop("udh")
    return whole


def _known_assets(session: Session, uris: Iterable[str]) -> list[Any]:
    """Return the assets that a DAG knows, in an order that is the same for everybody who locks them."""
    from airflow.models.asset import AssetActive, AssetModel
    from sqlalchemy import and_, select

    active = and_(AssetActive.name == AssetModel.name, AssetActive.uri == AssetModel.uri)
    query = select(AssetModel).join(AssetActive, active).where(AssetModel.uri.in_(list(uris)))
    return list(session.scalars(query.order_by(AssetModel.id)))


def _lock(session: Session, assets: Sequence[Any]) -> None:
    """Wait for others who write to these assets. An update does it on every database, SQLite included."""
    from airflow.models.asset import AssetModel
    from sqlalchemy import update

    for asset in assets:
        nothing = {"updated_at": AssetModel.updated_at}
        session.execute(
            update(AssetModel).where(AssetModel.id == asset.id).values(nothing),
            execution_options={"synchronize_session": False},
        )


def _noted(session: Session, key: str, now: datetime) -> list[Any]:
    from airflow.models.log import Log
    from sqlalchemy import select

    query = select(Log).where(Log.event == key, Log.dttm > now - REMEMBERED).order_by(Log.id)
    return list(session.scalars(query))


def _note(session: Session, key: str, extra: Row) -> None:
    from airflow.models.log import Log

    session.add(Log(event=key, owner="emnify", extra=json.dumps(extra)))


def _key(conn_id: str, message: Message) -> str:
    return f"emnify {message.kind} {_digest(conn_id, message.id)}"


def _digest(*values: object) -> str:
    return hashlib.sha256(json.dumps([str(one) for one in values]).encode()).hexdigest()[:32]
