/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "migrate/remap.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "migrate/set_state.h"

struct remapping {
	struct batch *batch;
	pid_t pid;
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

/* a full batch is run and begun again */
static int add(struct remapping *m, long nr, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3,
	       uint64_t a4, uint64_t a5)
{
	int r = batch_add(m->batch, nr, a0, a1, a2, a3, a4, a5);

	if (r == -ENOBUFS) {
		r = set_state_run(m->batch, m->pid, "change its mappings", m->e);
		if (r < 0)
			return r;
		r = batch_add(m->batch, nr, a0, a1, a2, a3, a4, a5);
	}
	return r < 0 ? err_set(m->e, r, "make a batch: %s", strerror(-r)) : 0;
}

/*
 * There are no files but those that are lent: what is behind another mapping at home is the stub's.
 * Shared memory that can be written is shared memory here as well, so that madvise(2) and the like
 * do what they do at home.
 */
static int add_new(struct remapping *m, uint64_t start, uint64_t len,
		   const struct image_mapping *to)
{
	bool shared = (to->flags & IMAGE_MAP_SHARED) && (to->prot & PROT_WRITE || to->file);
	uint64_t flags = MAP_FIXED | MAP_NORESERVE | (to->file ? 0 : MAP_ANONYMOUS);
	uint64_t fd = to->file ? LENT_FDS_FIRST + to->file - 1 : (uint64_t)-1;
	uint64_t offset = to->file ? to->offset + (start - to->start) : 0;
	int r;

	flags |= shared ? MAP_SHARED : MAP_PRIVATE;
	if (to->flags & IMAGE_MAP_GROWSDOWN)
		flags |= MAP_GROWSDOWN;
	r = add(m, SYS_mmap, start, len, to->prot, flags, fd, offset);
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
	struct remapping m = { .batch = b, .pid = pid, .e = e };
	int r;

	batch_clear(b);
	r = image_changes(from, to, by, change, &m);
	if (r < 0 || !b->n) {
		batch_clear(b);
		return r;
	}
	return set_state_run(b, pid, "change its mappings", e);
}
