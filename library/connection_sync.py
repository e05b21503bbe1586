"""Documentation of an action; the work is in action_plugins/connection_sync.py."""

DOCUMENTATION = r"""
module: connection_sync
short_description: Bring connections of one environment to another
description:
  - C(exported) runs on the scheduler host of the source and hands over what it holds, hidden from all output.
  - C(synced) runs on the scheduler host of the target. It exports that side, makes the plan, shows it and
    applies it in one transaction, after a backup. Nothing to do costs one start of Airflow on each side, a change one
    more.
  - C(restored) leads the target back to a backup, in the same way.
  - A host of group C(prod) is never a target. Settings with which Ansible would write secrets down are refused.
author: Airflow operations
options:
  state:
    description: What to do.
    type: str
    choices: [exported, synced, restored]
    required: true
  source:
    description: Name of the environment that is read.
    type: str
    default: ""
  target:
    description: Name of the environment that is changed.
    type: str
    required: true
  kinds:
    description: What is synchronised, of C(connections), C(variables) and C(pools).
    type: list
    elements: str
    default: [connections]
  export:
    description: Name of the variable in which C(exported) was registered.
    type: str
    default: ""
  rules:
    description: The rules, by the names of the role's variables without their prefix.
    type: dict
    default: {}
  plan_file:
    description: Where the controller writes the plan as JSON, without secrets; nowhere if empty.
    type: str
    default: ""
  airflow:
    description: I(python), I(user) and I(environment_file) of the host's Airflow.
    type: dict
    required: true
  backup:
    description: I(folder) and I(lock) on the host, I(keep), and for C(restored) I(name), which is the newest if empty.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Export the connections of prod
  connection_sync:
    state: exported
    source: prod
    target: dev
    airflow: "{{ __connection_sync_airflow }}"
  register: __connection_sync_source
"""

RETURN = r"""
msg:
  description: What was done, in one line, and warnings.
  type: list
  elements: str
  returned: when synced or restored
counts:
  description: How many were created, updated, deleted, unchanged, protected, left alone, refused.
  type: dict
  returned: when synced or restored
"""
