"""Documentation that modules and filters share which log in to a server."""

from __future__ import annotations


class ModuleDocFragment:
    """The account, and as C(login.server) where its server is."""

    DOCUMENTATION = r"""
options:
  user:
    description: Name of the account.
    type: str
    required: true
  password:
    description: Password of the account, in plain text.
    type: str
    required: true
"""

    SERVER = r"""
options:
  host:
    description: Name or address of the server.
    type: str
    required: true
  port:
    description: TCP port of the server.
    type: int
    required: true
  timeout:
    description: Seconds to wait for the connection.
    type: int
    default: 10
"""
