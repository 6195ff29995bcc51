#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# programs.sh - every program keeps the manners of the command-line contract
#
# Each program in build/bin answers --help (exit 0, on stdout, with "Usage" and "Examples") and
# --version (exit 0), and refuses an unknown option (exit 2, on stderr, naming it). Each has a man
# page. Tools of the tests, which are not installed, need neither version nor page. The same for
# every command that `comosix --help` lists. Terminals and input are closed, so that a program that
# waits for somebody fails here instead.
set -u

failed=0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1

# programs that pass options on to another: what they say of an unknown one is not ours to choose
passes_on='mpiblast'
# commands that run a command: their own faults are 125, as env(1) has it
runs_command='comosix lab exec|comosix exec'

ok() { echo "ok - $*"; }
not_ok() {
	echo "not ok - $*"
	failed=1
}

# run COMMAND...: its output in ./out and ./err, its exit status in $status
run() {
	timeout 10 "$@" </dev/null >out 2>err
	status=$?
}

# manners LABEL COMMAND...
manners() {
	local label=$1
	shift

	run "$@" --help
	if [ $status -ne 0 ]; then
		not_ok "$label --help: exit $status: $(head -c 300 err)"
	elif ! grep -q '^Usage' out; then
		not_ok "$label --help: a line 'Usage: ...' on stdout is wanted"
	elif ! grep -q '^Examples' out; then
		not_ok "$label --help: examples are wanted (struct opt_command has a field for them)"
	else
		ok "$label --help"
	fi

	run "$@" --no-such-option
	if [[ " $passes_on " == *" $label "* ]]; then
		[ $status -ne 0 ] && ok "$label --no-such-option" || not_ok "$label --no-such-option: exit 0"
	elif [ $status -ne 2 ] && ! { [ $status -eq 125 ] && [[ $label =~ ^($runs_command)$ ]]; }; then
		not_ok "$label --no-such-option: exit $status, 2 is wanted: $(head -c 300 err)"
	elif ! grep -q 'no-such-option' err; then
		not_ok "$label --no-such-option: the message on stderr must name the option"
	else
		ok "$label --no-such-option"
	fi
}

# every page as plain text, one space between words
for page in "$COMOSIX_SOURCE"/man/*.[18]; do
	mandoc -mdoc -Tascii "$page" 2>/dev/null | sed 's/.\x08//g'
done | tr -s ' \n' ' ' >pages

found=0
for program in "$COMOSIX_BIN"/*; do
	[ -f "$program" ] && [ -x "$program" ] && [[ $program != *.so* ]] || continue
	found=$((found + 1))
	name=$(basename "$program")
	manners "$name" "$program"
	grep -q "/$name\$" "$COMOSIX_SOURCE/packaging/installed-files" || continue
	run "$program" --version
	if [ $status -eq 0 ] && grep -q "^$name [0-9]" out; then
		ok "$name --version"
	else
		not_ok "$name --version: exit $status, '$name NUMBER' is wanted, said: $(head -c 200 out err)"
	fi
	if compgen -G "$COMOSIX_SOURCE/man/$name.[18]" >/dev/null; then
		ok "$name has a man page"
	else
		not_ok "$name has no man page: write man/$name.1 (or .8 for a daemon)"
	fi
done
[ $found -gt 0 ] || not_ok "no programs in $COMOSIX_BIN"

# "  noun verb     summary" between "Commands:" and the next empty line; two spaces end the words
"$COMOSIX_BIN/comosix" --help | awk '
	/^Commands:/ { on = 1; next }
	on && /^$/ { exit }
	on { sub(/^ +/, ""); sub(/  .*/, ""); print }' >commands
while read -r words; do
	manners "comosix $words" "$COMOSIX_BIN/comosix" $words
	if grep -q -F -- "$words" pages; then
		ok "comosix $words is in a man page"
	else
		not_ok "comosix $words is in no man page (man/comosix*.1)"
	fi
done <commands
exit $failed
