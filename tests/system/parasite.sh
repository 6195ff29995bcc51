#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# parasite.sh - the parasite runs wherever it is copied to
#
# By readelf: its section refers to nothing outside of itself, in the object file and in the program
# that carries it, fits into its page, and no instruction uses floating point or vector registers.
set -u

lib=$COMOSIX_BUILD/src/forward/libforward_home.a
program=$COMOSIX_BIN/comosix-deputy
failed=0

result() {
	if [ -z "$2" ]; then
		echo "ok - $1"
	else
		echo "not ok - $1: $2"
		failed=1
	fi
}

[ -f "$lib" ] || { echo "not ok - no $lib: build it first"; exit 1; }

# calls from one function of the section to another are resolved by the linker, whoever copies it
own=$(readelf -SW "$lib" | sed -n 's/^ *\[ *\([0-9]*\)\] parasite  *PROGBITS.*/\1/p')
[ -n "$own" ] || { echo "not ok - $lib has no section called parasite"; exit 1; }
names=$(readelf -sW "$lib" | awk -v own="$own" '$7 == own { print $8 }')
result 'the object refers to nothing outside of the section' "$(readelf -rW "$lib" |
	awk -v names="$names" '
		BEGIN { n = split(names, w, "\n"); for (i = 1; i <= n; i++) inside[w[i]] = 1 }
		/^Relocation section/ { looking = index($3, "parasite") != 0 }
		looking && /R_X86_64_/ && !($3 ~ /^R_X86_64_(PC|PLT)32$/ && ($5 in inside)) {
			print $3, $5
		}')"

size=$(readelf -SW "$lib" | awk '/ parasite  *PROGBITS/ { sub(/.*PROGBITS/, ""); print $3 }')
result 'it fits into its page' "$([ $((0x$size)) -le 4096 ] || echo "0x$size bytes")"

if [ -x "$program" ]; then
	# address and length of the section, then every relocation of the loader
	bounds=$(readelf -SW "$program" | awk '/ parasite  *PROGBITS/ { sub(/.*PROGBITS/, ""); print $1, $3 }')
	from=$((0x${bounds% *}))
	to=$((from + 0x${bounds#* }))
	result 'the loader changes nothing in it' "$(readelf -rW "$program" |
		sed -n 's/^\([0-9a-f]\{16\}\) .*/\1/p' | while read -r at; do
			at=$((0x$at))
			[ $at -lt $from ] || [ $at -ge $to ] || echo "at $at"
		done)"
else
	result 'the program that carries it is there' "no $program"
fi

result 'it leaves vector and floating point registers alone' \
	"$(objdump -d -j parasite "$lib" | grep -E '%(x|y|z)mm|%st' | head -n 1)"
exit $failed
