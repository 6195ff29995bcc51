/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "migrate/remap.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "migrate/set_state.h"
#include "tracee/maps.h"

#define SIGSET_BYTES 8 /* of the kernel's sigset_t */

struct remapping {
	struct batch *batch;
	pid_t pid;
	bool building; /* at the host, before it is finished: descriptor 0 is free */
	struct err *e;
};

static const struct {
	uint32_t flag;
	int advice;
} advices[] = {
	{ IMAGE_MAP_DONTFORK, MADV_DONTFORK },	   { IMAGE_MAP_DONTDUMP, MADV_DONTDUMP },
	{ IMAGE_MAP_WIPEONFORK, MADV_WIPEONFORK }, { IMAGE_MAP_HUGEPAGE, MADV_HUGEPAGE },
	{ IMAGE_MAP_NOHUGEPAGE, MADV_NOHUGEPAGE },
};

static int run(struct remapping *m)
{
	return m->batch->n ? set_state_run(m->batch, m->pid, "change its mappings", m->e) : 0;
}

/* a full batch is run and begun again */
static int add(struct remapping *m, long nr, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3,
	       uint64_t a4, uint64_t a5)
{
	int r = batch_add(m->batch, nr, a0, a1, a2, a3, a4, a5);

	if (r == -ENOBUFS) {
		r = run(m);
		if (r < 0)
			return r;
		r = batch_add(m->batch, nr, a0, a1, a2, a3, a4, a5);
	}
	return r < 0 ? err_set(m->e, r, "make a batch: %s", strerror(-r)) : 0;
}

/* its descriptor is 0: the process that is built has it free */
static int add_memfd(struct remapping *m, const char *name, unsigned int flags)
{
	uint64_t at;
	int r = run(m); /* so that the name is in the batch of its call */

	if (!r)
		r = batch_data(m->batch, name, strlen(name) + 1, &at);
	if (r < 0)
		return err_set(m->e, r, "make a batch: %s", strerror(-r));
	return add(m, SYS_memfd_create, at, flags, 0, 0, 0, 0);
}

/* a touch of it is SIGBUS, as behind the end of the file that it stands for */
static int add_beyond(struct remapping *m, uint64_t start, uint64_t len, uint32_t prot,
		      uint64_t flags)
{
	int r = add_memfd(m, REMAP_EMPTY_NAME, 0);

	if (!r)
		r = add(m, SYS_mmap, start, len, prot, flags & ~(uint64_t)MAP_ANONYMOUS, 0, 0);
	return r ? r : add(m, SYS_close, 0, 0, 0, 0, 0, 0);
}

static int add_sealed(struct remapping *m, uint64_t start, uint64_t len, uint32_t prot)
{
	int r = add_memfd(m, "mapped", MFD_ALLOW_SEALING);

	if (!r)
		r = add(m, SYS_ftruncate, 0, len, 0, 0, 0, 0);
	if (!r)
		r = add(m, SYS_mmap, start, len, prot, MAP_SHARED | MAP_FIXED | MAP_NORESERVE, 0,
			0);
	/* what is mapped already stays writable */
	if (!r)
		r = add(m, SYS_fcntl, 0, F_ADD_SEALS, F_SEAL_FUTURE_WRITE, 0, 0, 0);
	return r ? r : add(m, SYS_close, 0, 0, 0, 0, 0, 0);
}

static int add_new(struct remapping *m, uint64_t start, uint64_t len,
		   const struct image_mapping *to)
{
	uint64_t flags = MAP_FIXED | MAP_NORESERVE | (to->file ? 0 : MAP_ANONYMOUS);
	uint64_t fd = to->file ? LENT_FDS_FIRST + to->file - 1 : (uint64_t)-1;
	uint64_t offset = to->file ? to->offset + (start - to->start) : 0, prot = to->prot;
	int r;

	flags |= to->flags & IMAGE_MAP_SHARED ? MAP_SHARED : MAP_PRIVATE;
	if (to->flags & IMAGE_MAP_GROWSDOWN)
		flags |= MAP_GROWSDOWN;
	if (to->flags & IMAGE_MAP_SHARED && !to->file)
		prot |= PROT_WRITE;
	if (m->building && to->flags & IMAGE_MAP_BEYOND)
		r = add_beyond(m, start, len, prot, flags);
	else if (m->building && to->flags & IMAGE_MAP_READONLY && !to->file)
		r = add_sealed(m, start, len, prot);
	else
		r = add(m, SYS_mmap, start, len, prot, flags, fd, offset);
	for (size_t i = 0; !r && i < ARRAY_LEN(advices); i++)
		if (to->flags & advices[i].flag)
			r = add(m, SYS_madvise, start, len, (uint64_t)advices[i].advice, 0, 0, 0);
	return r;
}

static int change(void *owner, enum image_change what, uint64_t start, uint64_t end,
		  const struct image_mapping *to)
{
	struct remapping *m = owner;

	switch (what) {
	case IMAGE_GONE:
		return add(m, SYS_munmap, start, end - start, 0, 0, 0, 0);
	case IMAGE_PROTECT:
		return add(m, SYS_mprotect, start, end - start, to->prot, 0, 0, 0);
	case IMAGE_NEW:
		return add_new(m, start, end - start, to);
	}
	return -EINVAL;
}

int remap(struct batch *b, pid_t pid, const struct image *from, const struct image *to,
	  enum image_identity by, struct err *e)
{
	struct remapping m = { .batch = b, .pid = pid, .building = by == IMAGE_BY_FILE, .e = e };
	int r;

	batch_clear(b);
	r = image_changes(from, to, by, change, &m);
	if (r < 0) {
		batch_clear(b);
		return r;
	}
	return run(&m);
}

/* ------------------------------------------------------------------------ stacks */

/* a stack that is longer by now */
static struct image_mapping *shorter(struct image *from, const struct image_mapping *v)
{
	for (size_t i = 0; i < from->n_mappings; i++) {
		struct image_mapping *w = &from->mappings[i];

		if (w->flags & v->flags & IMAGE_MAP_GROWSDOWN && v->start < w->start &&
		    w->start < v->end)
			return w;
	}
	return NULL;
}

/* whatever it is: asked for twice, so that the hard limit stands where a soft and a hard one do */
static int add_most_stack(struct remapping *m)
{
	uint64_t at;
	int r = batch_data(m->batch, NULL, 3 * sizeof(uint64_t), &at);

	for (int i = 1; r >= 0 && i >= 0; i--)
		r = batch_add(m->batch, SYS_prlimit64, 0, RLIMIT_STACK, 0,
			      at + (uint64_t)i * sizeof(uint64_t), 0, 0);
	if (r >= 0)
		r = batch_add(m->batch, SYS_prlimit64, 0, RLIMIT_STACK, at + sizeof(uint64_t), 0, 0,
			      0);
	return r;
}

static int grow(struct remapping *m, struct image_mapping *w, uint64_t start)
{
	int touched = 0, r;

	batch_clear(m->batch);
	r = add_most_stack(m);
	if (r >= 0) /* writes there, as the program's own call would */
		r = touched = batch_add(m->batch, SYS_rt_sigpending, start, SIGSET_BYTES, 0, 0, 0,
					0);
	if (r >= 0)
		r = batch_add(m->batch, SYS_madvise, start, IMAGE_PAGE, MADV_DONTNEED, 0, 0, 0);
	if (r >= 0)
		r = batch_run(m->batch, m->pid, m->e);
	if (r >= 0 && batch_result(m->batch, touched) == 0)
		w->start = start;
	batch_clear(m->batch);
	return r < 0 ? r : 0;
}

int remap_grow(struct batch *b, pid_t pid, struct image *from, const struct image *to,
	       struct err *e)
{
	struct remapping m = { .batch = b, .pid = pid, .e = e };
	int r = 0;

	for (size_t i = 0; !r && i < to->n_mappings; i++) {
		struct image_mapping *w = shorter(from, &to->mappings[i]);

		if (w)
			r = grow(&m, w, to->mappings[i].start);
	}
	return r < 0 ? err_set(e, r, "grow its stack: %s", strerror(-r)) : 0;
}

/* ----------------------------------------------------- shared, and only to be read */

/* @more: protection that it gets besides its own */
static int protect_shared(struct remapping *m, const struct image *image, uint64_t more,
			  uint32_t but)
{
	int r = 0;

	for (size_t i = 0; !r && i < image->n_mappings; i++) {
		const struct image_mapping *v = &image->mappings[i];

		if (v->flags & IMAGE_MAP_SHARED && !v->file && !(v->prot & PROT_WRITE) &&
		    !(v->flags & but))
			r = add(m, SYS_mprotect, v->start, v->end - v->start, v->prot | more, 0, 0,
				0);
	}
	return r;
}

int remap_open_shared(struct batch *b, pid_t pid, const struct image *m, bool building,
		      struct err *e)
{
	struct remapping r = { .batch = b, .pid = pid, .e = e };
	int k;

	batch_clear(b);
	/* what can never be written stays so at home, and nothing comes for it */
	k = protect_shared(&r, m, PROT_WRITE, building ? 0 : IMAGE_MAP_READONLY);
	return k ? k : run(&r);
}

static bool is_readonly(const struct image *m, const struct maps_entry *v)
{
	for (size_t i = 0; i < m->n_mappings; i++)
		if (m->mappings[i].start <= v->start && v->start < m->mappings[i].end)
			return m->mappings[i].flags & IMAGE_MAP_READONLY && !m->mappings[i].file;
	return false;
}

/* mapped anew, in its place: the seal holds for that */
static int map_again(struct remapping *m, const struct image *image)
{
	struct maps maps;
	int r = maps_read(m->pid, false, &maps, m->e);

	if (r < 0)
		return r;
	for (size_t i = 0; !r && i < maps.n; i++) {
		const struct maps_entry *v = &maps.entries[i];

		if (v->flags & MAPS_SHARED && is_readonly(image, v))
			r = add(m, SYS_remap_file_pages, v->start, v->end - v->start, 0,
				v->offset / IMAGE_PAGE, MAP_NONBLOCK, 0);
	}
	maps_done(&maps);
	return r;
}

int remap_shut_shared(struct batch *b, pid_t pid, const struct image *m, bool building,
		      struct err *e)
{
	struct remapping r = { .batch = b, .pid = pid, .e = e };
	int k;

	batch_clear(b);
	k = protect_shared(&r, m, 0, building ? 0 : IMAGE_MAP_READONLY);
	if (!k)
		k = run(&r);
	if (!k && building)
		k = map_again(&r, m);
	return k ? k : run(&r);
}
