#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# hardening.sh - what is built can still be trusted with bytes from strangers
#
# By readelf, for each program and preloaded library in the build directory: position independent,
# relocations read-only after start, all symbols bound at start, no executable stack, every
# source file built with the stack protector, no search path for libraries outside the system.
set -u

failed=0

# check FILE WHAT TEXT PATTERN [absent]: TEXT must hold PATTERN, or must not
check() {
	local file=$1 what=$2 text=$3 pattern=$4 absent=${5:-}

	if grep -Eq "$pattern" <<<"$text"; then
		[ -z "$absent" ] && return
	else
		[ -n "$absent" ] && return
	fi
	echo "not ok - $file: $what"
	failed=1
	bad=yes
}

found=0
for file in $(find "$COMOSIX_BIN" -maxdepth 1 -type f -perm -u+x) $(find "$COMOSIX_BUILD/src" -name '*.so'); do
	name=$(basename "$file")
	header=$(readelf -hW "$file" 2>/dev/null) || continue # a script
	segments=$(readelf -lW "$file")
	dynamic=$(readelf -dW "$file")
	# the compiler leaves its options in the debug information of each source file
	unguarded=$(readelf --debug-dump=info --dwarf-depth=1 "$file" 2>/dev/null |
		grep 'DW_AT_producer.*GNU C' | grep -v -e '-fstack-protector-strong')
	found=$((found + 1))
	bad=
	check "$name" 'not position independent (b_pie)' "$header" 'Type: +DYN'
	check "$name" 'no RELRO segment (-z relro)' "$segments" 'GNU_RELRO'
	check "$name" 'executable stack' "$segments" 'GNU_STACK.* RWE ' absent
	check "$name" 'writable and executable segment' "$segments" 'LOAD.* RWE ' absent
	check "$name" 'a file built without -fstack-protector-strong' "$unguarded" . absent
	check "$name" 'a library search path (RPATH, RUNPATH)' "$dynamic" '\((RPATH|RUNPATH)\)' absent
	if grep -q 'Dynamic section' <<<"$dynamic"; then
		check "$name" 'lazy binding (-z now)' "$dynamic" 'BIND_NOW|Flags:.* NOW'
	fi
	[ -n "$bad" ] || echo "ok - $name"
done
if [ $found -eq 0 ]; then
	echo "not ok - no program in $COMOSIX_BIN"
	failed=1
fi
exit $failed
