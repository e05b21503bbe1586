"""Watch which other hosts run a scheduler; the last line of output is the answer as JSON.

alive: the hosts that wrote a heartbeat meanwhile; or error alone: why the database does not answer. A heartbeat is
compared with an earlier one, never with a clock: two hosts may differ in theirs. Only reads. Run by the environment's
Python with the configuration of the live Airflow: other_schedulers.py HOST SECONDS.
"""

import json
import sys
import time

POLL = 5.0  # seconds, the interval of heartbeats


def others(rows, here):
    """Return host and heartbeat of other hosts' jobs by job, from rows of job, host and heartbeat."""
    return {job: (host, beat) for job, host, beat in rows if host.partition(".")[0] != here.partition(".")[0]}


def alive(before, after):
    """Return the hosts that wrote between two looks: a later heartbeat, or a job that was not there."""
    return sorted({host for job, (host, beat) in after.items() if before.get(job) != (host, beat)})


def watch(look, seconds):
    """Look until somebody writes or the time is over; where there is nobody one look is enough."""
    first = look()
    until = time.monotonic() + seconds
    while first and time.monotonic() < until:
        time.sleep(POLL)
        if found := alive(first, look()):
            return found
    return []


def rows():
    """Read the jobs of schedulers that have not ended."""
    from airflow.jobs.job import Job
    from airflow.utils.session import create_session

    with create_session() as session:
        found = session.query(Job.id, Job.hostname, Job.latest_heartbeat)
        return found.filter(Job.job_type == "SchedulerJob", Job.state == "running").all()


def main(here, seconds):
    """Watch and print."""
    from sqlalchemy.exc import SQLAlchemyError

    try:
        answer = {"alive": watch(lambda: others(rows(), here), seconds)}
    except SQLAlchemyError as error:
        # Without the statement and the address, which holds the password.
        answer = {"error": str(getattr(error, "orig", None) or type(error).__name__)}
    print(json.dumps(answer))


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
