/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * guest_views.c - the process opens a file of its own in /proc
 *
 * Theory of operation. Its open(2) goes home as it is; so errors, flags and the number of the
 * descriptor are home's. When the file is one that home cannot tell alone (migrate/views.h), its text
 * is read there, made one with that of the host, and put into a memfd, which takes the place of the
 * descriptor before the program sees it:
 *
 *	open -> fd	pread(fd) ...	memfd_create -> m	pwrite(m) ...	dup3(m, fd)	close(m)
 *
 * Should that not be possible (no descriptor left), the program gets home's file as it is. A step that
 * was interrupted is made again: none of them waits.
 *
 * A list of descriptors is home's, less those that are ours: guest_views_hide(). Such a list is known
 * by a number of ours in it; only then home is asked what directory it is.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "base/parse.h"
#include "base/restarts.h"
#include "forward/call.h"
#include "migrate/guest.h"
#include "migrate/region.h"
#include "migrate/views.h"
#include "os/file.h"

#define TEXT_MAX   (1U << 20)
#define CHUNK	   65536U
#define PATH_BYTES 64 /* of a name that may be meant; "/proc/self/task/4194304/smaps_rollup" */

struct guest_view {
	struct view view;
	bool cloexec;
	int64_t fd, memfd;
	size_t written;
	struct buf home, text;
	struct buf request;    /* the step's */
	guest_answer_fn *step; /* what its answer means */
	struct buf listing;    /* of descriptors: the answer that is judged */
};

static struct guest_view *start(struct guest_thread *t)
{
	struct guest_view *v = calloc(1, sizeof(*v));

	if (!v)
		return NULL;
	buf_init(&v->home, TEXT_MAX);
	buf_init(&v->text, 2 * TEXT_MAX);
	buf_init(&v->request, CALL_BYTES_MAX);
	buf_init(&v->listing, MOVE_PAYLOAD_MAX);
	t->view = v;
	return v;
}

void guest_views_forget(struct guest_thread *t)
{
	struct guest_view *v = t->view;

	if (!v)
		return;
	buf_done(&v->home);
	buf_done(&v->text);
	buf_done(&v->request);
	buf_done(&v->listing);
	free(v);
	t->view = NULL;
}

/* the program's call returns this */
static void end(struct guest_thread *t, int64_t result)
{
	guest_views_forget(t);
	guest_reply(t, result);
}

/* ------------------------------------------------------------------- steps */

static void on_step(struct guest_thread *t, const uint8_t *p, size_t n)
{
	struct call_answer a;

	memcpy(&a, p, sizeof(a)); /* an answer has one */
	if (marshal_interrupted(a.result))
		guest_request(t, &t->view->request, on_step);
	else
		t->view->step(t, p, n);
}

/* @in_arg points to the @n bytes of @in; @out_arg to room for out_len bytes, if there is any */
static void ask(struct guest_thread *t, const struct call_request *call, uint32_t in_arg,
		const void *in, size_t n, uint32_t out_arg, guest_answer_fn *fn)
{
	struct guest_view *v = t->view;
	struct call_request q = *call;
	struct call_fixup fix[2];
	int r;

	if (n)
		fix[q.n_fixups++] = (struct call_fixup){ CALL_FIX_ARG | in_arg, 0 };
	if (q.out_len)
		fix[q.n_fixups++] = (struct call_fixup){ CALL_FIX_ARG | out_arg, (uint32_t)n };
	q.in_len = (uint32_t)n;
	q.out_at = (uint32_t)n;
	buf_reset(&v->request);
	r = buf_put(&v->request, &q, sizeof(q));
	if (!r && q.n_fixups)
		r = buf_put(&v->request, fix, q.n_fixups * sizeof(*fix));
	if (!r && n)
		r = buf_put(&v->request, in, n);
	if (r < 0) {
		guest_fail(t->guest, r, "no memory for a request");
		return;
	}
	v->step = fn;
	guest_request(t, &v->request, on_step);
}

static int64_t result_of(const uint8_t *p)
{
	struct call_answer a;

	memcpy(&a, p, sizeof(a));
	return a.result;
}

static void on_closed(struct guest_thread *t, const uint8_t *p, size_t n)
{
	(void)p;
	(void)n;
	end(t, t->view->fd);
}

static void close_memfd(struct guest_thread *t)
{
	const struct call_request q = { .nr = SYS_close, .args = { (uint64_t)t->view->memfd } };

	ask(t, &q, 0, NULL, 0, 0, on_closed);
}

static void on_replaced(struct guest_thread *t, const uint8_t *p, size_t n)
{
	(void)p;
	(void)n;
	close_memfd(t);
}

static void on_written(struct guest_thread *t, const uint8_t *p, size_t n);

static void write_more(struct guest_thread *t)
{
	struct guest_view *v = t->view;
	size_t left = v->text.len - v->written;
	const struct call_request q = {
		.nr = left ? SYS_pwrite64 : SYS_dup3,
		.args = { (uint64_t)v->memfd, left ? 0 : (uint64_t)v->fd,
			  left	       ? (left < CHUNK ? left : CHUNK)
			  : v->cloexec ? O_CLOEXEC
				       : 0,
			  left ? v->written : 0 },
	};

	if (left)
		ask(t, &q, 1, buf_bytes(&v->text) + v->written, q.args[2], 0, on_written);
	else
		ask(t, &q, 0, NULL, 0, 0, on_replaced);
}

static void on_written(struct guest_thread *t, const uint8_t *p, size_t n)
{
	int64_t result = result_of(p);

	(void)n;
	if (result <= 0 || (uint64_t)result > t->view->text.len - t->view->written) {
		close_memfd(t);
		return;
	}
	t->view->written += (size_t)result;
	write_more(t);
}

static void on_memfd(struct guest_thread *t, const uint8_t *p, size_t n)
{
	(void)n;
	t->view->memfd = result_of(p);
	if (t->view->memfd < 0)
		end(t, t->view->fd);
	else
		write_more(t);
}

/* both texts are there, or the one that is wanted */
static int make(struct guest_thread *t)
{
	struct guest *g = t->guest;
	const struct view_hidden hidden = { g->image.parasite,
					    g->image.parasite + g->image.parasite_size,
					    REGION_SLOTS, guest_limits(g) };
	struct guest_view *v = t->view;
	char path[64];
	struct buf ours;
	int r;

	if (v->view.tid)
		(void)snprintf(path, sizeof(path), "/proc/%d/task/%u/%s", (int)g->build.pid,
			       v->view.tid, v->view.name);
	else
		(void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)g->build.pid, v->view.name);
	if (v->view.kind == VIEW_GUEST)
		return file_read(path, &v->text, NULL);
	buf_init(&ours, TEXT_MAX);
	r = file_read(path, &ours, NULL);
	if (!r)
		r = buf_text(&ours) && buf_text(&v->home)
			    ? view_make(v->view.kind, buf_text(&v->home), buf_text(&ours), &hidden,
					&v->text)
			    : -ENOMEM;
	buf_done(&ours);
	return r;
}

static void put_in_place(struct guest_thread *t)
{
	const struct call_request q = { .nr = SYS_memfd_create, .args = { 0, MFD_CLOEXEC } };
	struct guest_view *v = t->view;

	if (make(t) < 0)
		end(t, v->fd); /* too large, or of a form that is not known: home's file as it is */
	else
		ask(t, &q, 0, v->view.name, strlen(v->view.name) + 1, 0, on_memfd);
}

static void on_read(struct guest_thread *t, const uint8_t *p, size_t n);

static void read_more(struct guest_thread *t)
{
	struct guest_view *v = t->view;
	const struct call_request q = {
		.nr = SYS_pread64,
		.flags = CALL_OUT_BY_RESULT,
		.args = { (uint64_t)v->fd, 0, CHUNK, v->home.len },
		.out_len = CHUNK,
	};

	ask(t, &q, 0, NULL, 0, 1, on_read);
}

static void on_read(struct guest_thread *t, const uint8_t *p, size_t n)
{
	struct guest_view *v = t->view;
	int64_t result = result_of(p);

	n -= sizeof(struct call_answer);
	if (result < 0 || (uint64_t)result != n ||
	    buf_put(&v->home, p + sizeof(struct call_answer), n) < 0)
		end(t, v->fd);
	else if (n)
		read_more(t);
	else
		put_in_place(t);
}

static void on_opened(struct guest_thread *t, const uint8_t *p, size_t n)
{
	int64_t result = result_of(p);

	if (result < 0) {
		guest_views_forget(t);
		guest_answer(t, p, n);
		return;
	}
	t->view->fd = result;
	if (view_wants_home(t->view->view.kind))
		read_more(t);
	else
		put_in_place(t);
}

/* the name in the request that the marshaller has made; "" when it is too long to be meant */
static void name_of(const struct buf *request, char name[PATH_BYTES])
{
	struct call_request q;
	size_t at;

	name[0] = '\0';
	memcpy(&q, buf_bytes(request), sizeof(q)); /* a request has one */
	at = sizeof(q) + q.n_fixups * sizeof(struct call_fixup);
	if (q.n_fixups == 1 && q.in_len <= PATH_BYTES && request->len == at + q.in_len)
		memcpy(name, buf_bytes(request) + at, q.in_len);
	name[PATH_BYTES - 1] = '\0';
}

bool guest_views_open(struct guest_thread *t)
{
	uint64_t flags = t->nr == SYS_open ? t->args[1] : t->args[2];
	char name[PATH_BYTES] = "";
	struct guest_view *v;
	struct view view;

	if (t->nr != SYS_open && t->nr != SYS_openat)
		return false;
	name_of(&t->request, name);
	view_find(name, t->guest->image.pid, (uint32_t)t->tid, &view);
	if (view.kind == VIEW_HOMEWARD) {
		buf_reset(&t->request);
		guest_homeward(t);
		return true;
	}
	if (view.kind == VIEW_NONE || (flags & O_ACCMODE) != O_RDONLY || flags & O_PATH)
		return false;
	v = start(t);
	if (!v)
		return false; /* home's file as it is */
	v->view = view;
	v->cloexec = flags & O_CLOEXEC;
	v->step = on_opened;
	if (buf_put(&v->request, buf_bytes(&t->request), t->request.len) < 0)
		guest_views_forget(t); /* as above */
	else
		t->answer = on_step;
	return false;
}

/* ---------------------------------------------------- lists of descriptors */

static bool is_ours(const struct guest *g, const char *name)
{
	uint32_t fd;

	return !parse_u32(name, &fd) && fd >= g->image.first_fd && fd <= g->image.last_fd;
}

/* the form of getdents(2) has the name in another place */
static const char *entry_name(uint32_t nr, const uint8_t *entry, size_t left, uint16_t *ret_len)
{
	size_t at = nr == SYS_getdents64 ? offsetof(struct dirent64, d_name)
					 : offsetof(struct dirent64, d_name) - 1;

	memcpy(ret_len, entry + offsetof(struct dirent64, d_reclen), sizeof(*ret_len));
	if (*ret_len <= at || *ret_len > left || !memchr(entry + at, 0, *ret_len - at))
		return NULL;
	return (const char *)entry + at;
}

/* entries without ours, in place; Return: how many bytes are left */
static size_t strip(const struct guest *g, uint32_t nr, uint8_t *p, size_t n)
{
	size_t to = 0, at = 0;
	uint16_t len;

	while (n - at > offsetof(struct dirent64, d_name)) {
		const char *name = entry_name(nr, p + at, n - at, &len);

		if (!name)
			break;
		if (!is_ours(g, name)) {
			memmove(p + to, p + at, len);
			to += len;
		}
		at += len;
	}
	memmove(p + to, p + at, n - at);
	return to + n - at;
}

/* "/proc/PID/fd", "/proc/PID/task/TID/fdinfo" */
static bool is_list(const struct guest *g, const char *name, size_t n)
{
	static const char *const ends[] = { "/fd", "/fdinfo" };
	char own[32];
	size_t len;

	(void)snprintf(own, sizeof(own), "/proc/%u/", g->image.pid);
	if (n < strlen(own) || memcmp(name, own, strlen(own)) != 0)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		len = strlen(ends[i]);
		if (n >= len && !memcmp(name + n - len, ends[i], len))
			return true;
	}
	return false;
}

static void on_directory(struct guest_thread *t, const uint8_t *p, size_t n)
{
	const size_t head = sizeof(struct call_answer);
	struct buf answer = t->view->listing;
	struct call_answer a = { 0 };

	if (is_list(t->guest, (const char *)p + head, n - head)) {
		a.out_len = (uint32_t)strip(t->guest, t->nr, answer.data + head, answer.len - head);
		/* nothing is left of this part, and no bytes would be the end: on to the next one */
		a.result = a.out_len ? (int64_t)a.out_len : -ERESTARTNOINTR;
		memcpy(answer.data, &a, sizeof(a));
		answer.len = head + a.out_len;
	}
	buf_init(&t->view->listing, 0);
	guest_views_forget(t);
	guest_answer(t, buf_bytes(&answer), answer.len);
	buf_done(&answer);
}

bool guest_views_hide(struct guest_thread *t, const uint8_t *p, size_t n)
{
	const size_t head = sizeof(struct call_answer);
	const struct call_request q = { .nr = SYS_readlink,
					.flags = CALL_OUT_BY_RESULT,
					.args = { 0, 0, PATH_BYTES },
					.out_len = PATH_BYTES };
	struct guest_view *v;
	char path[PATH_BYTES];
	struct buf copy;
	bool found;

	if ((t->nr != SYS_getdents64 && t->nr != SYS_getdents) || n <= head)
		return false;
	buf_init(&copy, MOVE_PAYLOAD_MAX);
	found = !buf_put(&copy, p, n) &&
		strip(t->guest, t->nr, copy.data + head, n - head) < n - head;
	buf_done(&copy);
	v = found ? start(t) : NULL;
	if (!v)
		return false;
	if (buf_put(&v->listing, p, n) < 0) {
		guest_views_forget(t);
		return false;
	}
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%u", (uint32_t)t->args[0]);
	ask(t, &q, 0, path, strlen(path) + 1, 1, on_directory);
	return true;
}
