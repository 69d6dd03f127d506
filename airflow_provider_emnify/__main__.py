"""``python -m airflow_provider_emnify doctor``."""

from __future__ import annotations

import sys

from airflow_provider_emnify.hooks.doctor.command import main

if __name__ == "__main__":
    sys.exit(main())
