"""Let emnify's Data Streamer put usage into an S3 bucket, and wait until the stream runs.

emnify writes with a role of your AWS account, which the param ``role_arn`` names. The files are loaded by
``EmnifyDataStreamFilesToSqlOperator``.
"""

from __future__ import annotations

import logging
from datetime import timedelta

from airflow_provider_emnify.airflow_names import Param, dag
from airflow_provider_emnify.operators.data_stream import EmnifyCreateDataStreamOperator
from airflow_provider_emnify.retry import EMNIFY_RETRY_POLICY

log = logging.getLogger(__name__)


@dag(
    schedule=None,
    max_active_runs=1,
    tags=["emnify"],
    default_args={"retries": 2, "retry_delay": timedelta(minutes=1), "retry_policy": EMNIFY_RETRY_POLICY},
    doc_md=__doc__,
    params={
        "bucket": Param("my-lake", type="string", description="The S3 bucket"),
        "region": Param("eu-west-1", type="string", description="Its region"),
        "role_arn": Param(
            "arn:aws:iam::123456789012:role/emnify",
            type="string",
            description="The role that emnify takes on",
        ),
    },
)
def data_stream_to_s3() -> None:
    EmnifyCreateDataStreamOperator(
        task_id="create",
        name="usage to {{ params.bucket }}",
        data_stream_type_id=1,  # usage; 2: events
        destination={
            "connection_type": "S3",
            "format": "CSV",
            "credentials": {
                "region": "{{ params.region }}",
                "bucket_name": "{{ params.bucket }}",
                "role_arn": "{{ params.role_arn }}",
            },
        },
        if_exists="skip",
        wait_for_completion=True,
        deferrable=True,
    )


data_stream_to_s3()
