/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * guest_files.c - which files of home's list does this host have?
 *
 * Theory of operation. Each file of the list is asked for outside of the box (lend.h), one at a time.
 * What is lent gets the descriptor LENT_FDS_FIRST and its place in the list, in the agent and, as
 * it is born, in the guest; there mappings are made of it. Before the guest runs its copies are
 * closed. Ours too: what stays known of a file is its device and inode, by which its mappings are
 * recognized on the way home.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "migrate/guest.h"
#include "migrate/lend.h"
#include "migrate/remap.h"
#include "os/fd.h"

void guest_files_init(struct guest *g, int sock)
{
	files_init(&g->files.list);
	buf_init(&g->files.bytes, FILES_BYTES_MAX);
	g->files.sock = sock;
}

static void forget_lender(struct guest *g)
{
	loop_remove(g->loop, &g->files.ref);
	fd_close(&g->files.sock);
}

void guest_files_done(struct guest *g)
{
	forget_lender(g);
	guest_files_close(g);
	files_done(&g->files.list);
	buf_done(&g->files.bytes);
}

void guest_files_close(struct guest *g)
{
	for (size_t i = 0; i < g->files.list.n; i++)
		if (g->files.list.list[i].have && !g->files.closed)
			(void)close(LENT_FDS_FIRST + (int)i);
	g->files.closed = true;
}

static void say_have(struct guest *g)
{
	uint8_t bits[FILES_HAVE_MAX];
	size_t n = files_put_have(&g->files.list, bits);

	forget_lender(g);
	guest_send(g, MOVE_HAVE, bits, n, NULL, 0);
}

/* the file under its number; Return: is it had? */
static bool take_file(struct guest *g, size_t i, int fd)
{
	struct stat st;
	int there = fcntl(fd, F_DUPFD_CLOEXEC, LENT_FDS_FIRST + (int)i);

	(void)close(fd);
	if (there == LENT_FDS_FIRST + (int)i && fstat(there, &st) == 0) {
		g->files.id[i] = (struct guest_file_id){ st.st_ino, major(st.st_dev),
							 minor(st.st_dev) };
		return true;
	}
	if (there >= 0)
		(void)close(there);
	return false;
}

/* from files.next on: ask for one and wait, or it is the end */
static void go_on(struct guest *g)
{
	if (g->files.sock < 0 || g->files.next == g->files.list.n ||
	    lend_ask(g->files.sock, &g->files.list.list[g->files.next]) < 0)
		say_have(g);
}

static void on_lender(void *owner, uint32_t events)
{
	struct guest *g = owner;
	struct image_file *f = &g->files.list.list[g->files.next];
	int fd = lend_take(g->files.sock);

	(void)events;
	if (fd == -EAGAIN)
		return;
	if (fd == -EPIPE) {
		say_have(g);
		return;
	}
	f->have = fd >= 0 && take_file(g, g->files.next, fd);
	g->files.next++;
	go_on(g);
}

static int take_list(struct guest *g, struct err *e)
{
	int r = files_get(buf_bytes(&g->files.bytes), g->files.bytes.len, &g->files.list, e);

	buf_reset(&g->files.bytes);
	g->files.taken = true;
	if (!r && g->files.sock >= 0)
		r = loop_add_fd(g->loop, g->files.sock, EPOLLIN, on_lender, g, &g->files.ref);
	if (!r)
		go_on(g);
	return r;
}

int guest_take_files(struct guest *g, const struct move_frame *f, struct err *e)
{
	int r;

	if (g->files.taken || g->build.pid)
		return err_set(e, -EPROTO, "a list of files that comes too late");
	r = buf_put(&g->files.bytes, f->payload, f->len);
	if (r < 0)
		return err_set(e, r, "keep the list of files: %s", strerror(-r));
	return f->len ? 0 : take_list(g, e);
}

int guest_files_check(const struct guest *g, const struct image *m, struct err *e)
{
	for (size_t i = 0; i < m->n_mappings; i++) {
		uint32_t k = m->mappings[i].file;

		if (k && (k > g->files.list.n || !g->files.list.list[k - 1].have))
			return err_set(e, -EPROTO, "an image with a file that was not lent");
	}
	return 0;
}

/* the list's number of the file behind a mapping as this host's kernel tells it; 0: none of them */
static uint32_t number_of(const struct guest *g, const struct image_mapping *v)
{
	for (size_t k = 0; k < g->files.list.n; k++)
		if (g->files.list.list[k].have && g->files.id[k].inode == v->inode &&
		    g->files.id[k].major == v->major && g->files.id[k].minor == v->minor)
			return (uint32_t)k + 1;
	return 0;
}

static bool is_in_place(const struct image *arrived, const struct image_mapping *v)
{
	for (size_t i = 0; i < arrived->n_mappings; i++) {
		const struct image_mapping *a = &arrived->mappings[i];

		if (a->start <= v->start && a->end >= v->end)
			return a->file == v->file && a->offset - a->start == v->offset - v->start;
	}
	return false;
}

int guest_files_leave(struct guest *g, struct image *m)
{
	int r = 0;

	for (size_t i = 0; !r && i < m->n_mappings; i++) {
		struct image_mapping *v = &m->mappings[i];

		if (!(v->flags & IMAGE_MAP_FILE) || !v->inode || v->flags & IMAGE_MAP_BEYOND)
			continue;
		v->file = number_of(g, v);
		if (v->file && is_in_place(&g->arrived, v))
			continue;
		v->file = 0;
		if (!(v->flags & IMAGE_MAP_SHARED)) /* those are sent in any case */
			r = pages_add(&g->reader, v->start, v->end, PAGES_ALL);
	}
	return r;
}
