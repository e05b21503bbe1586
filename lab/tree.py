"""What the hosts' trees consist of: data only. Their keys are digests of it, so a change here makes new trees."""

from __future__ import annotations

BASE_PACKAGES = (
    "acl",
    "ca-certificates",
    "cron",
    "dbus",
    "iproute2",
    "less",
    "openssh-server",
    "procps",
    "python3",
    "python3-apt",
    "rsync",
    "sudo",
    "systemd",
    "systemd-sysv",
)

ADMIN = "mbsadmin"

# Files of the base tree: path -> (mode, text).
BASE_FILES = {
    f"/etc/sudoers.d/{ADMIN}": (0o440, f"{ADMIN} ALL=(ALL:ALL) NOPASSWD:ALL\n"),
    # Hosts that are thrown away need no file flushed to disk by the package manager.
    "/etc/dpkg/dpkg.cfg.d/lab": (0o644, "force-unsafe-io\n"),
    # Only the pinned key; without this line sshd would look for three.
    "/etc/ssh/sshd_config.d/lab.conf": (0o644, "HostKey /etc/ssh/ssh_host_ed25519_key\nUseDNS no\n"),
}

# Services that cost start-up time or that wake up in the middle of a test.
MASKED_UNITS = (
    "apt-daily-upgrade.timer",
    "apt-daily.timer",
    "console-getty.service",
    "dpkg-db-backup.timer",
    "e2scrub_all.timer",
    "fstrim.timer",
    "systemd-networkd-wait-online.service",
)

# Commands in the base tree, after its files are written.
BASE_COMMANDS = (
    ("useradd", "--create-home", "--shell", "/bin/bash", ADMIN),
    ("systemctl", "enable", "--quiet", "systemd-networkd", "ssh"),
    ("systemctl", "mask", "--quiet", *MASKED_UNITS),
    # Host keys and the machine id are each host's own.
    ("sh", "-c", "rm -f /etc/ssh/ssh_host_* && : > /etc/machine-id && rm -f /var/lib/dbus/machine-id"),
    ("sh", "-c", "rm -rf /var/cache/apt/archives/*.deb /var/lib/apt/lists/*"),
)

NODE_PACKAGES = ("libmariadb3",)
METADATA_PACKAGES = ("nftables", "mariadb-server", "python3-pymysql", "rabbitmq-server", "redis-server")
MAIL_AND_FILE_SERVERS = ("exim4-daemon-light", "python3-cryptography", "vsftpd")  # see lab/services

# Prepared layers: packages that are installed before the host is made. Only a speed-up; `lab up --bare` does without.
LAYERS: dict[str, tuple[str, ...]] = {
    "node": NODE_PACKAGES,
    "metadata": (*NODE_PACKAGES, *METADATA_PACKAGES, *MAIL_AND_FILE_SERVERS),
}

# What a layer's build runs, with the packages as arguments. Services must not start in the build: policy-rc.d.
LAYER_SCRIPT = r"""
set -eu
printf '#!/bin/sh\nexit 101\n' > /usr/sbin/policy-rc.d
chmod 755 /usr/sbin/policy-rc.d
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8
apt-get update
apt-get install --yes --no-install-recommends "$@"
apt-get clean
rm /usr/sbin/policy-rc.d
: > /etc/machine-id
"""
