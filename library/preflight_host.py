"""Documentation of an action; the work is in action_plugins/preflight_host.py."""

DOCUMENTATION = r"""
module: preflight_host
short_description: Refuse a host that cannot do its part in the cluster
description:
  - Looks at a host through preflight_look, changes nothing, and fails with every finding about it in one message.
  - What is wanted of the host (ports, names, paths, Python) follows from the inventory and the roles' defaults.
  - The clock is compared with the controller's moments before and after the look, so latency counts for nothing.
author: Airflow operations
options:
  roles:
    description: The folder of the roles.
    type: path
    required: true
  home_free_mb:
    description: Free MiB wanted for airflow_home.
    type: int
    required: true
  log_free_mb:
    description: Free MiB wanted for airflow_log_folder.
    type: int
    required: true
  memory_mb:
    description: MiB of memory wanted.
    type: int
    required: true
  clock_seconds:
    description: Seconds by which the clock may differ from the controller's.
    type: int
    required: true
"""

EXAMPLES = r"""
- name: Refuse a host that cannot do its part
  preflight_host:
    roles: "{{ role_path | dirname }}"
    home_free_mb: 2048
    log_free_mb: 1024
    memory_mb: 2048
    clock_seconds: 5
"""

RETURN = r"""
msg:
  description: All findings about the host, a line each.
  returned: when there are any; the task has failed then
  type: str
"""
