"""The command airflow-ops: the playbooks by their verbs, with progress, a summary, an exit code and a record."""
