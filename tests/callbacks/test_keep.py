"""What becomes of what came: each thing one event, long SMS whole, bulk records as files."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
import time_machine
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_emnify.api.sms_text import parse_udh, split_text
from airflow_provider_emnify.callbacks.keep import Outcome, keep
from airflow_provider_emnify.callbacks.messages import (
    NotEmnifyError,
    parse_receipt,
    parse_records,
    parse_sms,
    verify_jwt,
)
from tests.callbacks.conftest import SECRET, Door, event, kept, signed, sms, usage

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.airflow
known = pytest.mark.usefixtures("known_assets")


def parts(text: str, first: int = 1, reference: int = 0xCC, **more: Any) -> list[dict[str, Any]]:
    """The SMS that carry a long text."""
    return [
        sms(number, part.payload, udh=part.udh, dcs=part.dcs, **more)
        for number, part in enumerate(split_text(text, reference), first)
    ]


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


@known
def test_the_same_sms_makes_one_event_however_often_and_in_whatever_form_it_comes(door: Door) -> None:
    assert door.sms(sms(7)).body == {"outcome": "event"}
    for body in (sms(7), {**sms(7), "id": "7"}):
        again = door.sms(body)
        assert (again.status, again.body) == (200, {"outcome": "repeated"})
    assert len(kept()) == 1
    assert door.sms(sms(8)).body == {"outcome": "event"}


@known
def test_an_id_is_forgotten_after_a_day(door: Door) -> None:
    now = datetime.now(UTC)
    door.sms(sms())
    with time_machine.travel(now + timedelta(hours=23)):
        assert door.sms(sms()).body == {"outcome": "repeated"}
    with time_machine.travel(now + timedelta(hours=25)):
        assert door.sms(sms()).body == {"outcome": "event"}


@known
def test_what_was_kept_is_known_to_another_server(open_door: Callable[..., Door]) -> None:
    assert open_door().sms(sms()).body == {"outcome": "event"}
    assert open_door().sms(sms()).body == {"outcome": "repeated"}


@known
def test_two_servers_that_get_the_same_at_once_make_one_event() -> None:
    message, outcomes, begin = parse_sms(json.dumps(sms()).encode()), [], threading.Barrier(4)

    def keep_it() -> None:
        begin.wait()
        outcomes.append(keep("emnify_default", message, None)[0])

    threads = [threading.Thread(target=keep_it) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcome.value for outcome in outcomes) == ["event", "repeated", "repeated", "repeated"]
    assert len(kept()) == 1


@known
def test_a_receipt_is_an_event_of_its_own_for_each_status(door: Door) -> None:
    buffered = {**sms(), "status": {"id": 3, "description": "Buffered"}}
    delivered = {
        **sms(),
        "status": {"id": 4, "description": "Delivered"},
        "delivery_date": "2026-11-30T12:00:05.000+0000",
    }
    for body in (buffered, delivered, delivered):
        assert door.sms(body, method="PATCH").status == 200
    assert [extra["status"]["id"] for extra in kept("sms-receipts")] == [3, 4]
    assert kept("sms-receipts")[1]["delivery_date"] == "2026-11-30T12:00:05.000+0000"
    assert kept() == []


@known
@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (2, 1, 0)])
def test_a_long_sms_is_one_event_with_its_text_once_all_parts_are_there(
    open_door: Callable[..., Door], order: tuple[int, ...]
) -> None:
    text = "0123456789" * 40
    bodies = parts(text)
    outcomes = [open_door().sms(bodies[place]).body["outcome"] for place in order for _ in range(2)]
    assert outcomes == ["part", "repeated", "part", "repeated", "event", "repeated"]
    (extra,) = kept()
    assert extra["text"] == text
    assert extra["ids"] == [1, 2, 3]
    assert "udh" not in extra


@known
def test_parts_of_other_devices_and_texts_are_not_mixed(door: Door) -> None:
    long, short = "a" * 200, "b" * 200
    other = {"endpoint": {"id": 1000002, "name": "Other"}}
    door.sms(parts(long)[0])
    door.sms(parts(short, 11, **other)[0])
    door.sms(parts(short, 21, reference=0xCD)[1])
    assert kept() == []
    door.sms(parts(short, 11, **other)[1])
    door.sms(parts(long)[1])
    assert [extra["text"] for extra in kept()] == [short, long]


@known
def test_a_reference_may_be_used_again_once_its_sms_is_whole(door: Door) -> None:
    for number, letter in enumerate("ab"):
        for body in parts(letter * 200, 1 + 10 * number):
            door.sms(body)
    assert [extra["text"] for extra in kept()] == ["a" * 200, "b" * 200]


@known
def test_what_is_left_of_an_earlier_text_is_no_part_of_the_next_one_with_its_reference(door: Door) -> None:
    late = {"submit_date": "2026-11-30T11:00:00.000+0000"}
    old, new = parts("a" * 200, **late), parts("b" * 200, 11)
    for body in (old[1], *new, old[0]):
        door.sms(body)
    assert [extra["text"] for extra in kept()] == ["b" * 200, "a" * 200]


@known
def test_references_of_one_octet_and_of_two_are_counted_apart(door: Door) -> None:
    wide = [{**body, "udh": f"06080400CC020{place}"} for place, body in enumerate(parts("w" * 200, 11), 1)]
    for body in (wide[1], *parts("n" * 200), wide[0]):
        door.sms(body)
    assert [extra["text"] for extra in kept()] == ["n" * 200, "w" * 200]


@pytest.mark.parametrize(
    ("header", "part"),
    [
        ("050003CC0201", (0xCC, 2, 1)),
        ("060804ABCD0302", (0xABCD, 3, 2)),
        ("0a05040b8423f0" + "0003010202", (1, 2, 2)),
        ("050003CC0101", None),
        ("050003CC0200", None),
        ("050003CC0203", None),
        ("050003CC02", None),
        ("0500", None),
        ("", None),
        ("no hex", None),
        (None, None),
        (7, None),
        ("ff" * 300, None),
    ],
)
def test_a_header_says_which_part_it_is(header: Any, part: tuple[int, ...] | None) -> None:
    found = parse_udh(header)
    assert (found and (found.reference, found.total, found.number)) == part


@known
def test_an_asset_of_the_organisation_gets_its_event_too(door: Door) -> None:
    from airflow.models.asset import AssetActive, AssetModel
    from airflow.utils.session import create_session

    with create_session() as session:
        session.add(AssetModel(name="texts", uri="emnify://100/sms"))
        session.flush()
        session.add(AssetActive(name="texts", uri="emnify://100/sms"))
    door.sms(sms())
    door.sms(sms())
    assert len(kept()) == len(kept(organisation="100")) == 1


@known
def test_bulk_records_are_one_file_and_one_event(door_with_files: Door, tmp_path: Path) -> None:
    records = [event(number) for number in range(1, 4)]
    for _ in range(2):
        assert door_with_files.stream(records).status == 200
    (extra,) = kept("events")
    assert (extra["kind"], extra["count"]) == ("events", 3)
    (path,) = files(tmp_path)
    assert extra["path"].endswith(str(path))
    assert [json.loads(line)["id"] for line in path.read_text().splitlines()] == [1, 2, 3]
    assert door_with_files.stream([usage()]).status == 200
    assert kept("usage")[0]["kind"] == "usage"


@known
def test_lists_of_records_without_ids_are_told_apart_by_what_they_say(door_with_files: Door) -> None:
    for text in ("one", "another", "one"):
        door_with_files.stream([{**event(), "id": None, "description": text}])
    assert len({extra["path"] for extra in kept("events")}) == len(kept("events")) == 2


@known
def test_a_list_that_comes_again_on_the_next_day_makes_no_second_file(
    door_with_files: Door, tmp_path: Path
) -> None:
    before_midnight = datetime.now(UTC).replace(hour=23, minute=59)
    with time_machine.travel(before_midnight):
        assert door_with_files.stream([event(1), event(2)]).body == {"outcome": "event"}
    with time_machine.travel(before_midnight + timedelta(minutes=5)):
        assert door_with_files.stream([event(2), event(1)]).body == {"outcome": "repeated"}
    assert len(files(tmp_path)) == 1


@known
def test_bulk_files_are_what_the_transfers_load(door_with_files: Door, tmp_path: Path) -> None:
    from airflow_provider_emnify.api.data_streamer.files import RECORD_KINDS, Rejected, read_records

    assert door_with_files.stream([usage(1), "no record", usage(2)]).status == 200
    with files(tmp_path)[0].open("rb") as file:
        found = list(read_records(file, RECORD_KINDS["usage"]))
    assert [isinstance(one, Rejected) for one in found] == [False, True, False]
    assert found[0]["volume"] == 1.5  # type: ignore[index]


@known
def test_an_empty_list_is_nothing(door: Door) -> None:
    assert door.stream([]).status == 200
    assert kept("events") == []


@known
def test_bulk_records_without_a_directory_are_not_accepted(door: Door) -> None:
    answer = door.stream([event()])
    assert answer.status == 503
    assert "callbacks_path" in answer.body["detail"]
    assert kept("events") == []


def test_what_no_dag_waits_for_is_a_file_where_there_is_a_directory(
    door_with_files: Door, tmp_path: Path
) -> None:
    for _ in range(2):
        assert door_with_files.sms(sms()).body == {"outcome": "file"}
    (path,) = files(tmp_path)
    assert path.parts[-4:-2] == ("emnify_default", "sms")
    (line,) = path.read_text().splitlines()
    assert json.loads(line)["text"] == "BATTERY 12"
    assert door_with_files.stream([event()]).body == {"outcome": "file"}


def test_what_no_dag_waits_for_is_a_202_that_is_said_once_an_hour(
    door: Door, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(3):
        answer = door.sms(sms(number))
        assert (answer.status, answer.body) == (202, {"outcome": "unknown"})
    assert caplog.text.count("No DAG knows the asset emnify://emnify_default/sms") == 1


def test_an_id_that_is_no_file_name_stays_in_the_directory(door_with_files: Door, tmp_path: Path) -> None:
    status = "../../../" + "x" * 300
    assert door_with_files.sms({**sms(), "status": status}, method="PATCH").status == 200
    (path,) = files(tmp_path)
    assert path.is_relative_to(tmp_path / "kept" / "emnify_default" / "sms-receipts")


@known
def test_characters_that_no_database_takes_are_replaced(door: Door) -> None:
    body = json.dumps(sms(text="a\x00b\ud800c")).encode()
    assert door.sms(body).status == 200
    assert kept()[0]["text"] == "a\ufffdb\ufffdc"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)
NAMES = "id endpoint organisation payload udh dcs status timestamp event_type volume"
LIKELY = st.fixed_dictionaries(
    {},
    optional={
        name: JSON | st.sampled_from([1, "1", {"id": 1}, {"id": "x"}, "050003CC0201"])
        for name in NAMES.split()
    },
)


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(
    body=st.binary(max_size=100)
    | (JSON | LIKELY | st.lists(LIKELY, max_size=3)).map(lambda value: json.dumps(value).encode())
)
def test_whatever_comes_is_a_message_that_can_be_kept_or_is_refused_with_a_reason(body: bytes) -> None:
    reasons = []
    for parse in (parse_sms, parse_receipt, parse_records):
        try:
            message = parse(body)
        except NotEmnifyError as error:
            reasons.append(str(error))
            continue
        if message is not None:
            text = json.dumps([message.body, message.records], allow_nan=False)
            assert "\\u0000" not in text
            assert len(message.id) < 1000 or message.records
    assert all(reasons)


@settings(max_examples=300)
@given(
    header=st.text(max_size=80)
    | st.tuples(st.sampled_from(["Bearer ", "bearer  ", ""]), st.text("aA0.-_=", max_size=60)).map("".join)
)
def test_no_header_but_a_signed_one_is_valid(header: str) -> None:
    assert not verify_jwt(header, [SECRET])
    assert verify_jwt(f"Bearer {signed()}", ["x" * 64, SECRET])


def test_every_secret_is_tried_whichever_is_right(monkeypatch: pytest.MonkeyPatch) -> None:
    import jwt

    tried: list[str] = []
    decode = jwt.decode

    def noted(token: str, key: str, **options: Any) -> Any:
        tried.append(key)
        return decode(token, key, **options)

    monkeypatch.setattr(jwt, "decode", noted)
    others = ["a" * 64, "b" * 64]
    assert verify_jwt(f"Bearer {signed()}", [SECRET, *others])
    assert tried == [SECRET, *others]


@known
def test_the_outcomes_are_counted(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow_provider_emnify.callbacks import app

    counted: list[str] = []
    monkeypatch.setattr(app.ServerStats, "incr", lambda name, **_: counted.append(name))
    door.sms(sms())
    door.sms(sms())
    door.sms(b"{")
    door.stream(event(), secret="guessed")
    assert [name for name in counted if name.startswith("emnify.")] == [
        "emnify.callbacks.sms.event",
        "emnify.callbacks.sms.repeated",
        "emnify.callbacks.400",
        "emnify.callbacks.401",
    ]
    assert Outcome("event") is Outcome.EVENT
