/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * deputy_files.c - files that the process maps and the host has as well are not sent
 *
 * Theory of operation. While the deputy is still root, and the process still runs, it opens the
 * files of the shared root that the process maps, the very ones (/proc/PID/map_files), and looks up
 * or computes their digests. When the host is there it is told the list (FILES) and says what it has
 * (HAVE); only then pages go. A mapping of such a file is marked in each image that is sent
 * (image_mapping.file): at the host it becomes a mapping of the host's file, and only pages that the
 * process has changed are sent.
 *
 * The files stay open until it is away, so that their device and inode name nothing else; and they
 * are looked at once more when it stands still: if one was changed since, the move is given up.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "migrate/deputy.h"
#include "os/fd.h"
#include "tracee/maps.h"

/* writable shared memory is sent: the host's file must not change */
static bool can_be_lent(uint64_t inode, bool shared, uint32_t prot)
{
	return inode && !(shared && prot & PROT_WRITE);
}

static const struct deputy_file *find(const struct deputy_files *f, uint64_t inode, uint32_t major,
				      uint32_t minor)
{
	for (size_t i = 0; i < f->list.n; i++)
		if (f->files[i].inode == inode && f->files[i].major == major &&
		    f->files[i].minor == minor)
			return &f->files[i];
	return NULL;
}

/* Return: the file, -errno: it is none that could be lent; *name as the kernel knows it */
static int open_mapped(pid_t pid, const struct maps_entry *v, char *name, size_t len)
{
	AUTO_CLOSE int fd = -1;
	char path[80];
	struct stat st;
	ssize_t n;

	(void)snprintf(path, sizeof(path), "/proc/%d/map_files/%llx-%llx", pid,
		       (unsigned long long)v->start, (unsigned long long)v->end);
	n = readlink(path, name, len);
	if (n < 0 || (size_t)n >= len)
		return n < 0 ? -errno : -ENAMETOOLONG;
	name[n] = '\0';
	if (!files_is_name(name, (size_t)n) || !shared_root_name(name))
		return -EACCES;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	return st.st_uid == 0 && shared_root_file(fd) ? fd_take(&fd) : -EACCES;
}

/* what cannot be had is sent: no reason to give anything up */
static int add_file(struct deputy *d, struct digests *digests, const struct maps_entry *v)
{
	struct deputy_files *f = &d->files;
	struct deputy_file *more;
	char name[FILES_NAME_MAX + 1];
	struct image_file file = { .name = name };
	AUTO_CLOSE int fd = open_mapped(d->pid, v, name, sizeof(name));
	struct stat st;

	if (fd < 0 || digests_of(digests, fd, &file, &st) < 0)
		return 0;
	more = reallocarray(f->files, f->list.n + 1, sizeof(*more));
	if (!more)
		return -ENOMEM;
	f->files = more;
	more[f->list.n] = (struct deputy_file){
		.fd = fd, .st = st, .inode = v->inode, .major = v->major, .minor = v->minor
	};
	if (files_add(&f->list, &file) < 0)
		return -ENOMEM; /* or there are too many: what was found is enough */
	(void)fd_take(&fd);
	return 0;
}

void deputy_files_look(struct deputy *d)
{
	struct digests digests;
	struct maps maps;
	int r = maps_read(d->pid, false, &maps, NULL);

	if (r < 0)
		return;
	digests_open(&digests, DIGESTS_PATH);
	for (size_t i = 0; !r && i < maps.n; i++) {
		const struct maps_entry *v = &maps.entries[i];

		if (can_be_lent(v->inode, v->flags & MAPS_SHARED, v->prot) &&
		    !find(&d->files, v->inode, v->major, v->minor))
			r = add_file(d, &digests, v);
	}
	digests_done(&digests);
	maps_done(&maps);
}

int deputy_files_tell(struct deputy *d, struct err *e)
{
	struct buf b;
	int r;

	if (d->late) /* a page of a file cannot be told of when it is missed */
		deputy_files_done(d);
	buf_init(&b, FILES_BYTES_MAX);
	r = files_put(&b, &d->files.list);
	while (!r) {
		size_t n = b.len < MOVE_PAYLOAD_MAX ? b.len : MOVE_PAYLOAD_MAX;

		r = channel_send(d->channel, MOVE_FILES, buf_bytes(&b), n, NULL, 0);
		if (!n)
			break;
		buf_eat(&b, n);
	}
	buf_done(&b);
	d->files.told = !r;
	return r < 0 ? err_set(e, r, "tell the host its files: %s", strerror(-r)) : 0;
}

int deputy_files_take_have(struct deputy *d, const struct move_frame *f, struct err *e)
{
	if (!d->files.told)
		return err_set(e, -EPROTO, "an answer about files that nobody asked for");
	d->files.told = false;
	return files_get_have(f->payload, f->len, &d->files.list, e);
}

void deputy_files_mark(const struct deputy *d, struct image *m)
{
	for (size_t i = 0; i < m->n_mappings; i++) {
		struct image_mapping *v = &m->mappings[i];
		const struct deputy_file *file = NULL;

		if (v->flags & IMAGE_MAP_FILE &&
		    can_be_lent(v->inode, v->flags & IMAGE_MAP_SHARED, v->prot))
			file = find(&d->files, v->inode, v->major, v->minor);
		v->file = file && d->files.list.list[file - d->files.files].have
				  ? (uint32_t)(file - d->files.files) + 1
				  : 0;
	}
}

int deputy_files_check(const struct deputy *d, struct err *e)
{
	struct stat now;

	for (size_t i = 0; i < d->files.list.n; i++)
		if (fstat(d->files.files[i].fd, &now) < 0 ||
		    !digests_same(&d->files.files[i].st, &now))
			return err_set(e, -EAGAIN,
				       "'%s', which it maps, was changed; move it again",
				       d->files.list.list[i].name);
	return 0;
}

void deputy_files_done(struct deputy *d)
{
	for (size_t i = 0; i < d->files.list.n; i++)
		fd_close(&d->files.files[i].fd);
	free(d->files.files);
	d->files.files = NULL;
	files_done(&d->files.list);
}
