#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# run.sh - run one libFuzzer program for FUZZ_SECONDS
#
# Usage: run.sh PROGRAM CORPUS
#
# The corpus in the source tree is only read; what is found on the way is kept beside the program,
# so that the next run goes on from there. A crashing input is kept as crashes/NAME-*: add it to the
# corpus together with the fix.
set -eu

name=$(basename "$1")
found=$(dirname "$1")/found/$name
crashes=$(dirname "$1")/crashes
mkdir -p "$found" "$crashes"
# libFuzzer says 77 for a find, which Meson takes for a test that was skipped
exec "$1" -error_exitcode=1 -max_total_time="${FUZZ_SECONDS:-30}" -timeout=10 -rss_limit_mb=1024 \
	-artifact_prefix="$crashes/$name-" -print_final_stats=1 -verbosity=0 "$found" "$2"
