"""The hook: an Airflow connection in, a client out."""
