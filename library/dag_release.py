#!/usr/bin/python
"""Documentation of the dag_release action; the work is done on the controller, in action_plugins/dag_release.py."""

DOCUMENTATION = r"""
module: dag_release
short_description: Make a DAG tree live on all hosts or on none
description:
  - Checks the tree as far as Airflow would load it, stages it on every host by rsync (only changed files travel, others
    are copied on the host),
    has every host compute the digest of what it staged and Airflow load it, and then points the dags link of every host
    at the new release, workers first. Or goes back to an older release, or lists them.
  - A failure before that changes nothing anywhere. A failure in it puts every host back; a host that is cut off in that
    moment goes back by itself.
  - Runs once for all hosts on the controller, through ssh and sudo; use it with C(run_once).
options:
  state:
    description: What to do; C(delivered) a tree, C(rolled_back) to an older release, or C(listed) what there is.
    type: str
    required: true
    choices: [delivered, rolled_back, listed]
  target:
    description:
      - Where to. C(dags_folder), the link on the hosts; C(owner) and C(group) of the files; C(file_mode) and
        C(folder_mode) in octal.
      - C(workers), inventory names of the hosts that become live first; C(masters), of those that become live last;
        C(scheduler), of the one that holds the lock C(lock_file); C(left_out), of hosts that the limit leaves out.
      - C(queues), those that each worker listens to; C(plugins_folder), from which Airflow reads its plugins there.
      - C(lock_wait), seconds to wait for another run; C(allow_missing), whether hosts may be unreachable.
      - C(runtime), patterns in gitignore syntax that name files of the hosts, which belong to no release.
    type: dict
    required: true
  source:
    description:
      - What to deliver. C(folder) on the controller, or C(repo), C(version) and C(subfolder) of a git repository,
        C(allow_dirty), C(allow_empty), C(ignore_file) in gitignore syntax, C(airflow_ignore_syntax) (C(regexp) or
        C(glob)) and C(safe_mode) as Airflow has them, C(max_file_size) in MiB, C(extra_files) from elsewhere by their
        path in the release, C(neighbours), names of folders beside the tree that come with it, and C(plugins), that of
        the plugins.
      - C(skip_checks), names of checks that are not made (C(names), C(links), C(lfs), C(python), C(json),
        C(airflowignore)); C(check_ignore), patterns in gitignore syntax of files whose content is not checked.
      - With C(files) or C(remove), lists of paths, the release is the live one with these files replaced or removed.
    type: dict
    default: {}
  parse:
    description: >-
      Loading by Airflow. C(wanted), C(python) of the hosts' Airflow, its C(environment), and C(timeout) in seconds.
    type: dict
    default: {}
  keep:
    description: >-
      What stays. C(releases), their number; C(minutes), their least age; C(unmanaged), C(carry) or C(drop) for files
      that the source lacks.
    type: dict
    default: {}
  release:
    description: Id of the release to go back to; empty means the one before the live one.
    type: str
    default: ""
author: Airflow operations
"""

EXAMPLES = r"""
- name: Go back to the release before
  dag_release:
    state: rolled_back
    target:
      dags_folder: /usr/hmg/2.2.1.0-552/airflow/dags
      owner: airflow
      group: hadoop
      file_mode: "0640"
      folder_mode: "0750"
      workers: [dn01p, dn02p]
      masters: [mn02p]
      scheduler: mn02p
      left_out: []
      queues: {dn01p: [default, dn01p], dn02p: [default, dn02p]}
      plugins_folder: /usr/hmg/2.2.1.0-552/airflow/plugins
      lock_file: /var/lib/airflow-ops/locks/dag_release.json
      lock_wait: 0
      allow_missing: false
      runtime: [state/]
  run_once: true
"""

RETURN = r"""
release:
  description: Id of the release, UTC time and the first 12 hex digits of the digest of the tree.
  type: str
  returned: when it delivered or went back
hosts:
  description: Hosts that the run changed, or would change in check mode.
  type: list
  elements: str
  returned: when it delivered or went back
adopted:
  description: Hosts whose plain dags folder became a release of its own.
  type: list
  elements: str
  returned: when it delivered or went back
plugins:
  description: >-
    Hosts on which plugins were ever delivered or are now, so that what reads them may have to restart.
  type: list
  elements: str
  returned: when it delivered or went back
failure:
  description: >-
    Why it failed, for programs. C(refused), the order or the tree is wrong; C(locked), another run is busy;
    C(unreachable), hosts did not answer and nothing else was wrong.
  type: str
  returned: when it failed for one of these reasons
failed_hosts:
  description: The hosts that could not be reached or did not do their part.
  type: list
  elements: str
  returned: when it failed because of hosts
msg:
  description: What happened, line by line; the table of releases when they were listed.
  type: list
  elements: str
  returned: success
"""
