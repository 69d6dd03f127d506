"""What is kept of callbacks, with PostgreSQL as Airflow's metadata database."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import psycopg2
import pytest

from tests.transfers.postgres import Postgres

ROOT = Path(__file__).parents[2]


@pytest.mark.airflow
@pytest.mark.system
@pytest.mark.timeout(300)
@pytest.mark.skipif(find_spec("airflow.sdk") is None, reason="from Airflow 3 on")
def test_callbacks_are_kept_in_a_postgresql() -> None:
    Postgres.skip_unless_installed()
    with Postgres() as server:
        url = f"postgresql+psycopg2://{server.login}@127.0.0.1:{server.port}/{server.schema}"
        run = subprocess.run(
            [sys.executable, "-m", "pytest", "-o", "addopts=", "-q", "tests/callbacks"],
            cwd=ROOT,
            env={**os.environ, "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": url},
            capture_output=True,
            text=True,
            check=False,
        )
        assert run.returncode == 0, run.stdout[-3000:]
        with contextlib.closing(psycopg2.connect(url.replace("+psycopg2", ""))) as connection:
            cursor = connection.cursor()
            cursor.execute("SELECT count(*) FROM asset_event_id_seq WHERE is_called")
            assert cursor.fetchone() == (1,), "they were kept there"
