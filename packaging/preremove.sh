#!/bin/sh
# Debian says remove or upgrade, RPM how many are left. The data stays.
set -e
case "${1:-}" in remove|0) ;; *) exit 0 ;; esac
if [ -z "${DPKG_ROOT:-}" ] && [ -d /run/systemd/system ]; then
	systemctl disable --now firstday-directory.service
fi
