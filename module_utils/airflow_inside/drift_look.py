"""What Airflow itself says of a host: its effective configuration, its packages, and how far the clock is off."""

from __future__ import annotations

import hashlib
import hmac
import re
import time
from pathlib import Path
from typing import Any

# Options that Airflow does not know (of a custom section, for example) are secret when they are called like one.
SECRET_NAME = re.compile(r"passw|secret|token|credential|_key$|conn$", re.I)

LOADED = (".py", ".so", ".zip", ".egg", ".whl")

SECRET_VALUE = re.compile(r"://.*:.*@", re.S)  # a URL with a password


def main(request: dict[str, Any]) -> dict[str, Any]:
    """Return versions, configuration, secrets as fingerprints under ``request["key"]``, packages and clock."""
    import platform  # noqa: PLC0415

    from airflow import __version__  # noqa: PLC0415 - only the virtual environment has Airflow
    from airflow.configuration import conf  # noqa: PLC0415

    # Environment variables and commands count, as when Airflow works with it.
    options = conf.as_dict(display_source=False, display_sensitive=True, raw=False)
    plain, secret = parted(options, conf.sensitive_config_values)
    return {
        "versions": {"airflow": __version__, "python": platform.python_version()},
        "config": plain,
        "keys": {name: fingerprint(request["key"], value) for name, value in secret.items()},
        "packages": packages(),
        "plugins": plugins(conf.get("core", "plugins_folder")),
        "clock": clock(),
    }


def parted(options: dict[str, Any], sensitive: Any) -> tuple[dict[str, str], dict[str, str]]:
    """Return the options that may be shown and those that may not, by section.option."""
    plain: dict[str, str] = {}
    secret: dict[str, str] = {}
    for section, body in options.items():
        for option, value in body.items():
            hidden = (section, option) in sensitive or SECRET_NAME.search(option) or SECRET_VALUE.search(str(value))
            (secret if hidden else plain)[f"{section}.{option}"] = str(value)
    return plain, secret


def fingerprint(key: str, value: str) -> str:
    """Return what two equal values share and nobody without the key can guess from."""
    return hmac.new(key.encode(), value.encode(), hashlib.sha256).hexdigest()[:12]


def packages() -> dict[str, str]:
    """Return the version of each installed package."""
    from importlib.metadata import distributions  # noqa: PLC0415

    found = {each.metadata["Name"]: each.version for each in distributions()}
    return {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in found.items() if name}


def plugins(folder: str) -> dict[str, str]:
    """Return the hashes of the files in a folder that Airflow or Python would load, whoever brought them."""
    paths = [path for path in Path(folder).rglob("*") if path.suffix in LOADED and path.is_file()]
    named = {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}
    return {name.encode("utf-8", "backslashreplace").decode(): content for name, content in named.items()}


def clock() -> float | None:
    """Return by how many seconds this host is ahead of the metadata database; None when that does not answer."""
    from airflow import settings  # noqa: PLC0415
    from sqlalchemy import text  # noqa: PLC0415
    from sqlalchemy.exc import DBAPIError  # noqa: PLC0415

    query = text("select unix_timestamp(now(6))")
    try:
        with settings.engine.connect() as connection:
            connection.execute(query)  # the first one also logs in
            before = time.time()
            server = float(connection.execute(query).scalar())
            after = time.time()
    except DBAPIError:
        return None
    return round((before + after) / 2 - server, 3)
