#!/bin/sh
# Runs every fuzz target of the repository, one after the other.
# usage: fuzz.sh DURATION
set -eu
time=${1:?usage: fuzz.sh DURATION}

targets() { # lines of "folder target"
	grep -rn --include='*_test.go' -oE '^func Fuzz[A-Za-z0-9_]+' . |
		sed -E 's|^(.*)/[^/]+:[0-9]+:func (Fuzz.*)$|\1 \2|' | sort
}

count=0
while read -r folder target; do
	echo "== $folder $target"
	(cd "$folder" && go test -run '^$' -fuzz "^$target\$" -fuzztime "$time" -fuzzminimizetime 10x .) </dev/null
	count=$((count + 1))
done <<EOF
$(targets)
EOF
echo "$count fuzz targets, $time each, no finding"
