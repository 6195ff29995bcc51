/* SPDX-License-Identifier: GPL-2.0-or-later */
/* process.c - what comosixd must know of a process before it lets anybody move it */
#include "node/process.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>

#include "base/buf.h"
#include "os/file.h"

#define TEXT_MAX 65536

/* the digits at p; NULL when there are none, or too many */
static const char *digits(const char *p, const char *end)
{
	const char *start = p;

	while (p < end && isdigit((unsigned char)*p))
		p++;
	return p > start && p - start <= 10 ? p : NULL;
}

/* "comosix-job-1000-7" as one whole part of a path */
static bool names_group(const char *path, const char *end, const char *group, char *ret)
{
	size_t n = strlen(group);

	for (const char *p = path; p < end; p++) {
		const char *at = p + 1, *stop;

		if (*p != '/' || (size_t)(end - at) < n || memcmp(at, group, n) != 0)
			continue;
		stop = digits(at + n, end);
		if (stop && stop < end && *stop == '-')
			stop = digits(stop + 1, end);
		else
			stop = NULL;
		if (!stop || (stop < end && *stop != '/') || stop - at >= PROCESS_GROUP_MAX)
			continue;
		memcpy(ret, at, (size_t)(stop - at));
		ret[stop - at] = '\0';
		return true;
	}
	return false;
}

enum process_job process_job_of(const char *cgroups, char *ret_group)
{
	enum process_job job = PROCESS_NO_JOB;

	ret_group[0] = '\0';
	for (const char *line = cgroups; *line;) {
		size_t len = strcspn(line, "\n");

		if (names_group(line, line + len, STAY_GROUP, ret_group))
			return PROCESS_STAYS;
		if (names_group(line, line + len, JOB_GROUP, ret_group))
			job = PROCESS_JOB;
		line += len + (line[len] == '\n');
	}
	return job;
}

static int read_text(pid_t pid, const char *what, struct buf *to, struct err *e)
{
	char path[64];
	int r;

	buf_init(to, TEXT_MAX);
	(void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, what);
	r = file_read(path, to, e);
	if (!r && !buf_text(to))
		r = err_set(e, -ENOMEM, "out of memory");
	if (r == -ENOENT || r == -ESRCH)
		r = err_set(e, -ESRCH, "there is no process %d here", (int)pid);
	if (r < 0)
		buf_done(to);
	return r;
}

/* a line "Name:\tNUMBER ..." of /proc/PID/status */
static bool field(const char *text, const char *name, unsigned long long *ret,
		  unsigned long long *ret_second)
{
	size_t n = strlen(name);

	for (const char *line = text; *line;) {
		size_t len = strcspn(line, "\n");

		if (!strncmp(line, name, n))
			return sscanf(line + n, "%llu %llu", ret, ret_second) >= 1;
		line += len + (line[len] == '\n');
	}
	return false;
}

/* its first thread has ended, others run on: preflight says so, with the status of a refusal */
static bool has_lost_leader(const char *text)
{
	unsigned long long threads = 0, unused;

	return strstr(text, "\nState:\tZ") && field(text, "Threads:", &threads, &unused) &&
	       threads > 1;
}

static int read_status(struct process *p, struct err *e)
{
	unsigned long long tgid = 0, uid = 0, euid = 0, gid = 0, kib = 0, unused = 0;
	struct buf b;
	int r = read_text(p->pid, "status", &b, e);

	if (r < 0)
		return r;
	if (!field(buf_text(&b), "Tgid:", &tgid, &unused) ||
	    !field(buf_text(&b), "Uid:", &uid, &euid) ||
	    !field(buf_text(&b), "Gid:", &gid, &unused))
		r = err_set(e, -EIO, "/proc/%d/status makes no sense", (int)p->pid);
	else if (tgid != (unsigned long long)p->pid)
		r = err_set(e, -EINVAL, "%d is a thread of process %llu; name the process",
			    (int)p->pid, tgid);
	else if (!field(buf_text(&b), "VmRSS:", &kib, &unused) && !has_lost_leader(buf_text(&b)))
		r = err_set(e, -EINVAL, "%d is a kernel thread, or has just ended", (int)p->pid);
	else if (uid != euid)
		r = err_set(e, -EPERM, "process %d runs with the rights of another user",
			    (int)p->pid);
	buf_done(&b);
	p->uid = (uid_t)uid;
	p->gid = (gid_t)gid;
	p->memory_bytes = kib << 10;
	return r;
}

int process_look(pid_t pid, struct process *ret, struct err *e)
{
	struct process p = { .pid = pid };
	struct buf b;
	int r;

	if (pid <= 0)
		return err_set(e, -ESRCH, "%d is no process number", (int)pid);
	r = read_status(&p, e);
	if (!r)
		r = read_text(pid, "cgroup", &b, e);
	if (r < 0)
		return r;
	p.job = process_job_of(buf_text(&b), p.group);
	buf_done(&b);
	r = read_text(pid, "comm", &b, e);
	if (r < 0)
		return r;
	(void)snprintf(p.command, sizeof(p.command), "%.*s", (int)strcspn(buf_text(&b), "\n"),
		       buf_text(&b));
	buf_done(&b);
	*ret = p;
	return 0;
}
