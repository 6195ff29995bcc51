/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * guest_memory.c - the program's memory, as its agent reads and writes it
 *
 * Theory of operation. process_vm_readv(2) waits for a page that is missed (guest_late.c), and nobody
 * but the agent itself could bring it: so guest_reach() comes before. That is not enough where a
 * thread gives pages back: its madvise(2) tells us of that, and takes them away when we have heard,
 * at any time from then on. So such a place is unsteady for a while. There /proc/PID/mem is used: it
 * never waits, a page that is missing ends it. But it heeds no protection, which is looked up first.
 */
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "migrate/ends.h"
#include "migrate/guest.h"
#include "tracee/maps.h"

#define PAGE_TRIES 1000 /* it is given back again and again */

/* a piece of memory that is to be read or written */
struct access {
	struct guest *g;
	uint64_t at;
	uint8_t *p;
	size_t n;
	bool write;
};

/* how much of it, from the start on, may be touched so */
static size_t allowed(const struct access *a)
{
	const uint32_t need = a->write ? PROT_WRITE : PROT_READ;
	uint64_t at = a->at;
	struct maps maps;

	if (maps_read(a->g->build.pid, false, &maps, NULL) < 0)
		return 0;
	for (size_t i = 0; i < maps.n && at < a->at + a->n; i++) {
		const struct maps_entry *v = &maps.entries[i];

		if (v->start <= at && at < v->end && v->prot & need)
			at = v->end;
	}
	maps_done(&maps);
	return at - a->at < a->n ? (size_t)(at - a->at) : a->n;
}

/* not over the end of a page; Return: true when done, false: it is missing, or was not to be had */
static bool touch(const struct access *a, size_t done, size_t n)
{
	int mem = a->g->build.mem;
	off_t at = (off_t)(a->at + done);
	ssize_t got = a->write ? pwrite(mem, a->p + done, n, at) : pread(mem, a->p + done, n, at);

	return got == (ssize_t)n;
}

/* Return: bytes, -EAGAIN some of it is late, -EFAULT */
static ssize_t touch_unsteady(const struct access *a)
{
	size_t len = allowed(a), done = 0;

	while (done < len) {
		uint64_t at = a->at + done;
		size_t n = MOVE_PAGE - at % MOVE_PAGE, tries = 0;

		n = n < len - done ? n : len - done;
		while (!touch(a, done, n)) {
			if (!guest_reach(a->g, at, n))
				return -EAGAIN;
			if (++tries == PAGE_TRIES)
				return done ? (ssize_t)done : -EFAULT;
		}
		done += n;
	}
	return done ? (ssize_t)done : -EFAULT;
}

/* Return: bytes, fewer only when reading; -EAGAIN some of it is late, -EFAULT */
static ssize_t reach_and_touch(const struct access *a)
{
	pid_t pid = a->g->build.pid;
	ssize_t got;

	if (!guest_reach(a->g, a->at, a->n))
		return -EAGAIN;
	if (guest_is_unsteady(a->g, a->at, a->n)) {
		got = touch_unsteady(a);
		return a->write && got >= 0 && (size_t)got < a->n ? -EFAULT : got;
	}
	if (!a->write)
		return tracee_read_some(pid, a->at, a->p, a->n);
	return tracee_write(pid, a->at, a->p, a->n) < 0 ? -EFAULT : (ssize_t)a->n;
}

/* guest_calls.c takes this step again when it is there; what is behind the end of a file is at home */
static ssize_t note_absent(struct guest_thread *t, const struct access *a, ssize_t r)
{
	uint64_t there = r > 0 ? (uint64_t)r : 0;

	if (there < a->n && ends_is_beyond(&t->guest->image, a->at + there))
		t->beyond = true;
	if (r != -EAGAIN)
		return r;
	t->late_at = a->at;
	t->late_end = a->at + a->n;
	return -EFAULT;
}

ssize_t guest_memory_read(void *owner, uint64_t at, void *p, size_t n)
{
	struct guest_thread *t = owner;
	const struct access a = { t->guest, at, p, n, false };

	return note_absent(t, &a, reach_and_touch(&a));
}

int guest_memory_write(void *owner, uint64_t at, const void *p, size_t n)
{
	struct guest_thread *t = owner;
	const struct access a = { t->guest, at, (uint8_t *)p, n, true }; /* is only read */
	ssize_t r = n ? note_absent(t, &a, reach_and_touch(&a)) : 0;

	return r < 0 ? (int)r : 0;
}

int guest_read(const struct guest_thread *t, uint64_t at, void *p, size_t n)
{
	const struct access a = { t->guest, at, p, n, false };

	return n && reach_and_touch(&a) != (ssize_t)n ? -EFAULT : 0;
}

int guest_write(const struct guest_thread *t, uint64_t at, const void *p, size_t n)
{
	const struct access a = { t->guest, at, (uint8_t *)p, n, true }; /* is only read */

	return n && reach_and_touch(&a) != (ssize_t)n ? -EFAULT : 0;
}
