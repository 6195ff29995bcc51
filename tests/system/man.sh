#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# man.sh - every man page is clean mdoc(7), and is installed
set -u

command -v mandoc >/dev/null || {
	echo "mandoc is missing; install it (make check does)"
	exit 77
}
failed=0
cd "$COMOSIX_SOURCE/man" || exit 1
for page in *.[1-9]; do
	if ! said=$(mandoc -mdoc -Tlint -Wwarning "$page" 2>&1); then
		echo "$said"
		echo "not ok - $page: mandoc -Tlint says the lines above"
		failed=1
	elif ! grep -q '^\.Sh EXAMPLES' "$page"; then
		echo "not ok - $page: a section EXAMPLES is wanted"
		failed=1
	elif ! grep -q "'$page'" meson.build; then
		echo "not ok - $page: add it to man/meson.build"
		failed=1
	else
		echo "ok - $page"
	fi
done
exit $failed
