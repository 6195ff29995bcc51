/* SPDX-License-Identifier: GPL-2.0-or-later */
/* memory.c - the program's memory, as runs of bytes and as parts of an iovec */
#include <errno.h>

#include "forward/away/state.h"

#define PAGE	  4096ULL
#define PARTS_MAX 1024 /* UIO_MAXIOV */

size_t memory_read_up_to(const struct marshal *m, uint64_t at, void *p, size_t n)
{
	size_t done = 0;
	ssize_t r;

	while (done < n) {
		r = m->memory.read_some(m->memory.owner, at + done, (uint8_t *)p + done, n - done);
		if (r <= 0)
			break;
		done += (size_t)r < n - done ? (size_t)r : n - done;
	}
	return done;
}

bool memory_read(const struct marshal *m, uint64_t at, void *p, size_t n)
{
	return memory_read_up_to(m, at, p, n) == n;
}

bool memory_write(const struct marshal *m, uint64_t at, const void *p, size_t n)
{
	return n == 0 || m->memory.write(m->memory.owner, at, p, n) == 0;
}

size_t memory_reach(const struct marshal *m, uint64_t at, size_t n)
{
	size_t seen = 0;
	uint8_t byte;

	if (at + n < at)
		return 0;
	if (n == 0 || !memory_read(m, at, &byte, 1))
		return 0;
	/* a look costs a microsecond: one in the last page has to do, unless nothing is there */
	if (at / PAGE == (at + n - 1) / PAGE || memory_read(m, at + n - 1, &byte, 1))
		return n;
	while (seen < n && memory_read(m, at + seen, &byte, 1))
		seen += PAGE - (at + seen) % PAGE;
	return seen < n ? seen : n;
}

void parts_single(struct marshal *m, uint64_t at, uint64_t len)
{
	m->one = (struct part){ at, len < MOVE_MOST ? len : MOVE_MOST };
	m->part = &m->one;
	m->n_parts = 1;
}

int parts_load(struct marshal *m, uint64_t at, uint64_t n)
{
	uint64_t total = 0;

	m->n_parts = 0;
	if (n > PARTS_MAX)
		return -EMSGSIZE;
	if (!m->parts) {
		m->parts = calloc(PARTS_MAX, sizeof(*m->parts));
		if (!m->parts)
			return -ENOMEM;
	}
	m->part = m->parts;
	if (!memory_read(m, at, m->parts, n * sizeof(*m->parts)))
		return -EFAULT;
	for (uint64_t i = 0; i < n; i++) {
		if (m->parts[i].len > INT64_MAX)
			return -EINVAL;
		if (m->parts[i].len > MOVE_MOST - total)
			m->parts[i].len = MOVE_MOST - total;
		total += m->parts[i].len;
	}
	m->n_parts = (uint32_t)n;
	return 0;
}

uint64_t parts_total(const struct marshal *m)
{
	uint64_t total = 0;

	for (uint32_t i = 0; i < m->n_parts; i++)
		total += m->part[i].len;
	return total;
}

/* what is done with a run of bytes; returns how many it did */
typedef size_t run_fn(const struct marshal *m, uint64_t at, uint8_t *p, size_t n);

static size_t run_read(const struct marshal *m, uint64_t at, uint8_t *p, size_t n)
{
	return memory_read_up_to(m, at, p, n);
}

static size_t run_write(const struct marshal *m, uint64_t at, uint8_t *p, size_t n)
{
	return memory_write(m, at, p, n) ? n : 0;
}

static size_t run_reach(const struct marshal *m, uint64_t at, uint8_t *p, size_t n)
{
	return memory_reach(m, at, n);
}

static size_t each_run(const struct marshal *m, uint64_t from, uint8_t *p, size_t n, run_fn *fn)
{
	size_t done = 0, run, did;

	for (uint32_t i = 0; i < m->n_parts && done < n; i++) {
		if (from >= m->part[i].len) {
			from -= m->part[i].len;
			continue;
		}
		run = m->part[i].len - from < n - done ? m->part[i].len - from : n - done;
		did = fn(m, m->part[i].at + from, p ? p + done : NULL, run);
		done += did;
		if (did < run)
			break;
		from = 0;
	}
	return done;
}

size_t parts_gather(const struct marshal *m, uint64_t from, uint8_t *to, size_t n)
{
	return each_run(m, from, to, n, run_read);
}

size_t parts_scatter(const struct marshal *m, uint64_t from, const uint8_t *p, size_t n)
{
	return each_run(m, from, (uint8_t *)(uintptr_t)p, n, run_write); /* only read there */
}

size_t parts_reach(const struct marshal *m, uint64_t from, size_t n)
{
	return each_run(m, from, NULL, n, run_reach);
}
