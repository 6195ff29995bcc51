/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fetch.c - bring the files of the database into the worker's cache, and name them in its directory
 *
 * Theory of operation. File by file: what is in the cache is hashed, slice by slice so that the
 * loop goes on and heartbeats are sent; what is missing is asked for, unless another worker of this
 * node is fetching it, which is waited for. Then a symbolic link gives it its name.
 *
 *	LOOK --there--> HASH --right--> (next file)
 *	  |  <--damaged--'                  ^
 *	  +--missing--> FETCH --whole-------+
 *	  +--other worker is at it--> LOOK again in a moment
 */
#include "blast/run/fetch.h"

#include <errno.h>

#include "blast/run/cache.h"
#include "os/fd.h"

#define SLICE	      (16u << 20) /* bytes hashed per turn of the loop */
#define LOOK_AGAIN_MS 100

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

/* the file is in the cache under f->path: give it its name, go on */
static int name_it(struct fetch *f, struct err *e)
{
	char name[PATH_MAX];
	int n = snprintf(name, sizeof(name), "%s/%s", f->s.directory,
			 f->s.run->files[f->file]->name);

	if (n < 0 || (size_t)n >= sizeof(name))
		return err_set(e, -ENAMETOOLONG, "the path of the scratch directory is too long");
	if (symlink(f->path, name) < 0)
		return err_set(e, -errno, "link '%s': %s", name, strerror(errno));
	f->file++;
	f->state = FETCH_LOOK;
	return 0;
}

static int ask(struct fetch *f, struct err *e)
{
	Cmx__BlastMessage m = CMX__BLAST_MESSAGE__INIT;
	Cmx__BlastNeed need = CMX__BLAST_NEED__INIT;
	struct cache_key k;
	int r;

	key_of(f, &k);
	r = cache_begin(f->s.cache, &k, &f->part, e);
	if (r == -EAGAIN || r == -EEXIST) {
		step_later(f, r == -EAGAIN ? LOOK_AGAIN_MS : 0);
		return 1;
	}
	if (r < 0)
		return r;
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
	r = cache_find(f->s.cache, &k, f->path, &f->fd);
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
	fd_close(&f->fd);
	key_of(f, &k);
	if (memcmp(got, k.sha256, DIGEST_LEN) != 0) {
		f->state = FETCH_LOOK;
		return cache_drop(f->s.cache, &k, e);
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
	r = loop_add_timer(s->loop, loop_now(s->loop), step, f, &f->timer);
	if (r < 0) {
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

		r = cache_commit(whole, f->path, &e);
		if (!r) {
			f->fetched += f->s.run->files[f->file]->size;
			r = name_it(f, &e);
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
	free(f);
}
