"""Auth tokens that the processes of a host share: ``token_cache: host``.

Usually each task authenticates once, and emnify allows an address 100 authentications in five minutes. Where
more tasks than that start, they can share tokens through a file of this user's. It is encrypted with a key
that is made from the credential, so that it opens nothing to anyone who does not hold the credential already.
A rejection is shared too, so that a hundred tasks with a revoked token do not lock the account.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import logging
import os
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography.fernet import Fernet, InvalidToken
from filelock import FileLock

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_emnify.api.credentials import Credentials

log = logging.getLogger(__name__)

_LOCK_WAIT = 120.0  # seconds for another process that is authenticating
_LOCKED_OUT = 300.0  # seconds that a rejection is remembered: as long as emnify locks an account


@dataclass(frozen=True)
class Cached:
    """What another process has left.

    :param age: Seconds since it arrived.
    :param token: An auth token.
    :param rejection: Or why the credential was rejected.
    """

    age: float
    token: str | None = field(default=None, repr=False)
    rejection: str | None = None


class TokenCache:
    """The file of one credential at one API.

    :param credentials: The credential.
    :param host: The API.
    :param directory: Where it lies; by default a directory of this user's in the temporary one.
    """

    def __init__(self, credentials: Credentials, host: str, directory: Path | None = None) -> None:
        self._directory = directory or Path(tempfile.gettempdir()) / f"emnify-tokens-{os.getuid()}"
        identity = f"{host} {credentials.identity} {credentials.workspace_id}"
        self._path = self._directory / hashlib.sha256(identity.encode()).hexdigest()[:32]
        secret = f"{host}\n{json.dumps(credentials.secrets)}".encode()
        self._fernet = Fernet(base64.urlsafe_b64encode(hashlib.sha256(secret).digest()))

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the file while a token is got, so that one process gets it for all.

        A cache that cannot be used costs a warning, not the task.
        """
        with contextlib.ExitStack() as stack:
            try:
                self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
                if self._directory.stat().st_uid != os.getuid():
                    raise PermissionError(f"{self._directory} belongs to another user")
                stack.enter_context(FileLock(f"{self._path}.lock", timeout=_LOCK_WAIT, thread_local=False))
            except OSError as error:
                log.warning("The token cache cannot be used (%s); this task authenticates by itself", error)
            yield

    def load(self) -> Cached | None:
        """Return what another process has left, if it is any good."""
        try:
            said = json.loads(self._fernet.decrypt(self._path.read_bytes()))
            age = time.time() - float(said["at"])
        except (OSError, InvalidToken, ValueError, KeyError, TypeError):
            return None
        if age < 0 or (said.get("rejection") and age > _LOCKED_OUT):
            return None
        return Cached(age, said.get("token"), said.get("rejection"))

    def store(self, *, token: str | None = None, rejection: str | None = None) -> None:
        """Leave a token, or a rejection, for other processes."""
        said = json.dumps({"at": time.time(), "token": token, "rejection": rejection}).encode()
        try:
            descriptor, name = tempfile.mkstemp(dir=self._directory)  # readable by this user alone
            with os.fdopen(descriptor, "wb") as file:
                file.write(self._fernet.encrypt(said))
            Path(name).replace(self._path)
        except OSError as error:
            log.warning("The auth token could not be left for other tasks: %s", error)
