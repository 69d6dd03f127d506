"""A doctor: what is well between this Airflow and emnify, what is not, and how to mend it. It only reads."""
