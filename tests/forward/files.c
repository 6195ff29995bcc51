/* SPDX-License-Identifier: GPL-2.0-or-later */
/* files.c - scenarios: names, status, data and descriptors of files */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <linux/stat.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <termios.h>
#include <unistd.h>

#include "tests/forward/scenarios.h"
#include "tests/fuzz/fuzz.h" /* MUST() */

void scenario_names(struct twin *t)
{
	uint64_t a = twin_text(t, 0, "a"), b = twin_text(t, 64, "b"), d = twin_text(t, 128, "dir");
	uint64_t out = P(AT(4096)), none = twin_text(t, 192, "no/such"),
		 slash = twin_text(t, 256, "dir/x");
	int64_t fd;

	twin_enter_scratch();
	(void)QUIET(umask, 0);
	CALL_(umask, 027);
	fd = CALL_(open, a, O_CREAT | O_RDWR, 0644);
	CALL_(close, (uint64_t)fd);
	CALL_(access, a, R_OK);
	CALL_(access, none, R_OK);
	CALL_(faccessat, (uint64_t)AT_FDCWD, a, W_OK);
	CALL_(faccessat2, (uint64_t)AT_FDCWD, a, W_OK, AT_EACCESS);
	CALL_(mkdir, d, 0755);
	CALL_(mkdirat, (uint64_t)AT_FDCWD, slash, 0700);
	CALL_(link, a, b);
	CALL_(linkat, (uint64_t)AT_FDCWD, a, (uint64_t)AT_FDCWD, twin_text(t, 300, "l2"), 0);
	CALL_(rename, b, twin_text(t, 320, "c"));
	CALL_(renameat, (uint64_t)AT_FDCWD, twin_text(t, 320, "c"), (uint64_t)AT_FDCWD, b);
	CALL_(renameat2, (uint64_t)AT_FDCWD, a, (uint64_t)AT_FDCWD, b, 1);
	CALL_(symlink, twin_text(t, 340, "target of it"), twin_text(t, 380, "sym"));
	CALL_(symlinkat, a, (uint64_t)AT_FDCWD, twin_text(t, 400, "sym2"));
	CALL_(readlink, twin_text(t, 380, "sym"), out, 100);
	CALL_(readlink, twin_text(t, 380, "sym"), out, 5);
	CALL_(readlink, twin_text(t, 380, "sym"), out, 0);
	CALL_(readlinkat, (uint64_t)AT_FDCWD, twin_text(t, 400, "sym2"), out, 1 << 20);
	CALL_(chmod, a, 0600);
	CALL_(fchmodat, (uint64_t)AT_FDCWD, a, 0640);
	CALL_(fchmodat2, (uint64_t)AT_FDCWD, a, 0644, 0);
	CALL_(chown, a, 0, 0);
	CALL_(lchown, twin_text(t, 380, "sym"), 0, 0);
	CALL_(fchownat, (uint64_t)AT_FDCWD, a, 0, 0, 0);
	CALL_(truncate, a, 100);
	CALL_(mknod, twin_text(t, 420, "fifo"), S_IFIFO | 0600, 0);
	CALL_(mknodat, (uint64_t)AT_FDCWD, twin_text(t, 440, "fifo2"), S_IFIFO | 0600, 0);
	CALL_(unlinkat, (uint64_t)AT_FDCWD, slash, AT_REMOVEDIR);
	CALL_(chdir, d);
	CALL_(getcwd, out, 4096);
	CALL_(getcwd, out, 3);
	CALL_(chdir, twin_text(t, 460, ".."));
	CALL_(rmdir, d);
	fd = CALL_(creat, twin_text(t, 480, "made"), 0600);
	CALL_(close, (uint64_t)fd);
	for (const char *const *n = (const char *const[]){ "a", "b", "l2", "sym", "sym2", "fifo",
							   "fifo2", "made", NULL };
	     *n; n++)
		CALL_(unlink, twin_text(t, 500, *n));
	CALL_(unlink, 0);
	CALL_(unlink, P(t->hole));
	CALL_(unlink, twin_bytes(t, TWIN_ARENA - 4, "long", 4));
	memset(AT(8192), 'x', 8192);
	CALL_(unlink, P(AT(8192)));
}

static void note_stat(struct twin *t, size_t offset)
{
	struct stat st;

	memcpy(&st, AT(offset), sizeof(st));
	st.st_ino = 0;
	st.st_atim = st.st_mtim = st.st_ctim = (struct timespec){ 0 };
	memcpy(AT(offset), &st, sizeof(st));
}

void scenario_status(struct twin *t)
{
	struct timespec times[2] = { { 1000, 5 }, { 2000, 7 } };
	struct open_how {
		uint64_t flags, mode, resolve;
	} how = { O_RDONLY, 0, 0 };
	uint64_t a = twin_text(t, 0, "a"), st = P(AT(4096)), value = twin_text(t, 64, "some value");
	uint64_t name = twin_text(t, 128, "user.test"), cwd = (uint64_t)AT_FDCWD,
		 range[2] = { 0, 4096 };
	int64_t fd, fd2;

	twin_enter_scratch();
	fd = CALL_(openat, cwd, a, O_CREAT | O_RDWR, 0644);
	CALL_(utime, a, twin_bytes(t, 256, (int64_t[]){ 5, 6 }, 16));
	CALL_(utimes, a, twin_bytes(t, 256, (int64_t[]){ 5, 6, 7, 8 }, 32));
	CALL_(futimesat, cwd, a, twin_bytes(t, 256, (int64_t[]){ 5, 6, 7, 8 }, 32));
	CALL_(utimensat, cwd, a, twin_bytes(t, 256, times, sizeof(times)), 0);
	CALL_(utimensat, (uint64_t)fd, 0, twin_bytes(t, 256, times, sizeof(times)), 0);
	(void)QUIET(stat, a, st);
	note_stat(t, 4096);
	(void)QUIET(lstat, a, st + 256);
	note_stat(t, 4096 + 256);
	(void)QUIET(fstat, (uint64_t)fd, st + 512);
	note_stat(t, 4096 + 512);
	(void)QUIET(newfstatat, cwd, a, st + 768, 0);
	note_stat(t, 4096 + 768);
	CALL_(stat, a, P(t->hole));
	CALL_(stat, twin_text(t, 32, "none"), st);
	(void)QUIET(statx, cwd, a, 0, STATX_SIZE | STATX_MODE, st + 1024);
	twin_forget(t, 4096 + 1024 + 32, 224); /* number and times */
	CALL_(statx, cwd, a, 0xffff, 0, st + 1024);
	(void)QUIET(statfs, a, st + 2048);
	(void)QUIET(fstatfs, (uint64_t)fd, st + 2048);
	twin_forget(t, 4096 + 2048 + 16, 40);
	CALL_(fchmod, (uint64_t)fd, 0600);
	CALL_(fchown, (uint64_t)fd, 0, 0);
	CALL_(ftruncate, (uint64_t)fd, 100000);
	CALL_(fallocate, (uint64_t)fd, 0, 0, 4096);
	CALL_(fadvise64, (uint64_t)fd, 0, 0, 0);
	CALL_(readahead, (uint64_t)fd, 0, 4096);
	CALL_(sync_file_range, (uint64_t)fd, 0, 4096, 0);
	CALL_(fsync, (uint64_t)fd);
	CALL_(fdatasync, (uint64_t)fd);
	CALL_(setxattr, a, name, value, 10, 0);
	CALL_(lsetxattr, a, name, value, 5, 0);
	CALL_(fsetxattr, (uint64_t)fd, name, value, 7, 0);
	CALL_(getxattr, a, name, st, 100);
	CALL_(getxattr, a, name, st, 0);
	CALL_(getxattr, a, name, st, 3);
	CALL_(lgetxattr, a, name, st, 100);
	CALL_(fgetxattr, (uint64_t)fd, name, st, 1 << 20);
	CALL_(listxattr, a, st, 100);
	CALL_(llistxattr, a, st, 100);
	CALL_(flistxattr, (uint64_t)fd, st, 4);
	CALL_(removexattr, a, name);
	CALL_(lremovexattr, a, name);
	CALL_(fremovexattr, (uint64_t)fd, name);
	CALL_(flock, (uint64_t)fd, LOCK_EX | LOCK_NB);
	fd2 = CALL_(openat2, cwd, a, twin_bytes(t, 600, &how, sizeof(how)), sizeof(how));
	CALL_(openat2, cwd, a, P(AT(600)), 5);
	CALL_(flock, (uint64_t)fd2, LOCK_EX | LOCK_NB);
	CALL_(cachestat, (uint64_t)fd2, twin_bytes(t, 700, range, sizeof(range)), st, 0);
	CALL_(close, (uint64_t)fd2);
	CALL_(close, (uint64_t)fd2);
	CALL_(close, (uint64_t)fd);
	CALL_(unlink, a);
}

void scenario_read_write(struct twin *t)
{
	uint64_t a = twin_text(t, 0, "a"), buf = P(AT(65536)),
		 off = twin_bytes(t, 64, (int64_t[]){ 10 }, 8);
	int64_t fd, out;

	twin_enter_scratch();
	for (size_t i = 0; i < 1 << 20; i++)
		t->arena[(1 << 20) + i] = (uint8_t)(i * 7 + i / 256);
	fd = CALL_(open, a, O_CREAT | O_RDWR, 0644);
	CALL_(write, (uint64_t)fd, P(AT(1 << 20)), 100);
	CALL_(write, (uint64_t)fd, P(AT(1 << 20)), 0);
	CALL_(write, (uint64_t)fd, P(AT(1 << 20)), 1 << 20); /* chunks */
	CALL_(write, (uint64_t)fd, P(t->hole), 10);
	CALL_(write, (uint64_t)fd, P(t->hole) - 5, 10);
	CALL_(lseek, (uint64_t)fd, 0, SEEK_SET);
	CALL_(read, (uint64_t)fd, buf, 100);
	CALL_(read, (uint64_t)fd, buf, 0);
	CALL_(read, (uint64_t)fd, P(AT(2 << 20)), 1 << 20);
	CALL_(read, (uint64_t)fd, P(AT(2 << 20)), 1 << 20); /* the end: short */
	CALL_(read, (uint64_t)fd, buf, 100);
	CALL_(pread64, (uint64_t)fd, buf, 500, 50);
	CALL_(pread64, (uint64_t)fd, P(AT(2 << 20)), 1 << 20, 5000);
	CALL_(pread64, (uint64_t)fd, buf, 500, (uint64_t)-1);
	CALL_(pwrite64, (uint64_t)fd, P(AT(1 << 20)), 600000, 7);
	CALL_(pwrite64, (uint64_t)fd, P(AT(1 << 20)), 6, (uint64_t)-5);
	CALL_(lseek, (uint64_t)fd, 0, SEEK_SET);
	CALL_(read, (uint64_t)fd, P(t->hole), 10);
	CALL_(read, (uint64_t)fd, P(t->hole) - 5, 10);
	CALL_(lseek, (uint64_t)fd, 0, SEEK_CUR);
	CALL_(read, (uint64_t)fd, 0, 10);
	CALL_(read, 700, buf, 10);
	out = CALL_(open, twin_text(t, 32, "b"), O_CREAT | O_RDWR, 0644);
	CALL_(sendfile, (uint64_t)out, (uint64_t)fd, off, 500000);
	CALL_(sendfile, (uint64_t)out, (uint64_t)fd, 0, 100);
	CALL_(copy_file_range, (uint64_t)fd, off, (uint64_t)out, 0, 1000, 0);
	CALL_(copy_file_range, (uint64_t)fd, P(t->hole), (uint64_t)out, 0, 1000, 0);
	CALL_(close, (uint64_t)fd);
	CALL_(close, (uint64_t)out);
	CALL_(unlink, a);
	CALL_(unlink, twin_text(t, 32, "b"));
}

void scenario_vectors(struct twin *t)
{
	struct iovec v[1024];
	uint64_t iov;
	int64_t fd;

	twin_enter_scratch();
	for (size_t i = 0; i < 1024; i++)
		v[i] = (struct iovec){ AT(65536 + i * 400), i % 390 };
	iov = twin_bytes(t, 4096, v, sizeof(v));
	fd = CALL_(open, twin_text(t, 0, "v"), O_CREAT | O_RDWR, 0644);
	for (size_t i = 0; i < 1 << 20; i++)
		t->arena[65536 + i] = (uint8_t)(i * 13 + i / 256);
	CALL_(writev, (uint64_t)fd, iov, 1024);
	CALL_(writev, (uint64_t)fd, iov, 1025);
	CALL_(writev, (uint64_t)fd, iov, (uint64_t)-1);
	CALL_(writev, (uint64_t)fd, P(t->hole), 3);
	CALL_(pwritev, (uint64_t)fd, iov, 20, 100);
	CALL_(pwritev2, (uint64_t)fd, iov, 20, (uint64_t)-1, 0, 0);
	CALL_(pwritev2, (uint64_t)fd, iov, 20, 300, 0, RWF_DSYNC);
	CALL_(lseek, (uint64_t)fd, 0, SEEK_SET);
	memset(AT(65536), 0, 1 << 20);
	CALL_(readv, (uint64_t)fd, iov, 1024);
	CALL_(preadv, (uint64_t)fd, iov, 100, 5);
	CALL_(preadv2, (uint64_t)fd, iov, 100, (uint64_t)-1, 0, 0);
	CALL_(preadv2, (uint64_t)fd, iov, 100, 9, 0, RWF_HIPRI);
	CALL_(preadv2, (uint64_t)fd, iov, 100, 9, 0, 1U << 30);
	v[0] = (struct iovec){ AT(65536), 10 };
	v[1] = (struct iovec){ t->hole, 10 };
	v[2] = (struct iovec){ AT(65536), (size_t)-1 };
	iov = twin_bytes(t, 4096, v, sizeof(v));
	CALL_(pwritev, (uint64_t)fd, iov, 2, 0);
	CALL_(preadv, (uint64_t)fd, iov, 2, 0);
	CALL_(preadv, (uint64_t)fd, iov, 3, 0);
	CALL_(readv, (uint64_t)fd, iov, 0);
	CALL_(close, (uint64_t)fd);
	CALL_(unlink, twin_text(t, 0, "v"));
}

/* getdents: names only, their numbers and order are the file system's */
static void note_names(struct twin *t, size_t from, int64_t n)
{
	uint64_t sum = 0;

	for (int64_t at = 0; at < n;) {
		uint16_t len;
		uint64_t name = 14695981039346656037ULL;

		memcpy(&len, AT(from + (size_t)at + 16), sizeof(len));
		for (const char *c = AT(from + (size_t)at + 19); *c; c++)
			name = (name ^ (uint8_t)*c) * 1099511628211ULL;
		sum += name;
		at += len;
	}
	memset(AT(from), 0, 65536);
	memcpy(AT(from), &sum, sizeof(sum));
}

void scenario_directory(struct twin *t)
{
	char name[16];
	int64_t fd, n;

	twin_enter_scratch();
	CALL_(mkdir, twin_text(t, 0, "many"), 0755);
	for (int i = 0; i < 100; i++) {
		(void)snprintf(name, sizeof(name), "many/%d", i);
		fd = CALL_(open, twin_text(t, 16, name), O_CREAT | O_WRONLY, 0600);
		CALL_(close, (uint64_t)fd);
	}
	fd = CALL_(open, twin_text(t, 0, "many"), O_RDONLY | O_DIRECTORY, 0);
	n = QUIET(getdents64, (uint64_t)fd, P(AT(65536)), 65536);
	MUST(n > 100);
	note_names(t, 65536, n);
	CALL_(getdents64, (uint64_t)fd, P(AT(65536)), 65536);
	CALL_(lseek, (uint64_t)fd, 0, SEEK_SET);
	CALL_(getdents64, (uint64_t)fd, P(AT(65536)), 10);
	n = QUIET(getdents, (uint64_t)fd, P(AT(65536)), 1 << 20);
	MUST(n > 100);
	memset(AT(65536), 0, 65536);
	CALL_(fchdir, (uint64_t)fd);
	for (int i = 0; i < 100; i++) {
		(void)snprintf(name, sizeof(name), "%d", i);
		CALL_(unlink, twin_text(t, 16, name));
	}
	CALL_(chdir, twin_text(t, 16, ".."));
	CALL_(close, (uint64_t)fd);
	CALL_(rmdir, twin_text(t, 0, "many"));
}

/* ------------------------------------------------------------------ descriptors */

void scenario_descriptors(struct twin *t)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 10 };
	int64_t fd, d;

	twin_enter_scratch();
	fd = CALL_(open, twin_text(t, 0, "f"), O_CREAT | O_RDWR, 0600);
	d = CALL_(dup, (uint64_t)fd);
	CALL_(dup2, (uint64_t)fd, 50);
	CALL_(dup3, (uint64_t)fd, 51, O_CLOEXEC);
	CALL_(dup3, (uint64_t)fd, (uint64_t)fd, O_CLOEXEC);
	CALL_(fcntl, 51, F_GETFD);
	CALL_(fcntl, 51, F_SETFD, 0);
	CALL_(fcntl, 51, F_GETFL);
	CALL_(fcntl, 51, F_SETFL, O_APPEND);
	CALL_(fcntl, 51, F_DUPFD, 60);
	CALL_(fcntl, 51, F_DUPFD_CLOEXEC, 60);
	CALL_(fcntl, 51, F_SETLK, twin_bytes(t, 100, &lock, sizeof(lock)));
	CALL_(fcntl, 51, F_SETLKW, P(AT(100)));
	CALL_(fcntl, 51, F_GETLK, P(AT(100)));
	lock.l_type = F_RDLCK;
	CALL_(fcntl, 51, F_OFD_SETLK, twin_bytes(t, 100, &lock, sizeof(lock)));
	(void)QUIET(fcntl, 51, F_OFD_GETLK, P(AT(100)));
	CALL_(fcntl, 51, F_SETLK, P(t->hole));
	CALL_(fcntl, 51, F_GETOWN);
	CALL_(fcntl, 51, F_GETSIG);
	CALL_(fcntl, 51, F_SETSIG, SIGUSR1);
	CALL_(fcntl, 51, 15, twin_bytes(t, 300, (int[]){ 1, 0 }, 8));
	CALL_(fcntl, 51, 16, P(AT(300)));
	CALL_(fcntl, 51, 1036, twin_bytes(t, 320, (uint64_t[]){ 2 }, 8));
	CALL_(fcntl, 51, 1035, P(AT(320)));
	CALL_(fcntl, 51, 99, 5); /* no such command: comes home and is refused there */
	CALL_(ioctl, 51, FIONREAD, P(AT(400)));
	CALL_(ioctl, 51, FIOCLEX, 0);
	CALL_(ioctl, 51, FIONCLEX, 0);
	CALL_(ioctl, 51, FIONBIO, twin_bytes(t, 420, (int[]){ 1 }, 4));
	CALL_(ioctl, 51, 2, P(AT(440))); /* FIGETBSZ */
	CALL_(ioctl, 51, 0x80086601, P(AT(460)));
	CALL_(ioctl, 51, 0x12345678, P(AT(460)));
	CALL_(ioctl, (uint64_t)d, TCGETS, P(AT(500)));
	CALL_(close_range, 50, 70, 0);
	CALL_(close_range, 70, 50, 0);
	CALL_(close_range, 60, 70, 4);
	CALL_(fcntl, 50, F_GETFD);
	CALL_(close, (uint64_t)d);
	CALL_(close, (uint64_t)fd);
	CALL_(unlink, twin_text(t, 0, "f"));
}

void scenario_pipes(struct twin *t)
{
	uint64_t fds = P(AT(0)), buf = P(AT(4096));
	int p[4];
	int64_t n;

	CALL_(pipe, fds);
	CALL_(pipe2, fds + 8, O_NONBLOCK);
	CALL_(pipe2, P(t->hole), 0);
	CALL_(pipe2, 0, 0);
	memcpy(p, AT(0), sizeof(p));
	CALL_(fcntl, (uint64_t)p[1], 1031, 1 << 20); /* F_SETPIPE_SZ */
	CALL_(fcntl, (uint64_t)p[1], 1032);
	CALL_(write, (uint64_t)p[1], P(AT(1 << 20)), 700000);
	CALL_(ioctl, (uint64_t)p[0], FIONREAD, P(AT(64)));
	/* a full chunk of a pipe is a result: here it is shorter than the native one */
	for (size_t got = 0; got < 700000; got += (size_t)n) {
		n = QUIET(read, (uint64_t)p[0], P(AT(2 << 20)) + got, 700000 - got);
		MUST(n > 0);
	}
	CALL_(ioctl, (uint64_t)p[0], FIONREAD, P(AT(64)));
	CALL_(write, (uint64_t)p[3], P(AT(1 << 20)), 1 << 20); /* non-blocking: as much as fits */
	CALL_(write, (uint64_t)p[3], P(AT(1 << 20)), 1 << 20);
	CALL_(read, (uint64_t)p[2], buf, 10);
	CALL_(tee, (uint64_t)p[2], (uint64_t)p[1], 100, 0);
	CALL_(splice, (uint64_t)p[2], 0, (uint64_t)p[1], 0, 100, 0);
	CALL_(splice, (uint64_t)p[2], twin_bytes(t, 80, (int64_t[]){ 0 }, 8), (uint64_t)p[1], 0,
	      100, 0);
	CALL_(read, (uint64_t)p[0], buf, 1000);
	for (int i = 0; i < 4; i++)
		CALL_(close, (uint64_t)p[i]);
}
