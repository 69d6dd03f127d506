"""An API or a proxy that repeats a secret: wherever it stands, however it is written, whole or in pieces."""

from __future__ import annotations

import re
from base64 import b64encode
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from airflow_provider_emnify.api import Credentials, EmnifyError
from airflow_provider_emnify.api.secrets.redaction import Redactor
from tests.api.support import AUTHENTICATE, THING, URL, make_client, make_token

if TYPE_CHECKING:
    from collections.abc import Callable

    import requests_mock as rm

TOKEN = "appToken0123456789abcdefghijXYZ"
API_KEY = "51aa90be-77d1-4c3f-9d2e-6b1f0a8c4e55"
AUTH_TOKEN = make_token(api_key=API_KEY)
SECRETS = {"application token": TOKEN, "auth token": AUTH_TOKEN, "api_key": API_KEY}
WRITTEN: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "cut": lambda secret: secret[: len(secret) * 2 // 3],
    "in lines": lambda secret: "\n".join(re.findall(".{1,5}", secret)),
    "in escaped lines": lambda secret: "\\r\\n".join(re.findall(".{1,5}", secret)),
    "spaced": " ".join,
    "with marks": "\u200b".join,
    "hexadecimal": lambda secret: secret.encode().hex(),
    "HEXADECIMAL": lambda secret: secret.encode().hex().upper(),
    "basic": lambda secret: "Basic " + b64encode(f"user:{secret}".encode()).decode(),
}
PLACES: dict[str, Callable[[str], dict[str, Any]]] = {
    "body": lambda said: {"status_code": 500, "text": said},
    "message": lambda said: {"status_code": 400, "json": {"error_code": 1000, "message": f"no {said}!"}},
    "error_token": lambda said: {"status_code": 400, "json": {"error_code": 1, "error_token": said}},
    "field": lambda said: {"status_code": 422, "json": {"errors": [{"field": said, "message": said}]}},
    "not JSON": lambda said: {"text": f"welcome {said}"},
    "reason": lambda said: {"status_code": 502, "reason": said},
    "header": lambda said: {"status_code": 403, "headers": {"x-amzn-ErrorType": said}},
    "host of a redirect": lambda said: {
        "status_code": 302,
        "headers": {"Location": f"https://{quote(said)}.example.org/"},
    },
    "path of a redirect": lambda said: {"status_code": 302, "headers": {"Location": f"https://x.org/{said}"}},
}


def letters(text: str) -> str:
    return re.sub(r"\\[rnt]|[\W_]+", "", text)


@pytest.mark.parametrize("where", PLACES)
@pytest.mark.parametrize("how", WRITTEN)
@pytest.mark.parametrize("secret", SECRETS)
def test_no_error_repeats_it(requests_mock: rm.Mocker, secret: str, how: str, where: str) -> None:
    value = SECRETS[secret]
    said = WRITTEN[how](value)
    if where in {"reason", "header", "path of a redirect"}:
        said = re.sub(r"[^\x20-\x7e]+", " ", said)  # as HTTP lets it
    requests_mock.post(AUTHENTICATE, json={"auth_token": AUTH_TOKEN})
    requests_mock.get(URL + THING, **PLACES[where](said))
    with (
        make_client(Credentials(application_token=TOKEN), max_retries=0) as client,
        pytest.raises(EmnifyError) as caught,
    ):
        client.request("GET", THING)
    shown = f"{caught.value} {caught.value!r} {caught.value.__dict__}"
    begins = letters(value)[:12] if how not in {"hexadecimal", "HEXADECIMAL"} else said[:24]
    begins = begins if how != "basic" else b64encode(f"user:{value}".encode()).decode()[8:24]
    assert begins not in letters(shown)
    assert said not in shown


@pytest.mark.parametrize("text", ["a name", "correct", "***", "eyJ", "Token abcdefghij", TOKEN[:11], ""])
def test_what_is_no_part_of_a_secret_stays(text: str) -> None:
    redactor = Redactor()
    for secret in (*SECRETS.values(), "correct horse", "short"):
        redactor.learn(secret)
    assert redactor.text(f"<{text}>") == f"<{text}>"
