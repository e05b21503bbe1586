#!/usr/bin/env bash
# The floor: rsync to all hosts in parallel, without Ansible; nothing is checked and nothing is atomic.
set -euo pipefail
# shellcheck disable=SC2086 # a list of names
printf '%s\n' $HOSTS | xargs -P 16 -I '{}' \
  rsync -a --delete --chown=airflow:hadoop --rsync-path='sudo rsync' -e "ssh -F $SSH_CONFIG -o ControlPath=none" "$TREE/" '{}':"$TARGET/"
