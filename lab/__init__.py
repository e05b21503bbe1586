"""Real hosts for tests and the demo: systemd-nspawn containers that boot like machines, on one machine."""
