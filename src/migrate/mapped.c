/* SPDX-License-Identifier: GPL-2.0-or-later */
/* mapped.c - files that a process has both mapped and open: which calls show that it is away? */
#include "migrate/mapped.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/parse.h"

enum touch {
	TOUCH_READS = 1,  /* bytes that a shared mapping may have changed */
	TOUCH_WRITES = 2, /* bytes or size that any mapping shows */
	TOUCH_OPENS = 4,  /* gives a new descriptor */
};

/* calls with a descriptor of a file; one row for each descriptor */
static const struct {
	uint32_t nr;
	unsigned int arg;
	enum touch touch;
} calls[] = {
	{ SYS_read, 0, TOUCH_READS },
	{ SYS_pread64, 0, TOUCH_READS },
	{ SYS_readv, 0, TOUCH_READS },
	{ SYS_preadv, 0, TOUCH_READS },
	{ SYS_preadv2, 0, TOUCH_READS },
	{ SYS_write, 0, TOUCH_WRITES },
	{ SYS_pwrite64, 0, TOUCH_WRITES },
	{ SYS_writev, 0, TOUCH_WRITES },
	{ SYS_pwritev, 0, TOUCH_WRITES },
	{ SYS_pwritev2, 0, TOUCH_WRITES },
	{ SYS_ftruncate, 0, TOUCH_WRITES },
	{ SYS_fallocate, 0, TOUCH_WRITES },
	{ SYS_sendfile, 0, TOUCH_WRITES },
	{ SYS_sendfile, 1, TOUCH_READS },
	{ SYS_copy_file_range, 0, TOUCH_READS },
	{ SYS_copy_file_range, 2, TOUCH_WRITES },
	{ SYS_splice, 0, TOUCH_READS },
	{ SYS_splice, 2, TOUCH_WRITES },
	/* what the mapping has written is to be on the disk, too */
	{ SYS_fsync, 0, TOUCH_READS },
	{ SYS_fdatasync, 0, TOUCH_READS },
	{ SYS_sync_file_range, 0, TOUCH_READS },
	{ SYS_open, 0, TOUCH_OPENS },
	{ SYS_openat, 0, TOUCH_OPENS },
	{ SYS_openat2, 0, TOUCH_OPENS },
	{ SYS_creat, 0, TOUCH_OPENS },
};

void mapped_init(struct mapped *m)
{
	*m = (struct mapped){ 0 };
}

void mapped_done(struct mapped *m)
{
	free(m->files);
	mapped_init(m);
}

/* ------------------------------------------------------------------- files */

static struct mapped_file *find(const struct mapped *m, uint64_t inode)
{
	for (size_t i = 0; i < m->n; i++)
		if (m->files[i].inode == inode)
			return &m->files[i];
	return NULL;
}

static int add(struct mapped *m, uint64_t inode, bool written)
{
	struct mapped_file *f = find(m, inode);

	if (!f) {
		f = reallocarray(m->files, m->n + 1, sizeof(*f));
		if (!f)
			return -ENOMEM;
		m->files = f;
		f += m->n++;
		*f = (struct mapped_file){ .inode = inode };
	}
	f->written |= written;
	return 0;
}

int mapped_files(struct mapped *m, const struct image *image)
{
	int r = 0;

	mapped_done(m);
	for (size_t i = 0; !r && i < image->n_mappings; i++) {
		const struct image_mapping *v = &image->mappings[i];

		if (v->flags & IMAGE_MAP_FILE && v->inode)
			r = add(m, v->inode,
				(v->flags & (IMAGE_MAP_SHARED | IMAGE_MAP_READONLY)) ==
					IMAGE_MAP_SHARED);
	}
	return r;
}

/* ------------------------------------------------------------- descriptors */

/* "/dir/file", "/memfd:name (deleted)": what may be mapped has a name */
static bool has_name(pid_t pid, uint32_t fd)
{
	char path[48], to[2];

	(void)snprintf(path, sizeof(path), "/proc/%d/fd/%u", (int)pid, fd);
	return readlink(path, to, sizeof(to)) > 0 && to[0] == '/';
}

/* the file of a descriptor, when it is a mapped one; *ret_writable: it is open for writing */
static const struct mapped_file *file_of(const struct mapped *m, pid_t pid, uint32_t fd,
					 bool *ret_writable)
{
	unsigned long long inode = 0;
	unsigned int flags = 0;
	char path[48], line[128];
	FILE *f;

	(void)snprintf(path, sizeof(path), "/proc/%d/fdinfo/%u", (int)pid, fd);
	f = fopen(path, "re");
	if (!f)
		return NULL; /* there is no such descriptor */
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "flags: %o", &flags) != 1 &&
		    sscanf(line, "ino: %llu", &inode) == 1)
			break;
	(void)fclose(f); /* was only read */
	*ret_writable = (flags & O_ACCMODE) != O_RDONLY;
	if (!inode || !find(m, inode) || !has_name(pid, fd))
		return NULL;
	return find(m, inode);
}

static bool is_watched(const struct mapped *m, pid_t pid, uint32_t fd)
{
	bool writable;
	const struct mapped_file *f = file_of(m, pid, fd, &writable);

	return f && (writable || f->written);
}

void mapped_look(struct mapped *m, pid_t pid)
{
	char path[32];
	struct dirent *d;
	uint32_t fd;
	DIR *dir;

	(void)snprintf(path, sizeof(path), "/proc/%d/fdinfo", (int)pid);
	dir = m->n ? opendir(path) : NULL;
	while (dir && !m->watched && (d = readdir(dir)))
		if (!parse_u32(d->d_name, &fd))
			m->watched = is_watched(m, pid, fd);
	if (dir)
		(void)closedir(dir); /* it was only read */
}

/* ------------------------------------------------------------------- calls */

static bool touches(const struct mapped *m, pid_t pid, uint32_t fd, enum touch touch)
{
	bool writable;
	const struct mapped_file *f = file_of(m, pid, fd, &writable);

	return f && (touch == TOUCH_WRITES ? writable : f->written);
}

bool mapped_call(struct mapped *m, pid_t pid, pid_t tid, uint32_t nr, const uint64_t args[6])
{
	for (size_t i = 0; m->n && i < ARRAY_LEN(calls); i++) {
		if (calls[i].nr != nr)
			continue;
		if (calls[i].touch == TOUCH_OPENS) {
			if (m->n_opening < IMAGE_THREADS_MAX)
				m->opening[m->n_opening++] = tid;
			return false;
		}
		if (m->watched && touches(m, pid, (uint32_t)args[calls[i].arg], calls[i].touch))
			return true;
	}
	return false;
}

void mapped_answer(struct mapped *m, pid_t pid, pid_t tid, int64_t result)
{
	for (size_t i = 0; i < m->n_opening; i++)
		if (m->opening[i] == tid) {
			m->opening[i] = m->opening[--m->n_opening];
			if (!m->watched && result >= 0)
				m->watched = is_watched(m, pid, (uint32_t)result);
			return;
		}
}
