"""One exchange: its bounds in size and time, what comes before an answer, TLS, forks, and its end."""

from __future__ import annotations

import contextlib
import gzip
import logging
import os
import socket
import threading
import time
import zlib
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_emnify.api import (
    EmnifyConnectionError,
    EmnifyError,
    EmnifyRateLimitError,
    EmnifyServerError,
    EmnifyUnknownOutcomeError,
)
from airflow_provider_emnify.api.transport import connections
from airflow_provider_emnify.api.transport.connections import LONGEST_CONNECT
from tests.api.support import OK, THING, TOKEN, Sleeps, http, make_client, raw_server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


USER = "/api/v1/user"


GARBLED = {
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nContent-Length: 8\r\n\r\n{}",
    "no status line": b"\x15\x03\x03\x00\x02\x02\x50",
    "a bad chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n",
    "a chunk that is cut": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n{}",
    "another protocol": b"HTTP/2.0 200 OK\r\n\r\n{}",
    "a status of letters": b"HTTP/1.1 abc OK\r\n\r\n",
    "a long header": b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000 + b"\r\n\r\n{}",
    "many headers": b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n{}",
    "damaged gzip": http("200 OK", "{}", Content_Encoding="gzip"),
    "cut gzip": b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Encoding: gzip\r\n\r\n"
    + gzip.compress(b'{"id": 7}')[:-9],
    "a switch of protocols": b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
    "never an answer": b"HTTP/1.1 103 Early Hints\r\n\r\n" * 500,
    "brotli": http("200 OK", "{}", Content_Encoding="br"),
    "packed twice": http("200 OK", "{}", Content_Encoding="gzip, gzip"),
}


@pytest.mark.parametrize("answer", GARBLED.values(), ids=GARBLED)
def test_an_answer_against_the_protocol_leaves_a_post_unknown_and_a_get_sent_again(answer: bytes) -> None:
    with raw_server(TOKEN, answer, OK) as (url, _), make_client(base_url=url) as client:
        assert client.request("GET", THING) == {"id": 7}
    with raw_server(TOKEN, answer) as (url, seen), make_client(base_url=url) as client:
        with pytest.raises(EmnifyUnknownOutcomeError):
            client.request("POST", USER, json={})
        assert len(seen) == 2


@pytest.mark.parametrize("location", ["http://[::1/", "http://a:b:c/", "//", "\x7f", "https://u:p@h/"])
def test_no_location_is_too_odd_for_a_redirect(location: str) -> None:
    answer = http("302 Found", Location=location)
    with (
        raw_server(TOKEN, answer) as (url, _),
        make_client(base_url=url) as client,
        pytest.raises(EmnifyError, match="redirect") as caught,
    ):
        client.request("GET", THING)
    assert "u:p" not in str(caught.value)


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("interim", [["103 Early Hints"], ["100 A", "102 B", "103 C", "199 D"]])
def test_what_comes_before_the_answer_is_not_the_answer(interim: list[str], method: str) -> None:
    before = b"".join(f"HTTP/1.1 {one}\r\nLink: </x>\r\n\r\n".encode() for one in interim)
    with raw_server(TOKEN, before + OK) as (url, seen), make_client(base_url=url) as client:
        assert client.request(method, THING) == {"id": 7}
        assert len(seen) == 2


def packed(body: bytes, coding: str) -> bytes:
    head = f"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {len(body)}\r\n"
    return head.encode() + (f"Content-Encoding: {coding}\r\n" if coding else "").encode() + b"\r\n" + body


def raw_deflate(text: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(text) + packer.flush()


PACKINGS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "plain": ("", bytes),
    "gzip": ("gzip", gzip.compress),
    "two members": ("x-gzip", lambda text: gzip.compress(text[:5]) + gzip.compress(text[5:])),
    "deflate": ("deflate", zlib.compress),
    "raw deflate": ("deflate", raw_deflate),
    "unknown": ("utf-8", bytes),
}


@pytest.mark.parametrize("packing", PACKINGS)
def test_a_packed_answer_is_unpacked_up_to_the_bound(packing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "MOST_BYTES", 1024 * 1024)
    coding, pack = PACKINGS[packing]
    text = b'{"x": "' + b"0" * 1_000_000 + b'"}'
    with raw_server(TOKEN, packed(pack(text), coding)) as (url, _), make_client(base_url=url) as client:
        assert len(client.request("GET", THING)["x"]) == 1_000_000
    larger = packed(pack(b" " * 50_000_000), coding)
    with serving(answering(lambda connection: connection.sendall(larger))) as port:
        client = make_client(base_url=f"http://127.0.0.1:{port}", max_retries=0)
        with pytest.raises(EmnifyServerError, match="larger than 1 MiB"):
            client.request("GET", THING)
        with pytest.raises(EmnifyUnknownOutcomeError, match="larger than 1 MiB"):
            client.request("POST", USER, json={})
        client.close()


def received(connection: socket.socket) -> bytes:
    """Return a whole request."""
    data = b""
    while b"\r\n\r\n" not in data or (b"Content-Type" in data and not data.endswith(b"}")):
        if not (more := connection.recv(65536)):
            break
        data += more
    return data


@contextlib.contextmanager
def serving(serve: Callable[[socket.socket], None]) -> Iterator[int]:
    """Do this with each connection, in a thread of its own; gives the port."""
    listener = socket.create_server(("127.0.0.1", 0))
    threads: list[threading.Thread] = []

    def one(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            serve(connection)

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threads.append(threading.Thread(target=one, args=(connection,)))
            threads[-1].start()

    thread = threading.Thread(target=accept)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for each in [thread, *threads]:
            each.join()


def answering(then: Callable[[socket.socket], None]) -> Callable[[socket.socket], None]:
    """Give a token, and do this with any other request."""

    def serve(connection: socket.socket) -> None:
        if b"/authenticate" in received(connection):
            connection.sendall(TOKEN)
        else:
            then(connection)

    return serve


@pytest.mark.parametrize("part", ["headers", "body", "interim"])
def test_an_answer_that_drips_ends_at_five_times_the_timeout(part: str) -> None:
    def drip(connection: socket.socket) -> None:
        start = {
            "headers": b"HTTP/1.1 200 OK\r\nX: ",
            "body": b"HTTP/1.1 200 OK\r\nContent-Length: 900000\r\n\r\n",
            "interim": b"HTTP/1.1 103 A\r\nX: ",
        }
        connection.sendall(start[part])
        while True:
            connection.sendall(b"x")
            time.sleep(0.01)

    with serving(answering(drip)) as port:
        client = make_client(base_url=f"http://127.0.0.1:{port}", timeout=0.1, max_retries=0)
        began = time.monotonic()
        with pytest.raises(EmnifyConnectionError, match=r"in whole within 0\.5 s"):
            client.request("GET", THING)
        assert time.monotonic() - began > 0.4
        client.close()


def test_closing_ends_a_request_that_hangs_and_nothing_is_sent_after_it() -> None:
    hangs, over = threading.Event(), threading.Event()

    def hang(connection: socket.socket) -> None:
        del connection
        hangs.set()
        over.wait(30)

    with serving(answering(hang)) as port:
        client = make_client(base_url=f"http://127.0.0.1:{port}", timeout=60)
        errors: list[BaseException] = []

        def ask() -> None:
            try:
                client.request("GET", THING)
            except EmnifyError as error:
                errors.append(error)

        thread = threading.Thread(target=ask)
        thread.start()
        assert hangs.wait(20)
        client.abort()
        thread.join(20)
        assert not thread.is_alive()  # and the server hangs still
        over.set()
        assert [str(error) for error in errors] == [f"GET {THING}: the client was closed"]
        with pytest.raises(EmnifyConnectionError, match="closed"):
            client.request("GET", THING)
        client.close()


def test_closing_a_client_that_connects_ends_it_within_ten_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    connects, over = threading.Event(), threading.Event()
    timeouts: list[Any] = []

    def connect(address: Any, timeout: Any = None, *_: Any, **__: Any) -> Any:
        """Reach nobody, until the time is over that was given for it."""
        timeouts.append(timeout)
        connects.set()
        assert over.wait(20)
        raise TimeoutError("timed out")

    monkeypatch.setattr("urllib3.util.connection.create_connection", connect)
    client = make_client(base_url="http://127.0.0.1:9", timeout=300)
    errors: list[str] = []

    def ask() -> None:
        try:
            client.request("GET", THING)
        except EmnifyError as error:
            errors.append(str(error))

    thread = threading.Thread(target=ask)
    thread.start()
    assert connects.wait(20)
    client.close()  # which waits for nothing
    over.set()  # ten seconds later
    thread.join(20)
    assert timeouts == [LONGEST_CONNECT]
    assert LONGEST_CONNECT <= 10
    assert errors == ["POST /api/v1/authenticate: the client was closed"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_child_process_has_connections_and_locks_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    locks: list[threading.Lock] = []
    real = threading.Lock

    def make_lock() -> threading.Lock:
        locks.append(real())
        return locks[-1]

    asked: list[tuple[int, bytes]] = []

    def serve(connection: socket.socket) -> None:
        while request := received(connection):
            asked.append((connection.getpeername()[1], request.split(b"\r\n")[0]))
            body = TOKEN.partition(b"\r\n\r\n")[2] if b"/authenticate" in request else b'{"id": 7}'
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

    with serving(serve) as port:
        with monkeypatch.context() as patch:
            patch.setattr(threading, "Lock", make_lock)
            client = make_client(base_url=f"http://127.0.0.1:{port}")
        assert len(locks) >= 3  # of the tokens, the counters and the limits
        client.request("GET", THING)
        for lock in locks:  # as when another thread is in the middle of something
            lock.acquire()
        child = os.fork()
        if child == 0:
            ok = client.request("GET", "/api/v1/child") == {"id": 7}
            client.transport.tokens.renew(client.transport.tokens.held)
            client.close()
            os._exit(0 if ok else 1)
        for lock in locks:
            lock.release()
        assert os.waitpid(child, 0)[1] == 0
        client.request("GET", "/api/v1/parent")
        client.close()
    ports = {line.split()[1]: port for port, line in asked}
    assert ports[b"/api/v1/child"] != ports[THING.encode()] == ports[b"/api/v1/parent"]


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"])
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_nothing_for_this_machine_goes_through_a_proxy(
    name: str, host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for other in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(other, raising=False)
    with raw_server(OK) as (proxy, stolen), raw_server(TOKEN, OK) as (url, _):
        monkeypatch.setenv(name, proxy)
        with make_client(base_url=url.replace("127.0.0.1", host)) as client:
            assert client.request("GET", THING) == {"id": 7}
        assert not stolen


def test_each_retry_is_a_line_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    late = http("429 Slow", Retry_After="17")
    answers = (TOKEN, late, http("503 No\x1b[31m"), None, OK)
    with raw_server(*answers) as (url, _), make_client(base_url=url) as client:
        client.request("GET", THING)
    lines = [record.getMessage() for record in caplog.records if "sending it again" in record.getMessage()]
    assert len(lines) == 3
    for number, (line, why) in enumerate(zip(lines, ("429", "503", "broke"), strict=True)):
        assert line.startswith(f"GET {THING}")
        assert why in line
        assert line.endswith(f"(try {number + 2} of 6)")
    assert "in 17." in lines[0] or "in 18.0" in lines[0]
    assert "\x1b" not in "".join(lines)


@pytest.mark.parametrize(
    ("asked", "waits"), [(["899"] * 6, 1), (["300"] * 6, 2), (["901"], 0), (["1"] * 4, 4)]
)
def test_what_an_api_asks_to_wait_is_bounded_in_all(asked: list[str], waits: int) -> None:
    sleeps = Sleeps()
    answers = [http("429 Slow", Retry_After=value) for value in asked]
    with (
        raw_server(TOKEN, *answers, OK) as (url, _),
        make_client(base_url=url, sleep=sleeps) as client,
        contextlib.suppress(EmnifyRateLimitError),
    ):
        client.request("GET", THING)
    assert len(sleeps) == waits
    assert sum(sleeps) <= 905
