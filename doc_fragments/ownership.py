"""Documentation that the modules share which know who should own the DAGs and the logs."""

from __future__ import annotations


class ModuleDocFragment:
    """The options that module_utils/ownership.py reads."""

    DOCUMENTATION = r"""
options:
  dags_folder:
    description: The dags folder, a link to the live release or a plain folder.
    type: path
    required: true
  log_folder:
    description: The folder of the logs.
    type: path
    required: true
  group:
    description: The group of Airflow.
    type: str
    required: true
  log_owners:
    description: Other accounts that may own logs; one that does not exist counts for nothing.
    type: list
    elements: str
    default: []
  file_mode:
    description: Mode of the DAGs' files, as octal digits.
    type: str
    required: true
  folder_mode:
    description: Mode of the DAGs' folders, as octal digits.
    type: str
    required: true
"""
