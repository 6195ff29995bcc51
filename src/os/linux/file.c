/* SPDX-License-Identifier: GPL-2.0-or-later */
/* file.c - whole files and directories */
#include "os/file.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <libgen.h>
#include <limits.h>
#include <sys/stat.h>

#include "os/fd.h"

#define READ_STEP 65536

int file_read(const char *path, struct buf *to, struct err *e)
{
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	size_t before = to->len;
	struct stat st;

	if (fd < 0)
		return err_set(e, -errno, "open '%s': %s", path, strerror(errno));
	if (fstat(fd, &st) < 0)
		return err_set(e, -errno, "stat '%s': %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return err_set(e, -EINVAL, "'%s' is no regular file", path);
	for (;;) {
		size_t step = to->max - to->len;
		uint8_t *p;
		ssize_t n;
		int r;

		/* at the limit one more byte is tried, on the stack, to tell full from too long */
		uint8_t over;

		step = step < READ_STEP ? step : READ_STEP;
		if (step) {
			r = buf_room(to, step, &p);
			if (r < 0) {
				to->len = before;
				return err_set(e, r, "read '%s': %s", path, strerror(-r));
			}
		} else {
			p = &over;
		}
		n = read(fd, p, step ? step : 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 || (n > 0 && !step)) {
			r = n < 0 ? -errno : -EFBIG;
			to->len = before;
			return err_set(e, r, "read '%s': %s", path, strerror(-r));
		}
		if (!n)
			return 0;
		buf_grow(to, (size_t)n);
	}
}

/* a rename is only on disk when its directory is */
static int sync_dir_of(const char *path)
{
	char copy[PATH_MAX];

	(void)snprintf(copy, sizeof(copy), "%s", path);
	AUTO_CLOSE int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || fsync(fd) < 0)
		return -errno;
	return 0;
}

int file_write_atomic(const char *path, const void *data, size_t len, mode_t mode, struct err *e)
{
	char tmp[PATH_MAX];
	int n = snprintf(tmp, sizeof(tmp), "%s.XXXXXX", path);
	int r = 0;

	if (n < 0 || (size_t)n >= sizeof(tmp))
		return err_set(e, -ENAMETOOLONG, "write '%s': name too long", path);
	AUTO_CLOSE int fd = mkostemp(tmp, O_CLOEXEC);

	if (fd < 0)
		return err_set(e, -errno, "create '%s': %s", path, strerror(errno));
	if (fchmod(fd, mode) < 0)
		r = -errno;
	if (!r)
		r = fd_write_all(fd, data, len);
	if (!r && fsync(fd) < 0)
		r = -errno;
	if (!r && rename(tmp, path) < 0)
		r = -errno;
	if (r < 0) {
		(void)unlink(tmp); /* best effort, the reason is the first failure */
		return err_set(e, r, "write '%s': %s", path, strerror(-r));
	}
	r = sync_dir_of(path);
	if (r < 0)
		return err_set(e, r, "sync the directory of '%s': %s", path, strerror(-r));
	return 0;
}

int dir_make(const char *path, mode_t mode, struct err *e)
{
	char copy[PATH_MAX];
	int n = snprintf(copy, sizeof(copy), "%s", path);
	struct stat st;

	if (n <= 0 || (size_t)n >= sizeof(copy))
		return err_set(e, -ENAMETOOLONG, "mkdir '%s': bad name", path);
	for (char *p = copy + 1;; p++) {
		char c = *p;

		if (c && c != '/')
			continue;
		*p = '\0';
		if (mkdir(copy, mode) < 0 && errno != EEXIST)
			return err_set(e, -errno, "mkdir '%s': %s", copy, strerror(errno));
		*p = c;
		if (!c)
			break;
	}
	/* EEXIST is said of a file, too */
	if (stat(copy, &st) < 0)
		return err_set(e, -errno, "stat '%s': %s", copy, strerror(errno));
	if (!S_ISDIR(st.st_mode))
		return err_set(e, -ENOTDIR, "'%s' is in the way: it is no directory", copy);
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *f)
{
	(void)st;
	(void)type;
	(void)f;
	return remove(path) < 0 && errno != ENOENT ? -1 : 0;
}

int dir_remove(const char *path, struct err *e)
{
	if (nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT) < 0 && errno != ENOENT)
		return err_set(e, -errno, "remove '%s': %s", path, strerror(errno));
	return 0;
}
