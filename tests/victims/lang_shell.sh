#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# lang_shell.sh - a shell script: variables, arithmetic, pipelines, substitutions, a background job and a trap
set -u

rounds=${VICTIM_ROUNDS:-10} wrong=0 n=0 trapped=0 sum=0
tell() { [ -z "${VICTIM_READY:-}" ] || echo "$@"; }
check() { # what command...
	local what=$1
	shift
	"$@" || { wrong=1; echo "lang_shell: not so: $what" >&2; }
}

trap 'trapped=$((trapped + 1))' USR1
tell ready $$
while :; do
	n=$((n + 1)) sum=$((sum + n))
	check 'arithmetic' [ $sum -eq $((n * (n + 1) / 2)) ]
	check 'a pipeline' [ "$(printf '%s\n' c a b | sort | tr -d '\n')" = abc ]
	check 'a substitution' [ "$(echo $n | sed 's/$/x/')" = ${n}x ]
	if [ $((n % 5)) -eq 0 ]; then
		before=$trapped
		kill -USR1 $$
		check 'a trap' [ $trapped -eq $((before + 1)) ]
		(exit 7) &
		wait $!
		check 'the status of a job' [ $? -eq 7 ]
	fi
	if [ $((n % rounds)) -eq 0 ]; then
		tell rounds $n
		[ -n "${VICTIM_STOP:-}" ] && [ ! -e "$VICTIM_STOP" ] || break
	fi
done
exit $wrong
