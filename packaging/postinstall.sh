#!/bin/sh
# A directory that runs goes on with the new program; none is started: it has
# to be told its name first.
set -e
if [ -z "${DPKG_ROOT:-}" ] && [ -d /run/systemd/system ]; then
	systemctl daemon-reload
	systemctl try-restart firstday-directory.service
fi
