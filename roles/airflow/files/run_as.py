#!/usr/bin/python3 -I
"""The chown, rm and kill that Airflow calls with sudo for tasks with run_as_user (this file has all three names).

sudo holds the arguments to a pattern, but a pattern cannot see what lies at a path: a link in /tmp would hand any file
of the host to anybody. So each command does only what Airflow means by it, on the open file or as the account itself:
chown gives away a plain file of the caller, rm removes one of an account's files or of the caller's, kill reaches only
processes of the accounts in /etc/airflow/run_as_users. Anything else is refused with one sentence.
"""

# Plain os calls: what counts here is the open file and the system call, and the three commands share one signature.
# ruff: noqa: ARG001, PTH108, PTH119, PTH123

import os
import pwd
import re
import stat
import sys

ACCOUNTS = "/etc/airflow/run_as_users"
TEMPORARY = re.compile(r"/tmp/tmp[a-z0-9_]{8}")


class Refused(Exception):
    """The call is not one that Airflow makes; the text says why."""


def accounts(path=ACCOUNTS):
    """The accounts that tasks may run as: user id -> group id."""
    with open(path) as stream:
        entries = [pwd.getpwnam(name) for name in stream.read().split()]
    return {entry.pw_uid: entry.pw_gid for entry in entries if entry.pw_uid != 0}


def open_temporary(path):
    """Open Airflow's temporary file itself, never what a link points to."""
    if not TEMPORARY.fullmatch(path):
        raise Refused(f"{path} is not a temporary file of Airflow")
    return os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)


def plain_owner(descriptor):
    """The owner of an open file that is a plain file with one name."""
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1:
        raise Refused("it is not a plain file with one name")
    return found.st_uid


def chown(arguments, caller, allowed):
    """Give the caller's own temporary file to one of the accounts."""
    name, path = arguments
    user = pwd.getpwnam(name).pw_uid
    if user not in allowed:
        raise Refused(f"{name} is not in {ACCOUNTS}")
    descriptor = open_temporary(path)
    if plain_owner(descriptor) != caller:
        raise Refused(f"{path} does not belong to the caller")
    os.fchown(descriptor, user, -1)


def rm(arguments, caller, allowed):
    """Remove a temporary file of one of the accounts, or of the caller when its chown was refused, as the owner."""
    (path,) = arguments
    owner = plain_owner(open_temporary(path))
    groups = {**allowed, caller: pwd.getpwuid(caller).pw_gid}
    if owner not in groups:
        raise Refused(f"{path} belongs neither to the caller nor to one of the accounts in {ACCOUNTS}")
    become(owner, groups[owner])
    os.unlink(path)


def kill(arguments, caller, allowed):
    """Signal those of the processes that belong to the accounts, as the account; sudo's own end with them."""
    number, *processes = arguments
    for process in map(int, processes):
        owner = process_owner(process)
        if owner not in allowed:
            continue
        if child := os.fork():
            os.waitpid(child, 0)
        else:
            become(owner, allowed[owner])
            os.kill(process, -int(number))
            os._exit(0)


def process_owner(process):
    """The user id of a process, or None when it is gone."""
    try:
        with open(f"/proc/{process}/status") as stream:
            return int(re.search(r"^Uid:\s+(\d+)", stream.read(), re.MULTILINE)[1])
    except FileNotFoundError:
        return None


def become(user, group):
    """Be the account for good, so that the kernel allows what the account itself may do and nothing more."""
    os.setgroups([])
    os.setresgid(group, group, group)
    os.setresuid(user, user, user)


COMMANDS = {"chown": chown, "rm": rm, "kill": kill}


def main():
    """Run the command whose name this file has; return a sentence when it is refused."""
    try:
        COMMANDS[os.path.basename(sys.argv[0])](sys.argv[1:], int(os.environ["SUDO_UID"]), accounts())
    except (Refused, OSError, KeyError, ValueError) as error:
        return f"airflow run_as: refused: {error}"
    return None


if __name__ == "__main__":
    sys.exit(main())
