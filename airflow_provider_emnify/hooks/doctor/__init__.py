"""A doctor: what is well between this Airflow and emnify, what is not, and what to do. It only reads."""
