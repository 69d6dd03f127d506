"""What emnify sends by itself, taken by Airflow's API server: a plugin, off unless it is configured."""
