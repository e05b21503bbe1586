#!/bin/bash
# Sets a controller up from this unpacked bundle, without internet: ./setup [FOLDER], by default ~/airflow-ops.
# Needs python3, tar and sha256sum here, and openssh-client and rsync to reach the hosts. Run again from a newer bundle,
# it replaces the repository's files and removes those that an earlier bundle brought and this one does not, but never
# what lies in inventories/.
set -euo pipefail

bundle=$(cd "$(dirname "$0")" && pwd)
target=${1:-$HOME/airflow-ops}

for tool in ssh rsync; do
    if ! command -v "$tool" >/dev/null; then
        echo "$tool is missing on $(hostname), which needs it to reach the hosts; install it from your mirror." >&2
        exit 2
    fi
done

echo "checking the bundle"
(cd "$bundle" && sha256sum --check --quiet SHA256SUMS)
made_for=$(cat "$bundle/controller/platform.txt")
here=$(/usr/bin/python3 -c 'import sys, sysconfig
print("cp%d%d-%s" % (*sys.version_info[:2], sysconfig.get_platform().replace("-", "_").replace(".", "_")))')
if [ "$here" != "$made_for" ]; then
    echo "The bundle is made for $made_for, but /usr/bin/python3 of $(hostname) is $here;" \
        "make the bundle on a machine with the distribution of this one." >&2
    exit 2
fi

echo "unpacking the repository into $target"
mkdir -p "$target"
keep=()
if [ -d "$target/inventories" ]; then keep=(--exclude=inventories); fi
brought=$target/.bundle_files
files=$(tar --quoting-style=literal --exclude=inventories -tf "$bundle/repository.tar" | LC_ALL=C sort)
if [ -f "$brought" ]; then
    # Files before their folders, which stay when they hold something of the admin's.
    LC_ALL=C comm -13 - "$brought" <<<"$files" | tac | while IFS= read -r name; do
        rm -df -- "$target/$name" 2>/dev/null || true
    done
fi
cat >"$brought" <<<"$files"
tar -xf "$bundle/repository.tar" -C "$target" "${keep[@]}"

echo "making the virtual environment"
cd "$target"
uv=("$bundle/controller/uv" --offline --no-config --quiet)
"${uv[@]}" venv --clear --python /usr/bin/python3 .venv
"${uv[@]}" pip install --python .venv/bin/python --no-cache --no-index --find-links "$bundle/controller/wheels" \
    --require-hashes --requirements "$bundle/controller/requirements.txt"
"${uv[@]}" pip install --python .venv/bin/python --no-cache --no-deps --no-build-isolation --editable .
# Who may not write here would compile Ansible anew in every process; a playbook starts many.
/usr/bin/python3 -m compileall -q -j 0 -x /ansible_collections/ .venv/lib
touch .venv/complete

cat <<END
ready. Next:
  cd $target && . .venv/bin/activate
  put your hosts, values and secrets into inventories/<env>, among them, in group_vars/<env>/airflow.yml,
    airflow_install_bundle: $bundle
  ansible-playbook -i inventories/<env> site.yml
END
