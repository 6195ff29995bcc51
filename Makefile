# SPDX-License-Identifier: GPL-2.0-or-later
# Makefile - thin front of Meson: the few words a person types
#
# Each goal installs the Debian packages it lacks (tools/ensure-packages says which and why, and is
# silent when all is there). What is built and tested stands in the meson.build files; here is only
# which build directory a goal needs and which suites it runs:
#
#	build		what people use; programs run in place as build/bin/NAME
#	build-asan	AddressSanitizer and UndefinedBehaviorSanitizer
#	build-tsan	ThreadSanitizer
#	build-clang	the same with clang, for its warnings and for clang-tidy
#	build-fuzz	libFuzzer
#
# A failing test does not stop `make check`: all suites run, then tools/test-summary counts and
# decides the exit status.

JOBS		?= $(shell nproc)
PREFIX		?= /usr/local
DESTDIR		?=
FUZZ_SECONDS	?= 30

MESON		= meson
NINJA		= ninja -j$(JOBS)
MESON_TEST	= $(MESON) test --num-processes $(JOBS) --print-errorlogs --no-suite full

setup_build		= -Dprefix=$(PREFIX)
# gcc warns of things that are not so when it instruments; build and build-clang hold the warnings
setup_build-asan	= -Db_sanitize=address,undefined -Db_lundef=false -Dwerror=false
setup_build-tsan	= -Db_sanitize=thread -Db_lundef=false -Dwerror=false
setup_build-clang	=
setup_build-fuzz	= -Db_sanitize=address,undefined -Db_lundef=false -Dwerror=false -Dfuzz=true
cc_build-clang		= CC=clang
cc_build-fuzz		= CC=clang
dirs			= build build-asan build-tsan build-clang build-fuzz

asan_suites	= --suite unit --suite sim --suite fuzz
tsan_suites	= --suite unit --suite threads --no-suite processes
benches		= $(sort $(basename $(notdir $(shell find bench -maxdepth 1 -type f -perm -u+x 2>/dev/null))))
sources		= $(shell find src tests bench -name '*.[ch]')

.DEFAULT_GOAL := all
.NOTPARALLEL:
.PHONY: all help demo check check-full bench asan tsan clang fuzz tidy format format-check install \
	uninstall clean

help:
	@echo 'make              build; each program then runs in place as build/bin/NAME'
	@echo 'make demo         a lab of four nodes and an exact parallel BLAST search on it'
	@echo 'make check        the tests that a change must pass; as root, else the lab is skipped'
	@echo 'make check-full   the same and every cell of every matrix; takes hours'
	@echo 'make bench        all measurements; one of them: make bench-NAME ($(benches))'
	@echo 'make asan         unit tests, simulator and fuzz corpora under ASan and UBSan'
	@echo 'make tsan         unit tests under ThreadSanitizer'
	@echo 'make fuzz         each fuzz target for FUZZ_SECONDS=$(FUZZ_SECONDS)'
	@echo 'make clang        build with clang; make tidy: clang-tidy over src/'
	@echo 'make format       lay out the sources; make format-check: only look'
	@echo 'make install      DESTDIR=$(DESTDIR) PREFIX=$(PREFIX); make uninstall takes it back'
	@echo 'make clean        forget all that was built'

# --- build -----------------------------------------------------------------------------------

packages-%:
	@tools/ensure-packages $*

%/build.ninja: | packages-build
	$(cc_$*) $(MESON) setup $* $(setup_$*)

all: build/build.ninja packages-build
	@$(NINJA) -C build

clang: packages-lint build-clang/build.ninja
	@$(NINJA) -C build-clang

# the prefix is compiled in, so that another one means another build
install: all
	$(MESON) configure build -Dprefix=$(PREFIX)
	@$(NINJA) -C build
	$(MESON) install -C build --no-rebuild --destdir '$(DESTDIR)'

uninstall: build/build.ninja
	DESTDIR='$(DESTDIR)' ninja -C build uninstall

clean:
	rm -rf $(dirs) build-ci

# --- see it work, measure it -----------------------------------------------------------------

demo: packages-demo all
	tools/demo

bench: $(addprefix bench-,$(benches))

bench-%: packages-demo packages-bench all
	@set -- $$(find bench -maxdepth 1 -type f -perm -u+x \( -name '$*' -o -name '$*.*' \)); \
	[ $$# -eq 1 ] || { echo 'no measurement "$*"; there are: $(benches)' >&2; exit 2; }; "$$1"

# --- test ------------------------------------------------------------------------------------

check: packages-check packages-demo all build-asan/build.ninja
	@rm -f build/meson-logs/check.json build-asan/meson-logs/check.json
	-$(MESON_TEST) -C build --logbase check
	-$(MESON_TEST) -C build-asan --logbase check $(asan_suites)
	@tools/test-summary build/meson-logs/check.json build-asan/meson-logs/check.json

check-full: check
	@rm -f build/meson-logs/full.json
	-$(MESON) test -C build --num-processes 1 --print-errorlogs --suite full --logbase full
	@tools/test-summary build/meson-logs/check.json build-asan/meson-logs/check.json \
		build/meson-logs/full.json

asan: packages-check build-asan/build.ninja
	@rm -f build-asan/meson-logs/asan.json
	-$(MESON_TEST) -C build-asan --logbase asan $(asan_suites)
	@tools/test-summary build-asan/meson-logs/asan.json

tsan: packages-check build-tsan/build.ninja
	@rm -f build-tsan/meson-logs/tsan.json
	-$(MESON_TEST) -C build-tsan --logbase tsan $(tsan_suites)
	@tools/test-summary build-tsan/meson-logs/tsan.json

# crashing inputs are left in build-fuzz/tests/fuzz/crashes
fuzz: packages-lint build-fuzz/build.ninja
	@rm -f build-fuzz/meson-logs/fuzz.json
	-FUZZ_SECONDS=$(FUZZ_SECONDS) $(MESON_TEST) -C build-fuzz --suite libfuzzer --logbase fuzz
	@tools/test-summary build-fuzz/meson-logs/fuzz.json

tidy: clang
	@find src -name '*.c' | xargs -P$(JOBS) -n4 clang-tidy -quiet -p build-clang

format: packages-lint
	@clang-format -i $(sources)

format-check: packages-lint
	@clang-format --dry-run -Werror $(sources)
