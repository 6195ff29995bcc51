#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# packages.sh - tools/ensure-packages installs what is missing, and only that
#
# Stand-ins for dpkg-query, apt-get, id and sudo come first in PATH and write down how they were
# called; nothing is installed here.
set -u

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/tools" "$work/bin" "$work/nosudo"
cp "$COMOSIX_SOURCE/tools/ensure-packages" "$work/tools/"
cat >"$work/tools/packages" <<'END'
# a comment
[build]
gcc  # the compiler
libfoo-dev  # reads foo

[demo]
blast  # the searches
gcc  # named twice

[empty]
END
cat >"$work/bin/dpkg-query" <<'END'
#!/bin/sh
for name; do
	grep -qx "$name" "$WORK/installed" && printf '%s/installed ' "$name"
done
grep -qx libfoo-dev "$WORK/installed" || { printf 'libfoo-dev/config-files '; exit 1; }
END
cat >"$work/bin/apt-get" <<'END'
#!/bin/sh
echo "apt-get $*" >>"$WORK/calls"
if [ -s "$WORK/locked" ]; then
	sed -i 1d "$WORK/locked"
	echo 'E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 1 (apt-get)'
	exit 100
fi
[ ! -e "$WORK/broken" ] || { echo 'E: Unable to locate package blast'; exit 100; }
END
printf '#!/bin/sh\necho "${FAKE_UID:-0}"\n' >"$work/bin/id"
printf '#!/bin/sh\n' >"$work/bin/sleep"
printf '#!/bin/sh\necho "sudo" >>"$WORK/calls"\nexec "$@"\n' >"$work/sudo"
chmod +x "$work"/bin/* "$work/sudo"
export WORK=$work
failed=0

# the tool sees only the stand-ins and what each Debian has
run() {
	: >"$work/calls"
	said=$(PATH=$work/bin:$extra:/usr/bin:/bin "$work/tools/ensure-packages" "$@" 2>&1)
	status=$?
	calls=$(cat "$work/calls")
}

# is NAME CONDITION...
is() {
	local name=$1
	shift
	if "$@"; then
		echo "ok - $name"
	else
		echo "not ok - $name: exit $status, said '$said', did '$calls'"
		failed=1
	fi
}
says() { [[ $said == *"$1"* ]]; }
does() { [[ $calls == *"$1"* ]]; }
silent() { [ $status -eq 0 ] && [ -z "$said" ] && [ -z "$calls" ]; }

extra=$work/nosudo
printf 'gcc\nlibfoo-dev\nblast\n' >"$work/installed"
run build demo
is 'nothing is said or done when all is there' silent

run empty
is 'nothing is said or done for an empty group' silent

printf 'gcc\n' >"$work/installed"
run build
is 'what is installed is told, and why' says 'installing libfoo-dev (reads foo)'
is 'only what is missing is installed' does 'install --no-install-recommends --no-remove libfoo-dev'
is 'a group that was not asked for is left alone' eval '! does blast'
run build demo
is 'several groups at once' does 'install --no-install-recommends --no-remove libfoo-dev blast'
run -n build
is '-n only tells' eval '[ $status -eq 1 ] && says libfoo-dev && [ -z "$calls" ]'

printf 'x\nx\n' >"$work/locked"
run build
is 'another apt is waited for, and that is said' eval \
	'[ $status -eq 0 ] && says "another apt is at work" && does "install --no"'
touch "$work/broken"
run demo
is 'a failure shows apt'\''s words and the command' eval \
	'[ $status -eq 1 ] && says "Unable to locate" && says "apt-get install --no-install-recommends"'
rm "$work/broken"

if [ -e /usr/bin/sudo ] || [ -e /bin/sudo ]; then
	echo 'ok - without root and sudo # SKIP this machine has sudo'
else
	FAKE_UID=1000 run build
	is 'without root and sudo the command is told' eval \
		'[ $status -eq 1 ] && says "let root run: apt-get install" && [ -z "$calls" ]'
fi
extra=$work/withsudo
mkdir "$extra" && mv "$work/sudo" "$extra/"
export FAKE_UID=1000
run build
is 'sudo is used when not root' eval '[ $status -eq 0 ] && does sudo && does "install --no"'
run nonsense
is 'an unknown group is an error' eval '[ $status -ne 0 ] && says nonsense'
exit $failed
