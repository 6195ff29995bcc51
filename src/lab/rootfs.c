/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rootfs.c - what a pod sees as its files
 *
 * Theory of operation. Nothing is ever made on the machine's own file systems: where a mount point
 * is missing there (/etc/comosix on a machine that never was a head), an overlay whose upper layer
 * is in the lab's storage carries it. All mounts live in the pod's mount namespace and end with it.
 *
 * A node gets a fresh tmpfs, filled from the tables below while it is mounted on STAGE/root, and
 * moves into it by pivot_root(2); the old root is detached, so that nothing of the machine can be
 * reached by name any more. The head stays in the machine's root.
 */
#include "lab/rootfs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/parse.h"
#include "lab/cgroup.h"
#include "lab/layout.h"
#include "os/fd.h"
#include "os/file.h"

#define FILE_BYTES_MAX (8U << 20)
#define HOMES_MAX      1000
#define UID_USER_MIN   1000
#define UID_USER_MAX   60000
#define PASSWD_FIELDS  7
#define BRIEF	       (MS_NOSUID | MS_NODEV | MS_NOEXEC)

struct fs_mount {
	const char *type, *target;
	unsigned long flags;
	const char *data;
	bool optional; /* the kernel may lack it */
};

struct dir {
	const char *path;
	mode_t mode;
};

struct bind {
	const char *path; /* on both sides */
	bool optional;
	bool writable;
};

struct text_file {
	const char *path, *text;
};

#define DEVPTS_DATA "newinstance,ptmxmode=0666,mode=0620,gid=5"

static const struct dir disk_dirs[] = {
	{ "lib", 0755 },      { "etc", 0755 },	     { "log", 0755 },	   { "etc-upper", 0755 },
	{ "etc-work", 0755 }, { "lib-upper", 0755 }, { "lib-work", 0755 },
};

static const struct fs_mount head_mounts[] = {
	{ "proc", "proc", BRIEF, NULL, false },
	{ "devpts", "dev/pts", MS_NOSUID | MS_NOEXEC, DEVPTS_DATA, false },
	{ "tmpfs", "dev/shm", MS_NOSUID | MS_NODEV, "mode=1777", true },
	{ "mqueue", "dev/mqueue", BRIEF, NULL, true },
};

static const struct dir head_run_dirs[] = {
	{ "comosix", 0755 }, { "lab", 0755 },  { "lab/log", 0755 },
	{ "lock", 01777 },   { "user", 0755 },
};

static const struct dir node_dirs[] = {
	{ "usr", 0755 },
	{ "proc", 0555 },
	{ "sys", 0555 },
	{ "dev", 0755 },
	{ "etc", 0755 },
	{ "etc/comosix", 0755 },
	{ "home", 0755 },
	{ "root", 0700 },
	{ "mnt", 0755 },
	{ "opt", 0755 },
	{ "srv", 0755 },
	{ "tmp", 01777 },
	{ "run", 0755 },
	{ "run/comosix", 0755 },
	{ "run/lab", 0755 },
	{ "run/lab/log", 0755 },
	{ "run/lock", 01777 },
	{ "var", 0755 },
	{ "var/tmp", 01777 },
	{ "var/log", 0755 },
	{ "var/cache", 0755 },
	{ "var/lib", 0755 },
	{ "var/lib/comosix", 0755 },
};

/* parts of the root that are links on a merged-/usr machine and directories elsewhere */
static const char *const root_parts[] = { "bin", "sbin", "lib", "lib32", "lib64", "libx32" };

static const struct fs_mount node_mounts[] = {
	{ "proc", "proc", BRIEF, NULL, false },
	{ "sysfs", "sys", BRIEF | MS_RDONLY, NULL, false },
	{ "tmpfs", "dev", MS_NOSUID | MS_NOEXEC, "mode=755,size=1m", false },
	{ "devpts", "dev/pts", MS_NOSUID | MS_NOEXEC, DEVPTS_DATA, false },
	{ "tmpfs", "dev/shm", MS_NOSUID | MS_NODEV, "mode=1777", false },
	{ "mqueue", "dev/mqueue", BRIEF, NULL, true },
};

static const struct bind node_binds[] = {
	{ "usr", false, false },
	{ "dev/null", false, true },
	{ "dev/zero", false, true },
	{ "dev/full", false, true },
	{ "dev/random", false, true },
	{ "dev/urandom", false, true },
	{ "dev/tty", true, true },
	{ "dev/userfaultfd", true, true }, /* for memory that follows a process (post-copy) */
	{ "etc/alternatives", true, false },
	{ "etc/ld.so.cache", true, false },
	{ "etc/ld.so.conf", true, false },
	{ "etc/ld.so.conf.d", true, false },
	{ "etc/localtime", true, false },
	{ "etc/openmpi", true, false },
	{ "etc/protocols", true, false },
	{ "etc/services", true, false },
};

static const struct text_file node_links[] = {
	{ "dev/fd", "/proc/self/fd" },	     { "dev/stdin", "/proc/self/fd/0" },
	{ "dev/stdout", "/proc/self/fd/1" }, { "dev/stderr", "/proc/self/fd/2" },
	{ "dev/ptmx", "pts/ptmx" },	     { "var/run", "/run" },
	{ "var/lock", "/run/lock" },	     { "etc/os-release", "/usr/lib/os-release" },
	{ "etc/mtab", "/proc/self/mounts" },
};

static const struct text_file node_files[] = {
	{ "etc/resolv.conf", "# a lab reaches no name server\n" },
	{ "etc/nsswitch.conf", "passwd: files\ngroup: files\nshadow: files\nhosts: files\n" },
};

/* from STAGE/shared to the node's /etc */
static const char *const node_copies[] = { "passwd", "group" };

static int mount_fs(const char *root, const struct fs_mount *m, struct err *e)
{
	char path[PATH_MAX];
	int r = 0;

	(void)snprintf(path, sizeof(path), "%s/%s", root, m->target);
	if (mkdir(path, 0755) < 0 && errno != EEXIST)
		r = -errno;
	if (!r && mount(m->type, path, m->type, m->flags, m->data) < 0)
		r = -errno;
	if (r < 0 && !m->optional)
		return err_set(e, r, "mount %s on '%s': %s", m->type, path, strerror(-r));
	return 0;
}

/* bind from on to, with all below it; the mount point is made, as a directory or a file */
static int bind_path(const char *from, const char *to, bool writable, struct err *e)
{
	struct mount_attr ro = { .attr_set = MOUNT_ATTR_RDONLY };
	struct stat st;
	int r = 0;

	if (stat(from, &st) < 0)
		return err_set(e, -errno, "'%s': %s", from, strerror(errno));
	if (S_ISDIR(st.st_mode)) {
		if (mkdir(to, 0755) < 0 && errno != EEXIST)
			r = -errno;
	} else {
		AUTO_CLOSE int fd = open(to, O_CREAT | O_WRONLY | O_CLOEXEC | O_NOFOLLOW, 0644);

		if (fd < 0 && errno != EACCES && errno != ETXTBSY)
			r = -errno;
	}
	if (!r && mount(from, to, NULL, MS_BIND | MS_REC, NULL) < 0)
		r = -errno;
	if (!r && !writable && mount_setattr(AT_FDCWD, to, AT_RECURSIVE, &ro, sizeof(ro)) < 0)
		r = -errno;
	return r < 0 ? err_set(e, r, "bind '%s' on '%s': %s", from, to, strerror(-r)) : 0;
}

static int make_dirs(const char *root, const struct dir *dirs, size_t n, struct err *e)
{
	char path[PATH_MAX];

	for (size_t i = 0; i < n; i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", root, dirs[i].path);
		if (mkdir(path, dirs[i].mode) < 0 && errno != EEXIST)
			return err_set(e, -errno, "mkdir '%s': %s", path, strerror(errno));
		if (chmod(path, dirs[i].mode) < 0)
			return err_set(e, -errno, "chmod '%s': %s", path, strerror(errno));
	}
	return 0;
}

static int write_file(const char *root, const char *name, const void *p, size_t len, struct err *e)
{
	char path[PATH_MAX];
	int r;

	(void)snprintf(path, sizeof(path), "%s/%s", root, name);
	AUTO_CLOSE int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0644);

	r = fd < 0 ? -errno : fd_write_all(fd, p, len);
	return r < 0 ? err_set(e, r, "write '%s': %s", path, strerror(-r)) : 0;
}

static int copy_file(const char *from, const char *root, const char *name, struct err *e)
{
	struct buf b;
	int r;

	buf_init(&b, FILE_BYTES_MAX);
	r = file_read(from, &b, e);
	if (!r)
		r = write_file(root, name, buf_bytes(&b), b.len, e);
	buf_done(&b);
	return r;
}

int rootfs_stage(const char *stage, struct err *e)
{
	static const struct dir dirs[] = { { "disks", 0755 },
					   { "shared", 0755 },
					   { "root", 0755 } };
	char shared[PATH_MAX], from[PATH_MAX];
	int r;

	/* what the machine mounts later shows up here, what is mounted here never there */
	if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
		return err_set(e, -errno, "detach from the machine's mounts: %s", strerror(errno));
	if (mount("comosix-lab", stage, "tmpfs", MS_NOSUID | MS_NODEV, "mode=755") < 0)
		return err_set(e, -errno, "mount tmpfs on '%s': %s", stage, strerror(errno));
	if (mount("proc", "/proc", "proc", BRIEF, NULL) < 0)
		return err_set(e, -errno, "mount /proc: %s", strerror(errno));
	r = make_dirs(stage, dirs, ARRAY_LEN(dirs), e);
	(void)snprintf(shared, sizeof(shared), "%s/shared", stage);
	for (size_t i = 0; i < ARRAY_LEN(node_copies) && !r; i++) {
		(void)snprintf(from, sizeof(from), "/etc/%s", node_copies[i]);
		r = copy_file(from, shared, node_copies[i], e);
	}
	return r;
}

int rootfs_disk(const struct rootfs *r, struct err *e)
{
	char path[PATH_MAX];

	(void)snprintf(path, sizeof(path), "%s/disks/%s", r->stage, r->pod);
	if (mkdir(path, 0755) < 0 && errno != EEXIST)
		return err_set(e, -errno, "mkdir '%s': %s", path, strerror(errno));
	return make_dirs(path, disk_dirs, ARRAY_LEN(disk_dirs), e);
}

/* put the disk's directory over a directory of the machine, which need not exist */
static int cover(const struct rootfs *r, const char *parent, const char *part, struct err *e)
{
	char path[PATH_MAX], from[PATH_MAX], data[3 * PATH_MAX];

	(void)snprintf(path, sizeof(path), "%s/comosix", parent);
	if (access(path, F_OK) < 0) {
		(void)snprintf(
			data, sizeof(data),
			"lowerdir=%s,upperdir=%s/disks/%s/%s-upper,workdir=%s/disks/%s/%s-work",
			parent, r->stage, r->pod, part, r->stage, r->pod, part);
		if (mount("comosix-lab", parent, "overlay", 0, data) < 0)
			return err_set(
				e, -errno,
				"mount an overlay on %s: %s (or make the directory %s first)",
				parent, strerror(errno), path);
	}
	(void)snprintf(from, sizeof(from), "%s/disks/%s/%s", r->stage, r->pod, part);
	return bind_path(from, path, true, e);
}

int rootfs_head(const struct rootfs *r, struct err *e)
{
	char root[PATH_MAX], from[PATH_MAX], to[PATH_MAX];
	int x;

	x = cover(r, "/etc", "etc", e);
	if (!x)
		x = cover(r, "/var/lib", "lib", e);
	if (x < 0)
		return x;
	(void)snprintf(from, sizeof(from), "%s/shared/hosts", r->stage);
	if (access("/etc/hosts", F_OK) == 0) {
		x = bind_path(from, "/etc/hosts", false, e);
		if (x < 0)
			return x;
	}
	for (size_t i = 0; i < ARRAY_LEN(head_mounts); i++) {
		x = mount_fs("", &head_mounts[i], e);
		if (x < 0)
			return x;
	}
	x = cgroup_show(r->cgroup, r->pod, "", e);
	if (x < 0)
		return x;
	/* /run last: it hides the stage */
	(void)snprintf(root, sizeof(root), "%s/root", r->stage);
	if (mount("comosix-lab", root, "tmpfs", MS_NOSUID | MS_NODEV, "mode=755") < 0)
		return err_set(e, -errno, "mount tmpfs on '%s': %s", root, strerror(errno));
	x = make_dirs(root, head_run_dirs, ARRAY_LEN(head_run_dirs), e);
	(void)snprintf(from, sizeof(from), "%s/disks/%s/log", r->stage, r->pod);
	(void)snprintf(to, sizeof(to), "%s/lab/log", root);
	if (!x)
		x = bind_path(from, to, true, e);
	(void)snprintf(to, sizeof(to), "%s/lab/bin", root);
	if (!x)
		x = bind_path(r->programs, to, false, e);
	if (!x && mount(root, "/run", NULL, MS_MOVE, NULL) < 0)
		x = err_set(e, -errno, "move '%s' to /run: %s", root, strerror(errno));
	return x;
}

static int node_root_parts(const char *root, struct err *e)
{
	char from[PATH_MAX], to[PATH_MAX], link[PATH_MAX];
	int r = 0;

	for (size_t i = 0; i < ARRAY_LEN(root_parts) && !r; i++) {
		ssize_t n;

		(void)snprintf(from, sizeof(from), "/%s", root_parts[i]);
		(void)snprintf(to, sizeof(to), "%s/%s", root, root_parts[i]);
		n = readlink(from, link, sizeof(link) - 1);
		if (n >= 0) {
			link[n] = '\0';
			if (symlink(link, to) < 0)
				r = err_set(e, -errno, "link '%s': %s", to, strerror(errno));
		} else if (errno == EINVAL) {
			r = bind_path(from, to, false, e);
		}
	}
	return r;
}

/* one line of passwd: a home for a person, empty and private */
static void make_home(const char *root, char *line)
{
	char *f[PASSWD_FIELDS], path[PATH_MAX];
	uint32_t uid, gid;
	size_t n = 0;

	for (char *w; n < PASSWD_FIELDS && (w = strsep(&line, ":"));)
		f[n++] = w;
	if (n < PASSWD_FIELDS || parse_u32(f[2], &uid) < 0 || parse_u32(f[3], &gid) < 0 ||
	    uid < UID_USER_MIN || uid > UID_USER_MAX || strncmp(f[5], "/home/", 6) != 0 ||
	    strstr(f[5], ".."))
		return;
	(void)snprintf(path, sizeof(path), "%s%s", root, f[5]);
	/* a home of which the parent is missing is left out: the user gets / as directory */
	if (mkdir(path, 0700) == 0 && chown(path, uid, gid) < 0)
		(void)rmdir(path);
}

static int node_etc(const struct rootfs *r, const char *root, struct err *e)
{
	char from[PATH_MAX], to[PATH_MAX];
	struct buf b;
	int x = 0;

	for (size_t i = 0; i < ARRAY_LEN(node_copies) && !x; i++) {
		(void)snprintf(from, sizeof(from), "%s/shared/%s", r->stage, node_copies[i]);
		(void)snprintf(to, sizeof(to), "etc/%s", node_copies[i]);
		x = copy_file(from, root, to, e);
	}
	for (size_t i = 0; i < ARRAY_LEN(node_files) && !x; i++)
		x = write_file(root, node_files[i].path, node_files[i].text,
			       strlen(node_files[i].text), e);
	(void)snprintf(to, sizeof(to), "%s\n", r->pod);
	if (!x)
		x = write_file(root, "etc/hostname", to, strlen(to), e);
	(void)snprintf(from, sizeof(from), "%s/shared/hosts", r->stage);
	(void)snprintf(to, sizeof(to), "%s/etc/hosts", root);
	if (!x)
		x = bind_path(from, to, false, e);
	if (x < 0)
		return x;
	buf_init(&b, FILE_BYTES_MAX);
	(void)snprintf(from, sizeof(from), "%s/etc/passwd", root);
	x = file_read(from, &b, e);
	if (!x && buf_text(&b)) {
		char *rest = (char *)b.data + b.off, *line;

		for (int i = 0; i < HOMES_MAX && (line = strsep(&rest, "\n")); i++)
			make_home(root, line);
	}
	buf_done(&b);
	return x;
}

static int node_disk(const struct rootfs *r, const char *root, struct err *e)
{
	static const char *const parts[][2] = {
		{ "lib", "var/lib/comosix" },
		{ "etc", "etc/comosix" },
		{ "log", "run/lab/log" },
	};
	char from[PATH_MAX], to[PATH_MAX];
	int x = 0;

	for (size_t i = 0; i < ARRAY_LEN(parts) && !x; i++) {
		(void)snprintf(from, sizeof(from), "%s/disks/%s/%s", r->stage, r->pod, parts[i][0]);
		(void)snprintf(to, sizeof(to), "%s/%s", root, parts[i][1]);
		x = bind_path(from, to, true, e);
	}
	return x;
}

const char *rootfs_programs(const char *programs, bool is_head)
{
	if (!strncmp(programs, "/usr/", 5))
		return programs;
	return is_head ? LAB_HEAD_PROGRAMS : LAB_NODE_PROGRAMS;
}

static int node_binds_make(const struct rootfs *r, const char *root, struct err *e)
{
	char from[PATH_MAX], to[PATH_MAX];
	int x = 0;

	for (size_t i = 0; i < ARRAY_LEN(node_binds) && !x; i++) {
		(void)snprintf(from, sizeof(from), "/%s", node_binds[i].path);
		(void)snprintf(to, sizeof(to), "%s/%s", root, node_binds[i].path);
		if (node_binds[i].optional && access(from, F_OK) < 0)
			continue;
		x = bind_path(from, to, node_binds[i].writable, e);
	}
	if (!x && rootfs_programs(r->programs, false) != r->programs) {
		(void)snprintf(to, sizeof(to), "%s%s", root, LAB_NODE_PROGRAMS);
		x = dir_make(to, 0755, e);
		if (!x)
			x = bind_path(r->programs, to, false, e);
	}
	return x;
}

static int enter(const char *root, struct err *e)
{
	if (chdir(root) < 0)
		return err_set(e, -errno, "enter '%s': %s", root, strerror(errno));
	/* pivot_root(2): old and new root may be one directory; the old one is then on top */
	if (syscall(SYS_pivot_root, ".", ".") < 0)
		return err_set(e, -errno, "pivot_root: %s", strerror(errno));
	if (umount2(".", MNT_DETACH) < 0)
		return err_set(e, -errno, "detach the machine's root: %s", strerror(errno));
	return chdir("/") < 0 ? err_set(e, -errno, "enter /: %s", strerror(errno)) : 0;
}

int rootfs_node(const struct rootfs *r, struct err *e)
{
	char root[PATH_MAX], path[PATH_MAX];
	int x = 0;

	(void)snprintf(root, sizeof(root), "%s/root", r->stage);
	if (mount("comosix-lab", root, "tmpfs", 0, "mode=755") < 0)
		return err_set(e, -errno, "mount tmpfs on '%s': %s", root, strerror(errno));
	x = make_dirs(root, node_dirs, ARRAY_LEN(node_dirs), e);
	if (!x)
		x = node_root_parts(root, e);
	for (size_t i = 0; i < ARRAY_LEN(node_mounts) && !x; i++)
		x = mount_fs(root, &node_mounts[i], e);
	for (size_t i = 0; i < ARRAY_LEN(node_links) && !x; i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", root, node_links[i].path);
		if (symlink(node_links[i].text, path) < 0)
			x = err_set(e, -errno, "link '%s': %s", path, strerror(errno));
	}
	if (!x)
		x = node_binds_make(r, root, e);
	if (!x)
		x = node_etc(r, root, e);
	if (!x)
		x = node_disk(r, root, e);
	if (!x)
		x = cgroup_show(r->cgroup, r->pod, root, e);
	return x ? x : enter(root, e);
}
