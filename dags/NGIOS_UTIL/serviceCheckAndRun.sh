#!/bin/sh
# Crontabs of old call this file; the watchdog itself is installed outside of the dags folder, where no delivery reaches it.
exec sh "${0%/dags/NGIOS_UTIL/*}/bin/serviceCheckAndRun.sh"
