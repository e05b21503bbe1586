"""Programs that run inside the Python of the host's Airflow, see ``airflow_python``.

Each file stands alone: ``main(request)`` imports Airflow, the rest is plain Python that needs nothing but the
standard library.
"""
