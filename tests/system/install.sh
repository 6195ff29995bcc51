#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# install.sh - what `make install` puts down is what packaging/installed-files lists, no more, no less
set -u

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
prefix=$COMOSIX_PREFIX
list=$COMOSIX_SOURCE/packaging/installed-files

# --no-rebuild: another test runs from this build directory at the same time
if ! meson install -C "$COMOSIX_BUILD" --no-rebuild --quiet --destdir "$root" >"$root.log" 2>&1; then
	cat "$root.log"
	rm -f "$root.log"
	echo 'not ok - meson install: see above'
	exit 1
fi
rm -f "$root.log"
(cd "$root" && find . -type f -o -type l | sed 's|^\.||' | sed "s|^$prefix/|PREFIX/|" | sort) >"$root/is"
grep -v -E '^(#|$)' "$list" | sort -u >"$root/wanted"
sed -i '/^\/is$/d; /^\/wanted$/d' "$root/is"
failed=0
if diff "$root/wanted" "$root/is" >"$root/diff"; then
	echo 'ok - installed files'
else
	sed -n 's/^> /installed, but not listed: /p; s/^< /listed, but not installed: /p' "$root/diff"
	echo 'not ok - installed files: put them into packaging/installed-files, or install them'
	failed=1
fi

# a unit that starts what is not there would be found by the first operator
for unit in "$root$prefix"/lib/systemd/system/*.service; do
	program=$(sed -n 's/^ExecStart=\([^ ]*\).*/\1/p' "$unit")
	if [ -x "$root$program" ]; then
		echo "ok - $(basename "$unit") starts what is installed"
	else
		echo "not ok - $(basename "$unit") starts $program, which is not installed"
		failed=1
	fi
done
exit $failed
