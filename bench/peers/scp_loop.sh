#!/usr/bin/env bash
# As the manual's scp_dag.sh: node by node, the ownership repaired afterwards. WHAT is one file below TREE, or empty for all.
set -euo pipefail
for host in $HOSTS; do
  scp -F "$SSH_CONFIG" -o ControlPath=none -qr "$TREE${WHAT:+/$WHAT}" "$host:dags_new"
  # shellcheck disable=SC2029 # these names are the controller's
  ssh -F "$SSH_CONFIG" -o ControlPath=none "$host" "sudo cp -rT dags_new '$TARGET${WHAT:+/$WHAT}' && sudo chown -R airflow:hadoop '$TARGET' && rm -r dags_new"
done
