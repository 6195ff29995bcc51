#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# kernel_numbers.sh - the calls that the machine's kernel headers name, as NUMBER(name) lines
#
# Usage: kernel_numbers.sh CC...
set -eu

numbers=$(echo '#include <asm/unistd_64.h>' | "$@" -E -dM - |
	sed -n 's/^#define __NR_\([a-z0-9_]*\) [0-9]*$/NUMBER(\1)/p' | sort)
[ -n "$numbers" ] || { echo "kernel_numbers.sh: <asm/unistd_64.h> names no call" >&2; exit 1; }
echo '/* made by kernel_numbers.sh */'
echo "$numbers"
