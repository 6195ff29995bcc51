#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# layers.sh - tools/check-layers finds each breach, and the tree has none
#
# A small clean tree is broken in one way after the other; each time the check must fail and name
# the rule. Last, the real tree must pass.
set -u

tool=$COMOSIX_SOURCE/tools/check-layers
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
failed=0
licence='/* SPDX-License-Identifier: GPL-2.0-or-later */'

fresh() {
	rm -rf "$tree"
	mkdir -p "$tree/tools" "$tree/src/base" "$tree/src/os" "$tree/src/net/deep"
	printf 'base:\nos: base\nnet: base os\nnet/deep: base\n' >"$tree/tools/layers"
	printf '%s\n#include "base/b.h"\n' "$licence" >"$tree/src/base/b.h"
	printf '%s\n#include "os/o.h"\n#include "base/b.h"\n' "$licence" >"$tree/src/os/o.h"
	printf '%s\n#include "os/o.h"\n#include <stdio.h>\n' "$licence" >"$tree/src/net/n.c"
	printf '%s\n#include "base/b.h"\n' "$licence" >"$tree/src/net/deep/d.c"
}

# rule NAME: the tree as it is now must be refused because of it, and of nothing else
rule() {
	said=$("$tool" "$tree" 2>&1)
	status=$?
	if [ $status -eq 1 ] && echo "$said" | grep -q "^[^ ]*:[0-9]*: $1: " &&
		[ "$(echo "$said" | wc -l)" -eq 1 ]; then
		echo "ok - $2"
	else
		echo "not ok - $2: exit $status, said: $said"
		failed=1
	fi
	fresh
}

fresh
if said=$("$tool" "$tree" 2>&1) && [ -z "$said" ]; then
	echo "ok - a clean tree passes"
else
	echo "not ok - a clean tree passes: $said"
	failed=1
fi

printf '%s\n#include "os/o.h"\n' "$licence" >"$tree/src/base/up.c"
rule layer 'an include upwards'
printf '%s\n  #  include "os/o.h"\n' "$licence" >"$tree/src/net/deep/up.c"
rule layer 'a folder in a folder has its own row'
printf '%s\n#include "n.h"\n' "$licence" >"$tree/src/net/flat.c"
rule layer 'an include without its folder'
mkdir "$tree/src/new" && printf '%s\n' "$licence" >"$tree/src/new/n.c"
rule layer 'a folder without a row'
printf '%s\n#ifdef _WIN32\n#endif\n' "$licence" >"$tree/src/net/w.c"
rule os 'an #if on an operating system'
{ echo "$licence"; yes '' | head -n 800; } >"$tree/src/net/long.c"
rule length 'a file of 801 lines'
printf '%s\n' "$licence" >"$tree/src/net/string_utils.c"
rule name 'a file that is called utils'
printf 'int x;\n' >"$tree/src/net/free.c"
rule spdx 'a file without its licence'
printf '%s\n/* %s later */\n' "$licence" TO''DO >"$tree/src/net/later.c"
rule todo 'a note of unfinished work'
printf '#!/bin/sh\n# SPDX-License-Identifier: GPL-2.0-or-later\n# %s\n' FIX''ME >"$tree/tools/t.sh"
rule todo 'a note of unfinished work in a script'

if said=$("$tool" "$COMOSIX_SOURCE" 2>&1); then
	echo "ok - this tree"
else
	echo "$said"
	echo "not ok - this tree: see the lines above"
	failed=1
fi
exit $failed
