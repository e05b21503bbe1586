"""Make module_utils importable as it is on a host: as part of ansible.module_utils."""

from pathlib import Path

import ansible.module_utils

ansible.module_utils.__path__.append(str(Path(__file__).parent.parent / "module_utils"))
