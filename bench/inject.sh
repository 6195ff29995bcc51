#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# inject.sh - what a system call injected into a traced thread costs; prints, judges nothing
exec "$(dirname "$0")/../build/tests/child/bench-inject"
