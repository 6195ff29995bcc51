/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fetch.c - bring the files of the database into the worker's cache, and name them in its directory
 *
 * Theory of operation. File by file: what is in the cache is hashed, slice by slice so that the
 * loop goes on and heartbeats are sent; what is missing is asked for, unless another worker of this
 * node is fetching it, which is waited for as long as it gets on. Then a symbolic link gives it its
 * name, and it is held open, so that the daemon does not remove it, until fetch_free().
 *
 *	LOOK --there--> HASH --right--> (next file)
 *	  |  <--damaged--'                  ^
 *	  +--missing--> RECEIVE --whole-----+
 *	  +--other worker is at it--> LOOK again in a moment; after a while without it (CACHE_ALONE)
 *
 * A damaged file that may not be removed is left to itself for good (CACHE_OWN).
 */
#include "blast/run/fetch.h"

#include <errno.h>

#include "blast/cache/cache.h"
#include "os/fd.h"

#define SLICE	      (16u << 20) /* bytes hashed per turn of the loop */
#define LOOK_AGAIN_MS 100
#define PATIENCE_MS   10000
#define WAITS_MAX     60 /* times the patience for one file, however much the other seems to do */

enum fetch_state {
	FETCH_LOOK,
	FETCH_HASH,
	FETCH_RECEIVE,
	FETCH_OVER
};

struct fetch {
	struct fetch_setup s;
	enum fetch_state state;
	size_t file; /* index */
	struct ev_ref timer;
	char path[PATH_MAX];	 /* LOOK, HASH: of the file in the cache */
	int fd;			 /* HASH */
	struct digest *digest;	 /* HASH */
	struct cache_part *part; /* RECEIVE */
	enum cache_how how;	 /* to get this file */
	struct {
		uint64_t since_ms; /* 0: not waiting */
		uint64_t moved_ms; /* when the other got on */
		uint64_t progress;
	} wait;	   /* LOOK */
	int *held; /* fds of the files that are named, by index; owned */
	uint64_t cached, fetched;
};

static void step(void *owner);

static void over(struct fetch *f, const struct err *e)
{
	f->state = FETCH_OVER;
	f->s.over(f->s.owner, e);
}

static void step_later(struct fetch *f, uint64_t in_ms)
{
	struct err e = { 0 };
	int r = loop_add_timer(f->s.loop, loop_now(f->s.loop) + in_ms, step, f, &f->timer);

	if (r < 0) {
		(void)err_set(&e, r, "timer: %s", strerror(-r));
		over(f, &e);
	}
}

static void key_of(const struct fetch *f, struct cache_key *ret)
{
	const Cmx__BlastFile *file = f->s.run->files[f->file];

	memcpy(ret->sha256, file->sha256.data, DIGEST_LEN); /* its length is checked by blast_msg */
	ret->size = file->size;
}

/* the file is in the cache under f->path and open as f->fd: give it its name, go on */
static int name_it(struct fetch *f, struct err *e)
{
	char name[PATH_MAX];
	int n = snprintf(name, sizeof(name), "%s/%s", f->s.directory,
			 f->s.run->files[f->file]->name);

	if (n < 0 || (size_t)n >= sizeof(name))
		return err_set(e, -ENAMETOOLONG, "the path of the scratch directory is too long");
	if (symlink(f->path, name) < 0)
		return err_set(e, -errno, "link '%s': %s", name, strerror(errno));
	f->held[f->file++] = fd_take(&f->fd);
	f->state = FETCH_LOOK;
	f->how = CACHE_SHARED;
	f->wait.since_ms = 0;
	return 0;
}

/* another worker is at it: give it time as long as it gets on, then do without it */
static void wait_for_it(struct fetch *f, const struct cache_key *k)
{
	uint64_t now = loop_now(f->s.loop), progress = cache_progress(f->s.cache, k);

	if (!f->wait.since_ms)
		f->wait.since_ms = now;
	if (f->wait.since_ms == now || progress != f->wait.progress) {
		f->wait.progress = progress;
		f->wait.moved_ms = now;
	}
	if (now - f->wait.moved_ms < f->s.patience_ms &&
	    now - f->wait.since_ms < f->s.patience_ms * WAITS_MAX) {
		step_later(f, LOOK_AGAIN_MS);
		return;
	}
	f->how = CACHE_ALONE;
	step_later(f, 0);
}

static int ask(struct fetch *f, struct err *e)
{
	Cmx__BlastMessage m = CMX__BLAST_MESSAGE__INIT;
	Cmx__BlastNeed need = CMX__BLAST_NEED__INIT;
	struct cache_key k;
	int r;

	key_of(f, &k);
	r = cache_begin(f->s.cache, &k, f->how, &f->part, e);
	if (r == -EAGAIN)
		wait_for_it(f, &k);
	else if (r == -EEXIST)
		step_later(f, 0);
	if (r < 0)
		return r == -EAGAIN || r == -EEXIST ? 1 : r;
	f->state = FETCH_RECEIVE;
	need.file = (uint32_t)f->file;
	m.body_case = CMX__BLAST_MESSAGE__BODY_NEED;
	m.need = &need;
	link_send(f->s.link, &m);
	return 1;
}

static int look(struct fetch *f, struct err *e)
{
	struct cache_key k;
	int r;

	key_of(f, &k);
	r = cache_find(f->s.cache, &k, f->how, f->path, &f->fd);
	if (r == -EBUSY && f->how == CACHE_SHARED) {
		wait_for_it(f, &k);
		return 1;
	}
	if (r == -EMFILE || r == -ENFILE)
		return err_set(e, r, "open '%s': %s; raise the limit of open files (ulimit -n)",
			       f->path, strerror(-r));
	if (r < 0)
		return ask(f, e);
	r = digest_new(&f->digest);
	if (r < 0)
		return err_set(e, r, "SHA-256 is not to be had");
	f->state = FETCH_HASH;
	return 0;
}

static int hash(struct fetch *f, struct err *e)
{
	uint8_t got[DIGEST_LEN];
	struct cache_key k;
	int r = digest_step(f->digest, f->fd, SLICE);

	if (r < 0)
		return err_set(e, r, "read '%s': %s", f->path, strerror(-r));
	if (r)
		return 0;
	digest_end(f->digest, got);
	f->digest = NULL;
	key_of(f, &k);
	if (memcmp(got, k.sha256, DIGEST_LEN) != 0) {
		fd_close(&f->fd);
		f->state = FETCH_LOOK;
		r = cache_drop(f->path, e);
		if (r < 0 && f->how != CACHE_OWN) {
			f->how = CACHE_OWN; /* another user's */
			r = 0;
		}
		return r;
	}
	f->cached += k.size;
	return name_it(f, e);
}

static void step(void *owner)
{
	struct fetch *f = owner;
	struct err e = { 0 };
	int r = 0;

	if (f->file == f->s.run->n_files) {
		over(f, NULL);
		return;
	}
	if (f->state == FETCH_LOOK)
		r = look(f, &e);
	else if (f->state == FETCH_HASH)
		r = hash(f, &e);
	if (r < 0)
		over(f, &e);
	else if (!r)
		step_later(f, 0);
}

int fetch_start(const struct fetch_setup *s, struct fetch **ret, struct err *e)
{
	struct fetch *f = calloc(1, sizeof(*f));
	int r;

	if (!f)
		return err_set(e, -ENOMEM, "out of memory");
	f->s = *s;
	f->fd = -1;
	if (!f->s.patience_ms)
		f->s.patience_ms = PATIENCE_MS;
	f->held = calloc(s->run->n_files, sizeof(*f->held));
	r = f->held ? loop_add_timer(s->loop, loop_now(s->loop), step, f, &f->timer) : -ENOMEM;
	if (r < 0) {
		free(f->held);
		free(f);
		return err_set(e, r, "timer: %s", strerror(-r));
	}
	*ret = f;
	return 0;
}

void fetch_chunk(struct fetch *f, const Cmx__BlastChunk *c)
{
	struct err e = { 0 };
	int r;

	if (f->state != FETCH_RECEIVE || c->file != f->file)
		r = err_set(&e, -EPROTO, "the master sent a file that was not asked for");
	else
		r = cache_add(f->part, c->offset, c->data.data, c->data.len, &e);
	if (!r && cache_is_whole(f->part)) {
		struct cache_part *whole = ptr_take(&f->part);

		f->state = FETCH_LOOK;
		r = cache_commit(whole, f->path, &f->fd, &e);
		if (!r) {
			f->fetched += f->s.run->files[f->file]->size;
			r = name_it(f, &e);
		} else if (r == -EEXIST) {
			r = 0; /* another was faster; what it has put there is looked at */
		}
		if (!r)
			step_later(f, 0);
	}
	if (r < 0)
		over(f, &e);
}

void fetch_bytes(const struct fetch *f, uint64_t *ret_cached, uint64_t *ret_fetched)
{
	*ret_cached = f->cached;
	*ret_fetched = f->fetched;
}

void fetch_free(struct fetch *f)
{
	if (!f)
		return;
	loop_remove(f->s.loop, &f->timer);
	cache_abort(f->part);
	digest_free(f->digest);
	fd_close(&f->fd);
	for (size_t i = 0; i < f->file; i++)
		fd_close(&f->held[i]);
	free(f->held);
	free(f);
}
