"""The one error class of the lab."""


class LabError(Exception):
    """Something the user can act on; its text is one sentence that names what is wrong and what to do."""
