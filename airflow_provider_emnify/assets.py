"""Assets of emnify: ``emnify://<organisation>/<stream>``, an asset for each stream of an organisation.

.. code-block:: python

    @dag(schedule=[emnify_asset("sims", organisation=100)])
    def whenever_the_sims_are_synced(): ...

The transfers emit them. The organisation is its id where the transfer is given one (``organisation=``), else
the id of the connection: it only has to be the same on both sides. Airflow 2.11 calls assets datasets.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, urlsplit

if TYPE_CHECKING:
    from airflow_provider_emnify.airflow_names import Asset

SCHEME = "emnify"

CALLBACKS = ("sms", "sms-receipts", "events", "usage")
"""What emnify sends by itself."""

_ORGANISATION = re.compile(r"[A-Za-z0-9_.-]+")


def asset_uri(stream: str, organisation: int | str) -> str:
    """Return the URI of a stream of an organisation.

    :param stream: Name of the stream.
    :param organisation: Id of the organisation, or what stands for it.
    :raises ValueError: if there is no such stream, or the organisation cannot stand in a URI.
    """
    if not _ORGANISATION.fullmatch(str(organisation)):
        raise ValueError(
            f"organisation: {organisation!r} cannot stand in the URI of an asset; give a number or a word of "
            "letters, digits, '_', '.' and '-' (by default it is the connection's id)"
        )
    uri = f"{SCHEME}://{organisation}/{stream}"
    sanitize_uri(urlsplit(uri))
    return uri


def emnify_asset(stream: str, organisation: int | str = "emnify_default") -> Asset:
    """Return the asset of a stream, for a DAG's ``schedule`` or a task's ``inlets``.

    :param stream: Name of the stream.
    :param organisation: What the transfer has for ``organisation``; by default the id of its connection.
    :raises ValueError: if there is no such stream, or the organisation cannot stand in a URI.
    """
    return create_asset(organisation=organisation, stream=stream)


def sanitize_uri(uri: SplitResult) -> SplitResult:
    """Check an ``emnify://`` URI. Airflow calls it for every asset of that scheme.

    :raises ValueError: if it is none of a stream.
    """
    stream = uri.path.strip("/")
    if not _ORGANISATION.fullmatch(uri.netloc):
        raise ValueError(
            f"{uri.geturl()} has no organisation: an asset of emnify is emnify://ORGANISATION/STREAM"
        )
    if stream not in _names():
        raise ValueError(f"{uri.geturl()}: {stream!r} is not a valid stream; allowed: {', '.join(_names())}")
    return uri._replace(path=f"/{stream}", query="", fragment="")


@cache
def _names() -> tuple[str, ...]:
    """Return what there are assets of. The catalogues wait until then: Airflow loads this module early."""
    from airflow_provider_emnify.api.data_streamer.files import RECORD_KINDS
    from airflow_provider_emnify.api.streams.catalogue import STREAMS

    tables = (kind.table for kind in RECORD_KINDS.values())
    return tuple(dict.fromkeys([*STREAMS, *tables, *CALLBACKS]))


def create_asset(*, organisation: int | str, stream: str, extra: dict[str, Any] | None = None) -> Asset:
    """Return an asset from its parts. Airflow's hook lineage calls it.

    :raises ValueError: if there is no such stream.
    """
    from airflow_provider_emnify.airflow_names import Asset

    return Asset(uri=asset_uri(stream, organisation), extra=extra)


def convert_asset_to_openlineage(asset: Asset, lineage_context: Any) -> Any:
    """Return an asset as OpenLineage names it: namespace ``emnify://<organisation>``, name ``<stream>``."""
    from airflow.providers.common.compat.openlineage.facet import Dataset

    del lineage_context
    parts = urlsplit(asset.uri)
    return Dataset(namespace=f"{SCHEME}://{parts.netloc}", name=parts.path.strip("/"))
