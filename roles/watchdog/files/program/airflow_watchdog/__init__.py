"""Watches the scheduler of Airflow, or a worker, on its own host and restarts it when it is dead or hangs.

Runs every minute, with the host's own python3 and nothing but its standard library. What a healthy check does not need
is imported where it is needed, and files are read without pathlib, because a check may cost next to nothing.
"""
