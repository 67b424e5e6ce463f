#!/bin/sh
# Runs every fuzz target of the repository, one after the other.
# usage: fuzz.sh DURATION
set -eu
time=${1:?usage: fuzz.sh DURATION}
log=$(mktemp)
trap 'rm -f "$log"' EXIT

targets() { # lines of "folder target"
	grep -rn --include='*_test.go' -oE '^func Fuzz[A-Za-z0-9_]+' . |
		sed -E 's|^(.*)/[^/]+:[0-9]+:func (Fuzz.*)$|\1 \2|' | sort
}

run() { # FOLDER TARGET
	(cd "$1" && go test -run '^$' -fuzz "^$2\$" -fuzztime "$time" -fuzzminimizetime 10x .) </dev/null >"$log" 2>&1 || {
		cat "$log"
		return 1
	}
	tail -n 1 "$log"
}

# go test before Go 1.27 sometimes takes the end of its time for a failure
# (go.dev/issue/75804): then there is no failing input.
late() { grep -q '^ *context deadline exceeded$' "$log" && ! grep -q 'Failing input' "$log"; }

count=0
while read -r folder target; do
	echo "== $folder $target"
	run "$folder" "$target" || { late && echo "again: its time ended at the wrong moment" && run "$folder" "$target"; }
	count=$((count + 1))
done <<EOF
$(targets)
EOF
echo "$count fuzz targets, $time each, no finding"
