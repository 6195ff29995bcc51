/* SPDX-License-Identifier: GPL-2.0-or-later */
/* headcmd.c - the supervisor runs one command on the head and reads what it prints */
#include "lab/headcmd.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/wait.h>

#include "lab/request_fd.h"
#include "os/fd.h"

void headcmd_init(struct headcmd *c, struct loop *l, headcmd_fn *done, void *owner)
{
	*c = (struct headcmd){ .loop = l, .conn = -1, .out = -1, .done = done, .owner = owner };
}

static void read_output(struct headcmd *c)
{
	char over[256];
	ssize_t n;

	for (;;) {
		size_t room = HEADCMD_OUTPUT_MAX - c->len;

		n = room ? read(c->out, c->output + c->len, room)
			 : read(c->out, over, sizeof(over));
		if (n <= 0)
			break;
		if (room)
			c->len += (size_t)n;
	}
	if (n == 0 || errno != EAGAIN)
		loop_remove(c->loop, &c->out_ref);
}

static void on_output(void *owner, uint32_t events)
{
	read_output(owner);
}

static void on_conn(void *owner, uint32_t events)
{
	struct headcmd *c = owner;
	int r, status = 125;
	struct channel_msg m;

	while ((r = channel_recv(c->conn, &m)) == 1) {
		bool over = m.type == SAY_EXIT || m.type == SAY_FAILED;

		if (m.type == SAY_EXIT && WIFEXITED(m.number))
			status = WEXITSTATUS(m.number);
		if (m.type == SAY_FAILED)
			c->len = (size_t)snprintf(c->output, HEADCMD_OUTPUT_MAX, "%s", m.text);
		channel_msg_done(&m);
		if (over)
			break;
	}
	if (r == -EAGAIN)
		return;
	read_output(c);
	loop_remove(c->loop, &c->out_ref);
	loop_remove(c->loop, &c->conn_ref);
	fd_close(&c->out);
	fd_close(&c->conn);
	if (c->len > HEADCMD_OUTPUT_MAX)
		c->len = HEADCMD_OUTPUT_MAX;
	c->output[c->len] = '\0';
	c->done(c->owner, status, c->output);
}

int headcmd_run(struct headcmd *c, const struct pod *head, char *const *argv, struct err *e)
{
	AUTO_CLOSE int request = -1;
	AUTO_CLOSE int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int ends[2] = { -1, -1 }, p[2] = { -1, -1 }, r;

	assert(c->conn < 0);
	if (null < 0)
		return err_set(e, -errno, "/dev/null: %s", strerror(errno));
	r = request_fd("/", argv, &request, e);
	if (!r)
		r = channel_pair(ends, e);
	if (!r && pipe2(p, O_CLOEXEC | O_NONBLOCK) < 0)
		r = err_set(e, -errno, "pipe: %s", strerror(errno));
	if (!r) {
		int fds[] = { ends[1], request, null, p[1], p[1] };

		r = channel_send_fds(head->channel, SAY_POD_EXEC, 0, NULL, fds, ARRAY_LEN(fds));
		if (r < 0)
			err_set(e, r, "ask the head: %s", strerror(-r));
	}
	fd_close(&ends[1]);
	fd_close(&p[1]);
	c->conn = ends[0];
	c->out = p[0];
	c->len = 0;
	if (!r)
		r = loop_add_fd(c->loop, c->conn, EPOLLIN, on_conn, c, &c->conn_ref);
	if (!r)
		r = loop_add_fd(c->loop, c->out, EPOLLIN, on_output, c, &c->out_ref);
	if (r < 0) {
		loop_remove(c->loop, &c->conn_ref);
		fd_close(&c->conn);
		fd_close(&c->out);
	}
	return r;
}
