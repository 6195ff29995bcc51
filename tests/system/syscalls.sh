#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# syscalls.sh - docs/SYSCALLS.md is what the table of calls says
set -u

describe=$COMOSIX_BUILD/src/forward/describe-syscalls
page=$COMOSIX_SOURCE/docs/SYSCALLS.md
made=$(mktemp)
trap 'rm -f "$made"' EXIT

if ! "$describe" >"$made"; then
	echo "not ok - $describe fails"
	exit 1
fi
if ! cmp -s "$made" "$page"; then
	diff "$page" "$made" | head -n 10
	echo "not ok - docs/SYSCALLS.md is old: build/src/forward/describe-syscalls >docs/SYSCALLS.md"
	exit 1
fi
echo "ok - docs/SYSCALLS.md"
"$describe" --coverage
