"""A host store in a folder where others can put things: nothing of theirs is followed, opened or used."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from airflow_provider_emnify.api.limits.limits import Limits
from airflow_provider_emnify.api.secrets.private_folder import PrivateFolder
from tests.api.limits.test_limits import HOST, LIST
from tests.api.secrets.test_private_folder import KINDS, PRECIOUS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
from tests.api.limits.test_failing_stores import LONG, rows, use, warnings


@pytest.mark.parametrize(
    "name", ["limits.sqlite", "limits.lock", "limits.sqlite-journal", "limits.sqlite-wal"]
)
@pytest.mark.parametrize("plant", KINDS)
def test_what_somebody_put_there_is_neither_followed_nor_waited_for(
    tmp_path: Path, plant: Callable[[Path, Path], None], name: str, caplog: pytest.LogCaptureFixture
) -> None:
    victim, directory = tmp_path / "victim", tmp_path / "limits"
    victim.write_bytes(PRECIOUS)
    PrivateFolder("x", directory).check()
    plant(directory / name, victim)
    for _ in range(2):
        use(directory)
    assert victim.read_bytes() == PRECIOUS
    assert not victim.with_suffix(".new").exists()
    (warning,) = warnings(caplog)
    assert "UnsafeFileError" in warning


@pytest.mark.parametrize("mode", [0o777, 0o1777, 0o770])
def test_a_folder_that_is_open_to_others_is_not_used(
    tmp_path: Path, mode: int, caplog: pytest.LogCaptureFixture
) -> None:
    directory, victim = tmp_path / "limits", tmp_path / "victim"
    victim.write_bytes(PRECIOUS)
    directory.mkdir()
    for name in ("limits.lock", "limits.sqlite", "limits.sqlite-journal"):
        (directory / name).symlink_to(victim)
    directory.chmod(mode)
    for _ in range(2):
        use(directory)
    assert victim.read_bytes() == PRECIOUS
    (warning,) = warnings(caplog)
    assert "is open to other users" in warning


def test_a_folder_that_is_opened_under_way_is_used_no_more(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    client = Limits("host", limits=LONG, directory=tmp_path)
    client.acquire("GET", LIST, host=HOST, organisation="acme")
    counted = rows(tmp_path)
    tmp_path.chmod(0o777)
    client.acquire("GET", LIST, host=HOST, organisation="acme")
    client.close()
    assert rows(tmp_path) == counted
    assert len(warnings(caplog)) == 1


@pytest.mark.parametrize("plant", KINDS)
def test_the_file_of_a_lock_is_neither_followed_nor_waited_for(
    tmp_path: Path, plant: Callable[[Path, Path], None]
) -> None:
    victim, directory = tmp_path / "victim", tmp_path / "limits"
    victim.write_bytes(PRECIOUS)
    use(directory, 1)
    for path in directory.glob("lock-*"):
        path.unlink()
        plant(path, victim)
    use(directory, 1)
    assert victim.read_bytes() == PRECIOUS
