/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * files.c - the file system of a box
 *
 * Theory of operation. A tmpfs is mounted where every machine has a directory (/proc; the name does
 * not matter, for nobody else sees it), filled from tables, made the root by pivot_root(2), and the
 * old root is let go. After that no path leads to the host any more. All of it lives in this mount
 * namespace only and goes with it: nothing is ever mounted or made on the host, but the cache's
 * owner and mode are set.
 *
 *	/usr /bin /sbin /lib*     the host's, read-only
 *	directory of the program  the host's, read-only, under its own name
 *	/etc                      what the dynamic linker wants, two made-up lists of users
 *	/dev /proc                minimal; of this pid namespace
 *	/cache                    the host's cache, writable, nothing in it can be executed
 *	/scratch                  tmpfs of bounded size; /tmp, /var/tmp and /dev/shm are links to it
 */
#include "node/box/wall.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "node/box.h"
#include "os/fd.h"
#include "os/file.h"

#define STAGE	   "/proc"
#define ROOT_BYTES "1m"

/* a link stays a link, a directory or file is bound read-only, what is not there is left out */
static const char *const from_host[] = {
	"/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32",
};

static const char *const etc_from_host[] = { "/etc/ld.so.cache", "/etc/alternatives" };

static const char *const devices[] = { "/dev/null", "/dev/zero", "/dev/full", "/dev/random",
				       "/dev/urandom" };

static const char *const dirs[] = { "etc", "dev", "proc", "var" };

static const struct {
	const char *name, *to;
} links[] = {
	{ "tmp", BOX_SCRATCH },
	{ "var/tmp", BOX_SCRATCH },
	{ "dev/shm", BOX_SCRATCH },
	{ "dev/fd", "/proc/self/fd" },
	{ "dev/stdin", "/proc/self/fd/0" },
	{ "dev/stdout", "/proc/self/fd/1" },
	{ "dev/stderr", "/proc/self/fd/2" },
};

/* names below the stage: "/usr" is "usr", seen from the stage as the working directory */
static const char *staged(const char *path)
{
	return path + 1;
}

static int make_file(const char *name, const char *text)
{
	AUTO_CLOSE int fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

	if (fd < 0)
		return -errno;
	return fd_write_all(fd, text, strlen(text));
}

/* an attribute set over the whole tree, before it is seen anywhere */
static int bind_as(const char *from, const char *to, uint64_t attributes)
{
	struct mount_attr attr = { .attr_set = attributes };
	AUTO_CLOSE int fd = (int)syscall(SYS_open_tree, AT_FDCWD, from,
					 OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);

	if (fd < 0)
		return -errno;
	if (syscall(SYS_mount_setattr, fd, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr, sizeof(attr)) <
	    0)
		return -errno;
	if (syscall(SYS_move_mount, fd, "", AT_FDCWD, to, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return -errno;
	return 0;
}

static int copy_link(const char *path)
{
	char to[PATH_MAX];
	ssize_t n = readlink(path, to, sizeof(to) - 1);

	if (n < 0)
		return -errno;
	to[n] = '\0';
	return symlink(to, staged(path)) < 0 ? -errno : 0;
}

static int show(const char *path, struct err *e)
{
	struct stat st;
	int r = 0;

	if (lstat(path, &st) < 0)
		return errno == ENOENT ? 0 : err_set(e, -errno, "'%s': %s", path, strerror(errno));
	if (S_ISLNK(st.st_mode)) {
		r = copy_link(path);
	} else {
		if (S_ISDIR(st.st_mode))
			r = mkdir(staged(path), 0755) < 0 ? -errno : 0;
		else
			r = make_file(staged(path), "");
		if (!r)
			r = bind_as(path, staged(path),
				    MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
	}
	return r < 0 ? err_set(e, r, "show '%s' in the box: %s", path, strerror(-r)) : 0;
}

static int show_all(const char *const *paths, size_t n, struct err *e)
{
	int r = 0;

	for (size_t i = 0; !r && i < n; i++)
		r = show(paths[i], e);
	return r;
}

static int show_devices(struct err *e)
{
	int r = 0;

	for (size_t i = 0; !r && i < ARRAY_LEN(devices); i++) {
		r = make_file(staged(devices[i]), "");
		if (!r)
			r = bind_as(devices[i], staged(devices[i]),
				    MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
		if (r < 0)
			return err_set(e, r, "show '%s' in the box: %s", devices[i], strerror(-r));
	}
	return 0;
}

static bool is_below(const char *path, const char *dir)
{
	size_t n = strlen(dir);

	return !strncmp(path, dir, n) && (path[n] == '/' || !path[n]);
}

/* where a program was built it stands in no directory that is shown anyway */
static int show_program_dir(const char *program, struct err *e)
{
	char path[PATH_MAX], *dir;
	int r;

	(void)snprintf(path, sizeof(path), "%s", program);
	dir = dirname(path);
	for (size_t i = 0; i < ARRAY_LEN(from_host); i++)
		if (is_below(dir, from_host[i]))
			return 0;
	if (!dir[1])
		return err_set(e, -EINVAL, "a program in '/' would show all of it: '%s'", program);
	r = dir_make(staged(dir), 0755, e);
	if (r < 0)
		return r;
	r = bind_as(dir, staged(dir), MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
	return r < 0 ? err_set(e, r, "show '%s' in the box: %s", dir, strerror(-r)) : 0;
}

/* the boxes' group may write, and nobody may remove what another box has made */
static int own_cache(const struct wall *w)
{
	AUTO_CLOSE int fd = open(w->cache, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (st.st_uid != 0 || st.st_gid != w->gid)
		if (fchown(fd, 0, w->gid) < 0)
			return -errno;
	if ((st.st_mode & 07777) != 01770 && fchmod(fd, 01770) < 0)
		return -errno;
	return 0;
}

static int show_cache(const struct wall *w, struct err *e)
{
	int r;

	if (!w->cache)
		return 0;
	r = own_cache(w);
	if (!r && mkdir(staged(BOX_CACHE), 0755) < 0)
		r = -errno;
	if (!r)
		r = bind_as(w->cache, staged(BOX_CACHE),
			    MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
	return r < 0 ? err_set(e, r, "the cache '%s': %s", w->cache, strerror(-r)) : 0;
}

static int make_scratch(const struct wall *w, struct err *e)
{
	char options[128];

	(void)snprintf(options, sizeof(options),
		       "size=%llu,nr_inodes=65536,mode=0700,uid=%u,gid=%u",
		       (unsigned long long)w->scratch_bytes, w->uid, w->gid);
	if (mkdir(staged(BOX_SCRATCH), 0755) < 0 ||
	    mount("scratch", staged(BOX_SCRATCH), "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC,
		  options) < 0)
		return err_set(e, -errno, "make the scratch directory: %s", strerror(errno));
	return 0;
}

static int make_skeleton(const struct wall *w, struct err *e)
{
	char users[256], groups[128];
	int r = 0;

	for (size_t i = 0; !r && i < ARRAY_LEN(dirs); i++)
		r = mkdir(dirs[i], 0755) < 0 ? -errno : 0;
	(void)snprintf(users, sizeof(users), "box:x:%u:%u::%s:/usr/sbin/nologin\n", w->uid, w->gid,
		       BOX_SCRATCH);
	(void)snprintf(groups, sizeof(groups), "box:x:%u:\n", w->gid);
	if (!r)
		r = make_file("etc/passwd", users);
	if (!r)
		r = make_file("etc/group", groups);
	return r < 0 ? err_set(e, r, "fill the root of the box: %s", strerror(-r)) : 0;
}

/* last: a program that was built below /var/tmp has made that a directory */
static int make_links(struct err *e)
{
	for (size_t i = 0; i < ARRAY_LEN(links); i++)
		if (symlink(links[i].to, links[i].name) < 0 && errno != EEXIST)
			return err_set(e, -errno, "link '/%s' in the box: %s", links[i].name,
				       strerror(errno));
	return 0;
}

static int make_proc(struct err *e)
{
	/* processes only: the rest tells of the machine, proc(5) */
	if (mount("proc", "proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, "subset=pid") < 0)
		return err_set(e, -errno, "mount /proc in the box: %s", strerror(errno));
	return 0;
}

static int open_stage(struct err *e)
{
	/* nothing that is mounted from here on is seen outside */
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return err_set(e, -errno, "part from the host's mounts: %s", strerror(errno));
	if (mount("box", STAGE, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755,size=" ROOT_BYTES) < 0 ||
	    chdir(STAGE) < 0)
		return err_set(e, -errno, "make the root of the box: %s", strerror(errno));
	return 0;
}

static int enter(struct err *e)
{
	/* the new root on top of the old, pivot_root(2); then the old one, below, is let go */
	if (syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
		return err_set(e, -errno, "enter the root of the box: %s", strerror(errno));
	if (mount(NULL, "/", NULL,
		  MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0)
		return err_set(e, -errno, "make the root of the box read-only: %s",
			       strerror(errno));
	if (chdir(BOX_SCRATCH) < 0)
		return err_set(e, -errno, "enter the scratch directory: %s", strerror(errno));
	return 0;
}

int wall_files(const struct wall *w, struct err *e)
{
	int r;

	(void)umask(022);
	r = open_stage(e);
	if (!r)
		r = make_skeleton(w, e);
	if (!r)
		r = show_all(from_host, ARRAY_LEN(from_host), e);
	if (!r)
		r = show_all(etc_from_host, ARRAY_LEN(etc_from_host), e);
	if (!r)
		r = show_devices(e);
	if (!r)
		r = show_program_dir(w->program, e);
	if (!r)
		r = show_cache(w, e);
	if (!r)
		r = make_scratch(w, e);
	if (!r)
		r = make_links(e);
	if (!r)
		r = make_proc(e);
	return r < 0 ? r : enter(e);
}
