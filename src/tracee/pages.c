/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pages.c - which pages of a process are there
 *
 * Two ways to the same answer: the PAGEMAP_SCAN ioctl (Linux 6.7), which gives runs, and the
 * entries of /proc/PID/pagemap, 8 bytes for each page.
 */
#include <errno.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "tracee/maps.h"
#include "tracee/pagemap.h"

#define PAGE 4096

/* of one turn; on the stack */
#define REGIONS_STEP 256
#define ENTRIES_STEP 512

/* bits of an entry, Documentation/admin-guide/mm/pagemap.rst */
#define ENTRY_FILE    (1ULL << 61)
#define ENTRY_SWAPPED (1ULL << 62)
#define ENTRY_PRESENT (1ULL << 63)

struct runs {
	struct page_run *run;
	size_t n, max;
};

/* Return: false when it is full */
static bool add_run(struct runs *r, uint64_t start, uint64_t n)
{
	struct page_run *last = r->n ? &r->run[r->n - 1] : NULL;

	if (last && last->start + last->n * PAGE == start) {
		last->n += n;
		return true;
	}
	if (r->n == r->max)
		return false;
	r->run[r->n++] = (struct page_run){ .start = start, .n = n };
	return true;
}

static int scan_by_ioctl(int pagemap, uint64_t *from, uint64_t end, bool file_too, struct runs *r)
{
	while (*from < end && r->n < r->max) {
		struct pagemap_region region[REGIONS_STEP];
		size_t room = r->max - r->n;
		struct pagemap_scan a = {
			.size = sizeof(a),
			.start = *from,
			.end = end,
			.vec = (uint64_t)(uintptr_t)region,
			.vec_len = room < REGIONS_STEP ? room : REGIONS_STEP,
			.category_inverted = file_too ? 0 : PAGEMAP_FILE,
			.category_mask = file_too ? 0 : PAGEMAP_FILE,
			.category_anyof_mask = PAGEMAP_PRESENT | PAGEMAP_SWAPPED,
		};
		int n = ioctl(pagemap, PAGEMAP_SCAN_IOCTL, &a);

		if (n < 0)
			return -errno;
		for (int i = 0; i < n; i++)
			(void)add_run(r, region[i].start, (region[i].end - region[i].start) / PAGE);
		if (a.walk_end <= *from)
			return -EIO;
		*from = a.walk_end;
	}
	return 0;
}

static int scan_by_entries(int pagemap, uint64_t *from, uint64_t end, bool file_too, struct runs *r)
{
	while (*from < end) {
		uint64_t entry[ENTRIES_STEP];
		uint64_t want = (end - *from) / PAGE;
		ssize_t n;

		if (want > ENTRIES_STEP)
			want = ENTRIES_STEP;
		n = pread(pagemap, entry, want * sizeof(*entry),
			  (off_t)(*from / PAGE * sizeof(*entry)));
		if (n < 0)
			return -errno;
		if (n < (ssize_t)sizeof(*entry))
			return -ESRCH; /* its memory is gone */
		for (size_t i = 0; i < (size_t)n / sizeof(*entry); i++, *from += PAGE) {
			if (!(entry[i] & (ENTRY_PRESENT | ENTRY_SWAPPED)) ||
			    (!file_too && entry[i] & ENTRY_FILE))
				continue;
			if (!add_run(r, *from, 1))
				return 0;
		}
	}
	return 0;
}

ssize_t pages_scan_by(enum pages_way way, int pagemap, uint64_t *from, uint64_t end, bool file_too,
		      struct page_run *runs, size_t max)
{
	struct runs r = { .run = runs, .max = max };
	uint64_t at = *from;
	int result = -EINVAL;

	if (!max || at % PAGE || end % PAGE || at > end)
		return -EINVAL;
	switch (way) {
	case PAGES_BY_IOCTL:
		result = scan_by_ioctl(pagemap, &at, end, file_too, &r);
		break;
	case PAGES_BY_ENTRIES:
		result = scan_by_entries(pagemap, &at, end, file_too, &r);
		break;
	}
	if (result < 0)
		return result;
	*from = at;
	return (ssize_t)r.n;
}

ssize_t pages_scan(int pagemap, uint64_t *from, uint64_t end, bool file_too, struct page_run *runs,
		   size_t max)
{
	ssize_t n = pages_scan_by(PAGES_BY_IOCTL, pagemap, from, end, file_too, runs, max);

	if (n == -ENOTTY)
		n = pages_scan_by(PAGES_BY_ENTRIES, pagemap, from, end, file_too, runs, max);
	return n;
}
