"""Databases and a fleet for the tests of transfers."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING

import pytest

from tests.transfers.mariadb import MariaDB
from tests.transfers.postgres import Postgres
from tests.transfers.support import Database

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.transfers.database_server import DatabaseServer


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A real PostgreSQL, one for a process of tests."""
    Postgres.skip_unless_installed()
    with Postgres() as server:
        yield server


@pytest.fixture(scope="session")
def mariadb() -> Iterator[MariaDB]:
    """A real MariaDB, one for a process of tests."""
    MariaDB.skip_unless_installed()
    with MariaDB() as server:
        yield server


@pytest.fixture(scope="session")
def s3() -> Iterator[str]:
    """A bucket in an S3 on loopback, one for a process of tests: Airflow keeps its file systems as long."""
    pytest.importorskip("airflow.providers.amazon", reason="apache-airflow-providers-amazon[s3fs]")
    pytest.importorskip("s3fs")
    boto3 = pytest.importorskip("boto3")
    server = pytest.importorskip("moto.server").ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    try:
        url = "http://127.0.0.1:{1}".format(*server.get_host_and_port())
        account = {"aws_access_key_id": "key", "aws_secret_access_key": "secret", "region_name": "us-east-1"}
        boto3.client("s3", endpoint_url=url, **account).create_bucket(Bucket="lake")
        extra = {"endpoint_url": url, "region_name": "us-east-1"}
        connection = {"conn_type": "aws", "login": "key", "password": "secret", "extra": extra}
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("AIRFLOW_CONN_S3_LAKE", json.dumps(connection))
            yield "s3://s3_lake@lake"
    finally:
        server.stop()


@pytest.fixture(params=["sqlite", "postgresql", "mysql", "duckdb"])
def database(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Database:
    """An empty database, and the connection ``warehouse`` to it in the environment."""
    if request.param == "sqlite":
        pytest.importorskip("airflow.providers.sqlite", reason="apache-airflow-providers-sqlite")
        connection = {"conn_type": "sqlite", "host": str(tmp_path / "warehouse.db")}
        monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps(connection))
        return Database("sqlite", None)
    if request.param == "duckdb":
        pytest.importorskip("airflow.providers.duckdb", reason="apache-airflow-providers-duckdb")
        connection = {"conn_type": "duckdb", "host": str(tmp_path / "warehouse.duckdb")}
        monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps(connection))
        return Database("duckdb", None)
    fixture = {"postgresql": "postgres", "mysql": "mariadb"}[request.param]
    server: DatabaseServer = request.getfixturevalue(fixture)
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", server.airflow_connection)
    database = Database(request.param, f"s{uuid.uuid4().hex}")
    more = " CHARACTER SET utf8mb4" if request.param == "mysql" else ""  # what is made here says it itself
    database.run(f"CREATE SCHEMA {database.schema}{more}")
    return database
