/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz_pages.c - hostile PAGES frames, written into a file instead of a process
 *
 * The first byte: 1 the process is being built. What is in our region must stay as it was, and what was
 * taken must be there.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "migrate/pages.h"
#include "migrate/pages_frame.h"
#include "tests/fuzz/frames.h"

#define HIDE	   0x10000ULL
#define HIDE_PAGES 4

static void hidden_is_untouched(int mem)
{
	uint8_t bytes[HIDE_PAGES * MOVE_PAGE];

	MUST(pread(mem, bytes, sizeof(bytes), (off_t)HIDE) == (ssize_t)sizeof(bytes));
	MUST(!bytes[0] && !memcmp(bytes, bytes + 1, sizeof(bytes) - 1));
}

static void is_there(int mem, const struct move_frame *f)
{
	uint8_t page[MOVE_PAGE];
	struct pages_header h;

	memcpy(&h, f->payload, sizeof(h));
	for (uint32_t i = 0; h.kind == PAGES_BYTES && i < h.n; i++) {
		MUST(pread(mem, page, MOVE_PAGE, (off_t)(h.at + (uint64_t)i * MOVE_PAGE)) ==
		     MOVE_PAGE);
		MUST(!memcmp(page, f->payload + sizeof(h) + (size_t)i * MOVE_PAGE, MOVE_PAGE));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct frames in = { data + 1, size ? size - 1 : 0 };
	struct pageset written;
	struct pages_writer w = { .pagemap = -1,
				  .hide_start = HIDE,
				  .hide_end = HIDE + HIDE_PAGES * MOVE_PAGE };
	struct move_frame f;
	int r = 0;

	if (!size)
		return 0;
	pageset_init(&written);
	w.mem = memfd_create("memory", MFD_CLOEXEC);
	MUST(w.mem >= 0 && ftruncate(w.mem, (off_t)IMAGE_TOP) == 0);
	w.written = data[0] & 1 ? &written : NULL;
	while (!r && frames_next(&in, &f)) {
		struct err e = { 0 };
		bool end = false;

		if (f.type != MOVE_PAGES)
			continue;
		r = pages_write(&w, &f, &end, &e);
		MUST(r <= 0 && (r == 0 || e.text[0]));
		if (!r && !end)
			is_there(w.mem, &f);
	}
	hidden_is_untouched(w.mem);
	pageset_done(&written);
	(void)close(w.mem);
	return 0;
}
