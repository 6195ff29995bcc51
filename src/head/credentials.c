/* SPDX-License-Identifier: GPL-2.0-or-later */
/* credentials.c - the operators' credentials that the signer has given out */
#include "head/credentials.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/fd.h"
#include "os/file.h"
#include "wire/message.h"

#define FILE_NAME      "operators"
#define FILE_BYTES_MAX 65536

static int lock_dir(const char *dir, int how, int *ret_fd, struct err *e)
{
	AUTO_CLOSE int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || flock(fd, how) < 0)
		return err_set(e, -errno, "lock '%s': %s", dir, strerror(errno));
	*ret_fd = fd_take(&fd);
	return 0;
}

static int path_of(char to[PATH_MAX], const char *dir, struct err *e)
{
	int n = snprintf(to, PATH_MAX, "%s/" FILE_NAME, dir);

	return n < PATH_MAX ? 0 : err_set(e, -ENAMETOOLONG, "'%s' is too long", dir);
}

/* the directory is locked */
static int read_list(const char *path, Cmx__OperatorList **ret, struct err *e)
{
	Cmx__OperatorList *list = NULL;
	struct buf b;
	int r;

	buf_init(&b, FILE_BYTES_MAX);
	r = file_read(path, &b, e);
	if (r == -ENOENT)
		r = 0; /* none was given out yet: an empty list is no bytes */
	if (!r) {
		list = message_get(&cmx__operator_list__descriptor, buf_bytes(&b), b.len, NULL);
		if (!list || list->n_rows > CREDENTIALS_MAX) {
			message_free(&list);
			r = err_set(e, -EINVAL, "'%s' is damaged; restore it from a backup", path);
		}
	}
	buf_done(&b);
	if (!r)
		*ret = list;
	return r;
}

/* the directory is locked; whoever writes, the file is the directory's owner's */
static int write_list(const char *path, int dir_fd, const Cmx__OperatorList *list, struct err *e)
{
	struct stat st;
	struct buf b;
	int r;

	buf_init(&b, FILE_BYTES_MAX);
	r = message_pack(&b, list);
	if (r < 0)
		(void)err_set(e, r, "write '%s': %s", path, strerror(-r));
	else
		r = file_write_atomic(path, buf_bytes(&b), b.len, 0600, e);
	buf_done(&b);
	if (!r && !geteuid() &&
	    (fstat(dir_fd, &st) < 0 ||
	     fchownat(dir_fd, FILE_NAME, st.st_uid, st.st_gid, AT_SYMLINK_NOFOLLOW) < 0))
		r = err_set(e, -errno, "give '%s' to the signer: %s", path, strerror(errno));
	return r;
}

int credentials_load(const char *dir, Cmx__OperatorList **ret, struct err *e)
{
	AUTO_CLOSE int lock = -1;
	char path[PATH_MAX];
	int r = path_of(path, dir, e);

	if (!r)
		r = lock_dir(dir, LOCK_SH, &lock, e);
	return r < 0 ? r : read_list(path, ret, e);
}

int credentials_add(const char *dir, const Cmx__OperatorCredential *row, int64_t now, struct err *e)
{
	AUTO_MESSAGE Cmx__OperatorList *old = NULL;
	const Cmx__OperatorCredential *rows[CREDENTIALS_MAX];
	Cmx__OperatorList list = CMX__OPERATOR_LIST__INIT;
	AUTO_CLOSE int lock = -1;
	char path[PATH_MAX];
	size_t n = 0;
	int r = path_of(path, dir, e);

	if (!r)
		r = lock_dir(dir, LOCK_EX, &lock, e);
	if (!r)
		r = read_list(path, &old, e);
	if (r < 0)
		return r;
	assert(old); /* clang-tidy does not see that err_set() fails */
	for (size_t i = 0; i < old->n_rows; i++)
		if (old->rows[i]->not_after > now)
			rows[n++] = old->rows[i];
	if (n == CREDENTIALS_MAX)
		return err_set(e, -EDQUOT,
			       "%d operators' credentials have been made, which is the limit; "
			       "wait until the first of them ends",
			       CREDENTIALS_MAX);
	rows[n++] = row;
	list.rows = (Cmx__OperatorCredential **)rows; /* only read */
	list.n_rows = n;
	return write_list(path, lock, &list, e);
}
