"""Bring connections, variables and pools of one environment to another: the decisions, without Airflow or a host.

``plan`` says what has to happen, ``guard`` what must not, ``show`` tells both without a secret.
"""
