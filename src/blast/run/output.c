/* SPDX-License-Identifier: GPL-2.0-or-later */
/* output.c - the report, under its name only when it is complete */
#include "blast/run/output.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdbool.h>
#include <sys/stat.h>

#include "os/fd.h"

#define COPY_STEP 65536

struct output {
	char path[PATH_MAX]; /* without links; empty: standard output */
	char temp[PATH_MAX]; /* name of the file being written; empty: it has none */
	bool in_place;	     /* renamed at the end, not copied */
	int fd;
	mode_t mode; /* 0: of a new file */
};

static const char *shown(const struct output *o)
{
	return *o->path ? o->path : "standard output";
}

/* a file without a name; where that is not to be had, one that is removed at the end */
static int open_temp(struct output *o, const char *dir, struct err *e)
{
	int n;

	o->fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0666);
	if (o->fd >= 0)
		return 0;
	n = snprintf(o->temp, sizeof(o->temp), "%s/.mpiblast.XXXXXX", dir);
	if (n < 0 || (size_t)n >= sizeof(o->temp)) {
		o->temp[0] = '\0';
		return err_set(e, -ENAMETOOLONG, "the path of '%s' is too long", dir);
	}
	o->fd = mkostemp(o->temp, O_CLOEXEC);
	if (o->fd >= 0)
		return 0;
	n = -errno;
	o->temp[0] = '\0';
	return err_set(e, n, "create a file in '%s': %s", dir, strerror(-n));
}

int output_open(const char *path, const char *tmp, struct output **ret, struct err *e)
{
	struct output *o = calloc(1, sizeof(*o));
	char dir[PATH_MAX];
	struct stat st;
	int r;

	if (!o)
		return err_set(e, -ENOMEM, "out of memory");
	o->fd = -1;
	if (path && !realpath(path, o->path))
		(void)snprintf(o->path, sizeof(o->path), "%s", path); /* a new one */
	if (path && (stat(o->path, &st) < 0 || S_ISREG(st.st_mode))) {
		o->mode = stat(o->path, &st) < 0 ? 0 : st.st_mode & 07777;
		(void)snprintf(dir, sizeof(dir), "%s", o->path);
		o->in_place = true;
		r = open_temp(o, dirname(dir), e);
	} else {
		r = open_temp(o, tmp, e);
	}
	if (r < 0) {
		free(o);
		return r;
	}
	*ret = o;
	return 0;
}

int output_write(struct output *o, const void *p, size_t n, struct err *e)
{
	int r = fd_write_all(o->fd, p, n);

	return r < 0 ? err_set(e, r, "write the report for %s: %s; nothing was left there",
			       shown(o), strerror(-r))
		     : 0;
}

int output_restart(struct output *o, struct err *e)
{
	if (ftruncate(o->fd, 0) < 0 || lseek(o->fd, 0, SEEK_SET) < 0)
		return err_set(e, -errno, "begin the report anew: %s", strerror(errno));
	return 0;
}

/* give a file without a name a temporary one, as linkat(2) does not replace */
static int name_temp(struct output *o, struct err *e)
{
	char self[64];

	(void)snprintf(self, sizeof(self), "/proc/self/fd/%d", o->fd);
	for (unsigned int i = 0; i < 1000; i++) {
		int n = snprintf(o->temp, sizeof(o->temp), "%s.%u.%u~", o->path,
				 (unsigned int)getpid(), i);

		if (n < 0 || (size_t)n >= sizeof(o->temp))
			break;
		if (!linkat(AT_FDCWD, self, AT_FDCWD, o->temp, AT_SYMLINK_FOLLOW))
			return 0;
		if (errno != EEXIST)
			break;
	}
	o->temp[0] = '\0';
	return err_set(e, -errno, "create '%s': %s", o->path, strerror(errno));
}

static int put_in_place(struct output *o, struct err *e)
{
	mode_t mask = umask(0);
	int r = 0;

	(void)umask(mask);
	if (fchmod(o->fd, o->mode ? o->mode : 0666 & ~mask) < 0 || fsync(o->fd) < 0)
		return err_set(e, -errno, "write '%s': %s", o->path, strerror(errno));
	if (!*o->temp)
		r = name_temp(o, e);
	if (!r && rename(o->temp, o->path) < 0)
		r = err_set(e, -errno, "create '%s': %s", o->path, strerror(errno));
	if (!r)
		o->temp[0] = '\0'; /* it is the report now */
	return r;
}

static int copy_out(struct output *o, struct err *e)
{
	char bytes[COPY_STEP];
	int to = *o->path ? open(o->path, O_WRONLY | O_CLOEXEC) : STDOUT_FILENO, r = 0;
	off_t at = 0;
	ssize_t n;

	if (to < 0)
		return err_set(e, -errno, "open '%s': %s", o->path, strerror(errno));
	while (!r && (n = pread(o->fd, bytes, sizeof(bytes), at)) > 0) {
		at += n;
		r = fd_write_all(to, bytes, (size_t)n);
	}
	if (*o->path)
		(void)close(to); /* a device or pipe */
	return r < 0 ? err_set(e, r, "write the report to %s: %s", shown(o), strerror(-r)) : 0;
}

int output_commit(struct output *o, struct err *e)
{
	int r = o->in_place ? put_in_place(o, e) : copy_out(o, e);

	output_abort(o);
	return r;
}

void output_abort(struct output *o)
{
	if (!o)
		return;
	if (*o->temp)
		(void)unlink(o->temp); /* nothing else can be done about it */
	fd_close(&o->fd);
	free(o);
}
