"""Unit tests need no lab: they must not see the one that a shell was pointed at with lab/activate."""

import os

from hypothesis import HealthCheck, settings

for name in [name for name in os.environ if name.startswith(("ANSIBLE_", "LAB_"))]:
    del os.environ[name]

# A machine that is busy with something else is no reason to fail.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")
