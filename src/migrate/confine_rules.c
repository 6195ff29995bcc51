/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * confine_rules.c - Landlock's ruleset of a job
 *
 * Theory of operation. Landlock can only allow, and what it allows for a directory it allows for
 * all that is below. So a directory that has the home directory in it (or is it) is taken apart:
 * each entry on the way that does not lead to the home directory is allowed whole, and of the home
 * directory each entry whose name does not begin with a dot. Directories are told apart by device
 * and inode number, never by their names: a bind mount or a link is no way round.
 */
#include "migrate/confine_rules.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "os/fd.h"
#include "os/user.h"

#define ABI_LEAST    6	/* Linux 6.12: signals */
#define DEPTH_MAX    64 /* directories above the home directory, or the working directory */
#define PATH_BENEATH 1	/* LANDLOCK_RULE_PATH_BENEATH */
#define WANT_VERSION 1	/* LANDLOCK_CREATE_RULESET_VERSION */

/* landlock(7); the headers of Debian 12 end with ABI 2 */
#define FS_EXECUTE    (1ULL << 0)
#define FS_WRITE      (1ULL << 1)
#define FS_READ	      (1ULL << 2)
#define FS_READ_DIR   (1ULL << 3)
#define FS_MAKE_CHAR  (1ULL << 6)
#define FS_MAKE_BLOCK (1ULL << 11)
#define FS_TRUNCATE   (1ULL << 14)
#define FS_IOCTL_DEV  (1ULL << 15)
#define FS_ALL	      ((1ULL << 16) - 1)
#define NET_BIND_TCP  (1ULL << 0)
#define SCOPE_ALL     3ULL /* abstract Unix sockets, signals */

#define FS_OF_FILES (FS_EXECUTE | FS_WRITE | FS_READ | FS_TRUNCATE | FS_IOCTL_DEV)
#define FS_LOOK	    (FS_READ | FS_READ_DIR)
#define FS_RUN	    (FS_LOOK | FS_EXECUTE)
#define FS_OWN	    (FS_ALL & ~(FS_MAKE_CHAR | FS_MAKE_BLOCK | FS_IOCTL_DEV))
#define FS_DEVICE   (FS_READ | FS_WRITE | FS_TRUNCATE)

struct ruleset_attr {
	uint64_t fs, net, scoped;
};

struct path_beneath_attr {
	uint64_t allowed;
	int32_t parent;
} __attribute__((packed));

/* what is not there is no error */
static const struct {
	const char *path;
	uint64_t access;
} system_rows[] = {
	{ "/bin", FS_RUN },
	{ "/sbin", FS_RUN },
	{ "/lib", FS_RUN },
	{ "/lib32", FS_RUN },
	{ "/lib64", FS_RUN },
	{ "/libx32", FS_RUN },
	{ "/usr", FS_RUN },
	{ "/opt", FS_RUN },
	{ "/etc", FS_RUN },
	{ "/proc", FS_LOOK },
	{ "/sys", FS_LOOK },
	{ "/etc/resolv.conf", FS_READ },
	{ "/dev/null", FS_DEVICE },
	{ "/dev/zero", FS_DEVICE },
	{ "/dev/full", FS_DEVICE },
	{ "/dev/random", FS_DEVICE },
	{ "/dev/urandom", FS_DEVICE },
	{ "/dev/tty", FS_DEVICE | FS_IOCTL_DEV },
};

int confine_home(uid_t uid, char *ret, size_t len, struct err *e)
{
	struct user user;
	int r = user_by_uid(uid, &user, e);

	(void)snprintf(ret, len, "%s", r ? "" : user.home);
	return r == -ENOENT ? 0 : r;
}

int confine_rules_new(struct err *e)
{
	const struct ruleset_attr attr = { FS_ALL, NET_BIND_TCP, SCOPE_ALL };
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, WANT_VERSION);
	long fd;

	if (abi < 0)
		return err_set(
			e, -EOPNOTSUPP,
			"this machine cannot confine a job, so it cannot go to a desktop: its "
			"kernel has no Landlock, or boots without it (add lsm=landlock,...)");
	if (abi < ABI_LEAST)
		return err_set(
			e, -EOPNOTSUPP,
			"this machine cannot confine a job, so it cannot go to a desktop: its "
			"Landlock has version %ld, %d is needed (Linux 6.12)",
			abi, ABI_LEAST);
	fd = syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0); /* close-on-exec */
	return fd < 0 ? err_set(e, -errno, "make a Landlock ruleset: %s", strerror(errno))
		      : (int)fd;
}

int confine_rules_open(const struct confine *c, const char *path)
{
	const struct open_how how = { .flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT };
	long fd = syscall(SYS_openat2, c->root, path, &how, sizeof(how));

	return fd < 0 ? -errno : (int)fd;
}

static int add(const struct confine *c, int fd, uint64_t access)
{
	struct path_beneath_attr attr = { access, fd };
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (S_ISLNK(st.st_mode))
		return 0; /* where it leads to is judged there */
	if (!S_ISDIR(st.st_mode))
		attr.allowed &= FS_OF_FILES;
	if (syscall(SYS_landlock_add_rule, c->ruleset, PATH_BENEATH, &attr, 0) == 0)
		return 0;
	return errno == EBADFD ? 0 : -errno; /* a pipe or the like: not under Landlock */
}

/* ------------------------------------------------------------ around the home */

static bool same(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/*
 * From a directory up to the root: fills what is met. Return: how many, -errno
 */
static int climb(int fd, struct stat *met)
{
	AUTO_CLOSE int at = fcntl(fd, F_DUPFD_CLOEXEC, 0);

	for (int n = 0; at >= 0 && n < DEPTH_MAX; n++) {
		int up;

		if (fstat(at, &met[n]) < 0)
			return -errno;
		if (n && same(&met[n], &met[n - 1]))
			return n; /* the root is its own parent */
		up = openat(at, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (up < 0)
			return -errno;
		(void)close(at);
		at = up;
	}
	return at < 0 ? -errno : -ELOOP;
}

static int open_to_read(int fd, DIR **ret)
{
	int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	*ret = copy < 0 ? NULL : fdopendir(copy);
	if (*ret)
		return 0;
	fd_close(&copy);
	return -errno;
}

static int add_below(const struct confine *c, int fd, const struct stat *way, int level);

/* one name of a directory on the way to the home directory, or of that itself */
static int add_entry(const struct confine *c, DIR *dir, const char *name, const struct stat *way,
		     int level)
{
	AUTO_CLOSE int fd = -1;
	struct stat st;

	if (!strcmp(name, ".") || !strcmp(name, "..") || (level == 0 && name[0] == '.'))
		return 0;
	fd = openat(dirfd(dir), name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return errno == ENOENT || errno == EACCES ? 0 : -errno; /* nothing to be allowed */
	for (int i = 0; i < level; i++)
		if (same(&st, &way[i]))
			return add_below(c, fd, way, i);
	return add(c, fd, FS_OWN);
}

/* what is in a directory that is @level above the home directory; way[0] is that */
static int add_below(const struct confine *c, int fd, const struct stat *way, int level)
{
	struct dirent *d;
	DIR *dir;
	int r = open_to_read(fd, &dir);

	if (r < 0)
		return r == -EACCES ? 0 : r; /* its user cannot list it either */
	while (!r && (d = readdir(dir)))
		r = add_entry(c, dir, d->d_name, way, level);
	(void)closedir(dir);
	return r;
}

/* does an entry of the home directory that begins with a dot lead to this one? 1, 0, -errno */
static int is_dot_entry(const struct confine *c, const struct stat *which)
{
	struct dirent *d;
	struct stat st;
	DIR *dir;
	int r = open_to_read(c->home, &dir);

	if (r < 0)
		return r;
	while (!r && (d = readdir(dir)))
		if (d->d_name[0] == '.' && strcmp(d->d_name, ".") && strcmp(d->d_name, "..") &&
		    fstatat(dirfd(dir), d->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0)
			r = same(&st, which);
	(void)closedir(dir);
	return r;
}

/* 1 it lies in a dot directory of the home, 0 not, -errno */
static int lies_in_dot(const struct confine *c, const struct stat *met, int n,
		       const struct stat *home)
{
	for (int i = 1; i < n; i++)
		if (same(&met[i], home))
			return is_dot_entry(c, &met[i - 1]);
	return 0;
}

static int add_directory(const struct confine *c, int fd)
{
	struct stat way[DEPTH_MAX], met[DEPTH_MAX];
	int n_way = climb(c->home, way), n = climb(fd, met), r;

	if (n_way < 0 || n < 0)
		return n_way < 0 ? n_way : n;
	for (int i = 0; i < n_way; i++)
		if (same(&met[0], &way[i]))
			return add_below(c, fd, way, i);
	r = lies_in_dot(c, met, n, &way[0]);
	if (r)
		return r < 0 ? r : -EPERM;
	return add(c, fd, FS_OWN);
}

/* a file has no way up: it is looked for among the dot entries of the home directory only */
static int add_file(const struct confine *c, int fd, const struct stat *st)
{
	int r = is_dot_entry(c, st);

	if (r)
		return r < 0 ? r : -EPERM;
	return add(c, fd, FS_OWN);
}

int confine_rules_tree(const struct confine *c, int fd, const char *what, struct err *e)
{
	struct stat st;
	int r = fstat(fd, &st) < 0 ? -errno : 0;

	if (!r && c->home < 0)
		r = add(c, fd, FS_OWN);
	else if (!r)
		r = S_ISDIR(st.st_mode) ? add_directory(c, fd) : add_file(c, fd, &st);
	if (r == -EPERM)
		return err_set(
			e, r,
			"%s is, or lies in, a dot file of the home directory, which no job may "
			"use: start it elsewhere",
			what);
	return r < 0 ? err_set(e, r, "allow %s: %s", what, strerror(-r)) : 0;
}

int confine_rules_program(const struct confine *c, int fd, struct err *e)
{
	int r = add(c, fd, FS_READ | FS_EXECUTE);

	return r < 0 ? err_set(e, r, "allow its program file: %s", strerror(-r)) : 0;
}

int confine_rules_system(const struct confine *c, struct err *e)
{
	for (size_t i = 0; i < ARRAY_LEN(system_rows); i++) {
		AUTO_CLOSE int fd = confine_rules_open(c, system_rows[i].path);
		int r = fd < 0 ? 0 : add(c, fd, system_rows[i].access);

		if (r < 0)
			return err_set(e, r, "allow '%s': %s", system_rows[i].path, strerror(-r));
	}
	return 0;
}
