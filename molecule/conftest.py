"""What holds for the tests of all scenarios."""

import os

# Molecule asks for colours, also of the playbooks that tests run to read what they say.
os.environ.pop("ANSIBLE_FORCE_COLOR", None)
os.environ["ANSIBLE_NOCOLOR"] = "1"
