/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lab_ask.c - what the 'lab' commands have in common: options, and asking a lab's supervisor */
#include "ctl/lab_ask.h"

#include <errno.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "ctl/command.h"
#include "os/fd.h"
#include "os/sock.h"

#define HELP_MAX 8192

bool lab_options(const struct opt_command *cmd, int argc, char **argv, void *target, int words,
		 int *ret_first, int *ret_status)
{
	struct err e;
	int r = opt_parse(cmd, argc, argv, target, ret_first, &e);

	if (r == -ECANCELED) {
		struct buf b;

		buf_init(&b, HELP_MAX);
		*ret_status = opt_help(cmd, &b) < 0 || fputs(buf_text(&b), stdout) == EOF
				      ? EXIT_ERROR
				      : EXIT_ALL_WELL;
		buf_done(&b);
		return false;
	}
	if (r < 0) {
		*ret_status = lab_say(EXIT_USAGE, "%s; see '%s --help'", e.text, cmd->name);
		return false;
	}
	if (argc - *ret_first < words) {
		*ret_status = lab_missing(cmd);
		return false;
	}
	if (words >= 0 && argc - *ret_first > words) {
		*ret_status = lab_say(EXIT_USAGE, "'%s' is one word too many; see '%s --help'",
				      argv[*ret_first + words], cmd->name);
		return false;
	}
	return true;
}

int lab_missing(const struct opt_command *cmd)
{
	return lab_say(EXIT_USAGE, "which node? usage: %s [options] %s; see '%s --help'", cmd->name,
		       cmd->args, cmd->name);
}

int lab_say(int status, const char *fmt, ...)
{
	va_list ap;

	(void)fputs("comosix lab: ", stderr);
	va_start(ap, fmt);
	(void)vfprintf(stderr, fmt, ap);
	va_end(ap);
	(void)fputc('\n', stderr);
	return status;
}

int lab_connect(const char *lab, int *ret_fd)
{
	struct lab_paths p;
	struct err e;
	int r = lab_paths(lab, &p, &e);

	if (r < 0)
		return lab_say(EXIT_USAGE, "%s", e.text);
	r = sock_packet_connect(p.control, ret_fd, &e);
	if (r == -ENOENT || r == -ECONNREFUSED)
		return lab_say(EXIT_NOT_FOUND,
			       "no lab '%s' is up; start one: comosix lab up --name %s --nodes 4",
			       lab, lab);
	if (r < 0)
		return lab_say(EXIT_ERROR, "%s", e.text);
	return EXIT_ALL_WELL;
}

/* PROGRESS until the answer comes */
static int await(int fd, struct channel_msg *ret)
{
	int r;

	while ((r = channel_wait(fd, -1, ret)) == 1 && ret->type == SAY_PROGRESS)
		channel_msg_done(ret);
	return r;
}

int lab_ask(const char *lab, enum lab_message type, int number, const char *text,
	    struct channel_msg *ret)
{
	AUTO_CLOSE int fd = -1;
	int status = lab_connect(lab, &fd);

	if (status)
		return status;
	if (channel_send(fd, type, number, text) < 0 || await(fd, ret) != 1)
		return lab_say(EXIT_ERROR, "lab '%s' went down before it answered", lab);
	if (ret->type == SAY_DONE)
		return EXIT_ALL_WELL;
	channel_msg_done(ret);
	return lab_say(ret->number ? ret->number : EXIT_ERROR, "%s%s%s", text ? text : "",
		       text ? ": " : "", ret->text);
}

int lab_reports(const char *lab, struct pod_report **ret, size_t *ret_n)
{
	struct channel_msg m;
	struct pod_report *list;
	struct stat st;
	int status = lab_ask(lab, SAY_STATUS, 0, NULL, &m);

	if (status)
		return status;
	if (m.n_fds != 1 || fstat(m.fds[0], &st) < 0 || (size_t)st.st_size % sizeof(*list) != 0 ||
	    !st.st_size) {
		channel_msg_done(&m);
		return lab_say(EXIT_ERROR, "lab '%s' is of another build of comosix", lab);
	}
	list = malloc((size_t)st.st_size);
	if (!list || pread(m.fds[0], list, (size_t)st.st_size, 0) != st.st_size) {
		free(list);
		channel_msg_done(&m);
		return lab_say(EXIT_ERROR, "the lab's status cannot be read");
	}
	channel_msg_done(&m);
	*ret = list;
	*ret_n = (size_t)st.st_size / sizeof(*list);
	return EXIT_ALL_WELL;
}

bool lab_is_root(const char *what)
{
	if (geteuid() == 0)
		return true;
	(void)lab_say(0, "%s makes namespaces and mounts, so it wants root: sudo %s", what, what);
	return false;
}

void lab_progress(const char *step, uint32_t n, uint32_t of)
{
	bool terminal = isatty(STDERR_FILENO), whole = n >= of;

	if (!terminal && !whole)
		return;
	if (of)
		(void)fprintf(stderr, "%s  %-28s %u of %u%s", terminal ? "\r" : "", step, n, of,
			      whole ? "\n" : "");
	else
		(void)fprintf(stderr, "%s  %s\n", terminal ? "\r" : "", step);
	(void)fflush(stderr);
}
