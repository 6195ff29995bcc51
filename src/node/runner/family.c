/* SPDX-License-Identifier: GPL-2.0-or-later */
/* family.c - all that this process has started, however well it hid */
#include "node/runner/family.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "os/fd.h"

#define MEMBERS_MAX 1000000 /* more processes than a machine can have */
#define STAT_MAX    1024

struct table {
	struct family_member *rows; /* owned */
	bool *mine;		    /* owned; beside rows */
	size_t n, cap;
};

int family_adopt(struct err *e)
{
	if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
		return err_set(e, -errno, "become a subreaper: %s", strerror(errno));
	return 0;
}

int family_parse_stat(const char *line, struct family_member *ret)
{
	const char *after = strrchr(line, ')');
	struct family_member m;
	unsigned long long start;
	int pid, parent;

	/* proc(5): pid (comm) state ppid, then 17 numbers, then starttime */
	if (!after || sscanf(line, "%d (", &pid) != 1 ||
	    sscanf(after,
		   ") %c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d "
		   "%llu",
		   &m.state, &parent, &start) != 3 ||
	    pid <= 0 || parent < 0)
		return -EINVAL;
	m.pid = pid;
	m.parent = parent;
	m.start = start;
	*ret = m;
	return 0;
}

static int read_member(const char *pid, struct family_member *ret)
{
	char path[64], line[STAT_MAX];
	ssize_t n;

	(void)snprintf(path, sizeof(path), "/proc/%s/stat", pid);
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	n = read(fd, line, sizeof(line) - 1);
	if (n <= 0)
		return -ESRCH;
	line[n] = '\0';
	return family_parse_stat(line, ret);
}

static int table_add(struct table *t, const struct family_member *m)
{
	if (t->n == t->cap) {
		size_t cap = t->cap ? 2 * t->cap : 256;
		struct family_member *rows;

		if (cap > MEMBERS_MAX)
			return -E2BIG;
		rows = realloc(t->rows, cap * sizeof(*rows));
		if (!rows)
			return -ENOMEM;
		t->rows = rows;
		t->cap = cap;
	}
	t->rows[t->n++] = *m;
	return 0;
}

static int read_table(struct table *t)
{
	DIR *d = opendir("/proc");
	const struct dirent *de;
	int r = 0;

	if (!d)
		return -errno;
	while (!r && (de = readdir(d))) {
		struct family_member m;

		if (isdigit((unsigned char)de->d_name[0]) && !read_member(de->d_name, &m))
			r = table_add(t, &m);
	}
	closedir(d);
	if (!r) {
		t->mine = calloc(t->n + 1, sizeof(*t->mine));
		r = t->mine ? 0 : -ENOMEM;
	}
	return r;
}

static int by_pid(const void *a, const void *b)
{
	const struct family_member *x = a, *y = b;

	return (x->pid > y->pid) - (x->pid < y->pid);
}

/* generation by generation, until one adds nobody */
static void mark_descendants(struct table *t, pid_t self)
{
	bool more = true;

	if (!t->n)
		return;
	qsort(t->rows, t->n, sizeof(*t->rows), by_pid);
	while (more) {
		more = false;
		for (size_t i = 0; i < t->n; i++) {
			const struct family_member key = { .pid = t->rows[i].parent };
			const struct family_member *p;

			if (t->mine[i])
				continue;
			p = bsearch(&key, t->rows, t->n, sizeof(*t->rows), by_pid);
			if (key.pid != self && !(p && t->mine[p - t->rows]))
				continue;
			t->mine[i] = true;
			more = true;
		}
	}
}

static void shoot(const struct family_member *m, int signo)
{
	AUTO_CLOSE int fd = (int)syscall(SYS_pidfd_open, m->pid, 0);
	struct family_member now = { 0 };
	char pid[16];

	if (fd < 0)
		return; /* gone */
	(void)snprintf(pid, sizeof(pid), "%d", m->pid);
	if (read_member(pid, &now) || now.start != m->start)
		return; /* the number has a new owner */

	/* gone meanwhile: as wanted */
	(void)syscall(SYS_pidfd_send_signal, fd, signo, NULL, 0);
}

int family_signal(int signo)
{
	struct table t = { 0 };
	int r = read_table(&t), found = 0;

	if (!r) {
		mark_descendants(&t, getpid());
		for (size_t i = 0; i < t.n; i++) {
			if (!t.mine[i] || t.rows[i].state == 'Z')
				continue;
			shoot(&t.rows[i], signo);
			found++;
		}
	}
	free(t.rows);
	free(t.mine);
	return r < 0 ? r : found;
}
