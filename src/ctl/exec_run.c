/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * exec_run.c - one command on many nodes at once
 *
 * Theory of operation. One loop; every connection, our input and our two outputs are events in it.
 * Nothing is held without a limit: when our output is not taken, no connection is read (and at the
 * nodes the commands wait); input is read only when every node that runs has room for a piece.
 *
 * The first SIGINT is passed on and the ends are waited for; the second leaves at once, and so do
 * SIGTERM, SIGHUP and the time limit. To leave means to close the connections: each node ends what
 * its connection started (node/runner.h).
 */
#include "ctl/exec_run.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include "ctl/command.h"
#include "ctl/exec_link.h"
#include "ctl/exec_tty.h"
#include "loop/loop.h"
#include "net/proof.h"
#include "os/clock.h"

#define BUSY_RETRY_MS 50
#define BODY_MAX      FRAME_PAYLOAD_MAX

/* a node, its connection, and how much of its first frame has been printed */
struct member {
	struct exec_run *run;
	struct exec_node node;
	struct exec_link link;
	size_t printed;
};

struct exec_run {
	const struct exec_request *rq; /* borrowed while it runs */
	struct loop *loop;
	struct exec_printer printer;
	struct member *members;	  /* owned */
	struct exec_node *report; /* owned; copies for exec_run_nodes() */
	size_t n, next, n_active, n_ended;
	struct buf body; /* the packed request, the same for all */
	struct ev_ref ev_input, ev_limit, ev_retry, ev_signals[5];
	bool input_open, input_is_file;
	struct exec_escape escape;
	int signal; /* that we obey */
	int n_signals;
};

static const int signals_heard[] = { SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGWINCH };

/* states: one that a member may go to from each */
static const unsigned int moves[] = {
	[EXEC_WAITING] = 1U << EXEC_OPENING | 1U << EXEC_ENDED,
	[EXEC_OPENING] = 1U << EXEC_RUNNING | 1U << EXEC_ENDED,
	[EXEC_RUNNING] = 1U << EXEC_ENDED,
	[EXEC_ENDED] = 0,
};

static void start_more(struct exec_run *r);
static void pump_input(struct exec_run *r);

static void set_state(struct member *m, enum exec_state to)
{
	assert(moves[m->node.state] & 1U << to);
	m->node.state = to;
}

static void say(struct exec_run *r, const char *node, const char *text)
{
	char line[512];
	int n = snprintf(line, sizeof(line), "comosix exec: %s%s%s%s", node ? node : "",
			 node ? ": " : "", text, r->rq->tty ? "\r\n" : "\n");

	if (n > 0)
		exec_sink_put(&r->printer.err, line,
			      (size_t)n < sizeof(line) ? (size_t)n : sizeof(line) - 1);
}

static void end_member(struct member *m, enum exec_result result, const char *text)
{
	struct exec_run *r = m->run;
	bool spoken = result != EXEC_TIMED_OUT && result != EXEC_INTERRUPTED;

	if (m->node.state != EXEC_WAITING)
		r->n_active--;
	set_state(m, EXEC_ENDED);
	m->node.result = result;
	(void)snprintf(m->node.text, sizeof(m->node.text), "%s", text);
	exec_print_end(&r->printer, &m->node.out, m->node.target->name);
	exec_print_end(&r->printer, &m->node.err, m->node.target->name);
	exec_link_close(&m->link);
	if (text[0] && spoken && r->rq->mode != EXEC_PRINT_KEEP)
		say(r, m->node.target->name, text);
	r->n_ended++;
	if (r->n_ended == r->n)
		loop_stop(r->loop, 0);
}

static void end_all(struct exec_run *r, enum exec_result result)
{
	for (size_t i = 0; i < r->n; i++)
		if (r->members[i].node.state != EXEC_ENDED)
			end_member(&r->members[i], result, "");
}

/* ---- from a node ---- */

static void take_open_ok(struct member *m)
{
	struct exec_run *r = m->run;

	if (m->node.state != EXEC_OPENING)
		return;
	set_state(m, EXEC_RUNNING);
	if (!r->rq->input)
		exec_link_input(&m->link, NULL, 0);
	if (r->rq->tty && exec_tty_raw(STDIN_FILENO) < 0)
		say(r, NULL, "the terminal cannot be switched to raw mode");
}

static void take_error(struct member *m, const struct frame *f)
{
	AUTO_MESSAGE Cmx__Error *e = message_get(&cmx__error__descriptor, f->payload, f->len, NULL);

	if (!e)
		end_member(m, EXEC_LOST, "the answer of comosixd was not understood");
	else if (e->status == EXIT_REFUSED)
		end_member(m, EXEC_REFUSED, e->text);
	else
		end_member(m, m->node.state == EXEC_RUNNING ? EXEC_LOST : EXEC_UNREACHABLE,
			   e->text);
}

static void take_exit(struct member *m, const struct frame *f)
{
	AUTO_MESSAGE Cmx__Exit *x = message_get(&cmx__exit__descriptor, f->payload, f->len, NULL);

	if (!x) {
		end_member(m, EXEC_LOST, "the end of the command was not understood");
		return;
	}
	m->node.status = x->status;
	end_member(m, EXEC_EXITED, x->text);
}

/* false: our output is full, come again */
static bool take_output(struct member *m, struct exec_stream *s, const struct frame *f)
{
	m->printed += exec_print(&m->run->printer, s, m->node.target->name, f->payload + m->printed,
				 f->len - m->printed);
	if (m->printed < f->len)
		return false;
	m->printed = 0;
	return true;
}

/* false: come again */
static bool take_frame(struct member *m, const struct frame *f)
{
	if (f->type == FRAME_STDOUT)
		return take_output(m, &m->node.out, f);
	if (f->type == FRAME_STDERR)
		return take_output(m, &m->node.err, f);
	if (f->type == FRAME_OPEN_OK)
		take_open_ok(m);
	else if (f->type == FRAME_ERROR)
		take_error(m, f);
	else if (f->type == FRAME_EXIT)
		take_exit(m, f);
	else if (f->type == FRAME_PONG && !exec_link_pong(&m->link))
		end_member(m, EXEC_LOST, "the node answers what was not asked");
	/* others: a newer node may say more than we know */
	return true;
}

static void serve(struct member *m)
{
	struct err e = { 0 };
	struct frame f;
	int r;

	while (m->node.state != EXEC_ENDED && (r = exec_link_next(&m->link, &f, &e)) != 0) {
		if (r < 0) {
			end_member(m, EXEC_LOST, e.text);
			break;
		}
		if (!take_frame(m, &f)) {
			exec_link_pause(&m->link, true);
			return;
		}
		if (m->node.state != EXEC_ENDED)
			exec_link_eat(&m->link, &f);
	}
	if (m->node.state == EXEC_OPENING && m->link.ended)
		end_member(m, EXEC_UNREACHABLE, "comosixd closed without an answer; see its log");
	if (m->node.state == EXEC_RUNNING && m->link.ended)
		end_member(m, EXEC_LOST, "the connection was lost; the node ends the command");
}

static void on_link(void *owner)
{
	struct member *m = owner;
	struct exec_run *r = m->run;

	serve(m);
	start_more(r);
	pump_input(r);
}

static void on_room(void *owner)
{
	struct exec_run *r = owner;

	for (size_t i = 0; i < r->n; i++) {
		struct member *m = &r->members[i];

		if (!m->link.paused || m->node.state == EXEC_ENDED)
			continue;
		exec_link_pause(&m->link, false);
		serve(m);
	}
	start_more(r);
	pump_input(r);
}

/* ---- to the nodes ---- */

static int make_open(struct exec_run *r, struct member *m, Cmx__Open *open, struct err *e)
{
	const char *const node[] = { m->node.target->name };
	const struct proof_request rq = {
		.kind = CMX__OPEN_KIND__OPEN_EXEC,
		.uid = geteuid(),
		.body = buf_bytes(&r->body),
		.body_len = r->body.len,
	};

	open->kind = rq.kind;
	open->node = (char *)node[0]; /* only read */
	open->body.data = r->body.data + r->body.off;
	open->body.len = r->body.len;
	if (!r->rq->operator||(!r->rq->operator_always && !m->node.target->desktop))
		return 0;
	return proof_sign(r->rq->operator, & rq, node, 1, clock_wall_s(), &open->proof, e);
}

static void on_retry(void *owner)
{
	struct exec_run *r = owner;

	r->ev_retry = (struct ev_ref){ 0 };
	start_more(r);
}

static int start(struct exec_run *r, struct member *m, struct err *e)
{
	Cmx__Open open = CMX__OPEN__INIT;
	int ret = make_open(r, m, &open, e);

	AUTO_MESSAGE Cmx__Proof *proof = open.proof; /* all else in it is borrowed */

	if (!ret)
		ret = exec_link_open(&m->link, r->loop, &open, on_link, m, e);
	return ret;
}

static void start_more(struct exec_run *r)
{
	while (r->next < r->n && r->n_active < r->rq->parallel && !r->signal && !r->ev_retry.gen) {
		struct member *m = &r->members[r->next];
		struct err e = { 0 };
		int ret = start(r, m, &e);

		/* the daemon's queue of callers is full */
		if (ret == -EAGAIN && !loop_add_timer(r->loop, clock_boot_ms() + BUSY_RETRY_MS,
						      on_retry, r, &r->ev_retry))
			return;
		r->next++;
		if (ret < 0) {
			end_member(m, EXEC_UNREACHABLE, e.text);
			continue;
		}
		r->n_active++;
		set_state(m, EXEC_OPENING);
	}
}

static void signal_all(struct exec_run *r, int signo)
{
	Cmx__Signal s = CMX__SIGNAL__INIT;

	s.number = (uint32_t)signo;
	for (size_t i = 0; i < r->n; i++) {
		struct member *m = &r->members[i];

		if (m->node.state == EXEC_RUNNING)
			exec_link_send(&m->link, FRAME_SIGNAL, &s.base);
		else if (m->node.state != EXEC_ENDED) /* it has not begun: then it shall not */
			end_member(m, EXEC_INTERRUPTED, "");
	}
}

static void resize_all(struct exec_run *r)
{
	Cmx__Winsize w = CMX__WINSIZE__INIT;

	exec_tty_size(STDIN_FILENO, &w.rows, &w.columns);
	for (size_t i = 0; i < r->n; i++)
		if (r->members[i].node.state == EXEC_RUNNING)
			exec_link_send(&r->members[i].link, FRAME_WINSIZE, &w.base);
}

static void on_signal(void *owner, int signo)
{
	struct exec_run *r = owner;

	if (signo == SIGWINCH) {
		if (r->rq->tty)
			resize_all(r);
		return;
	}
	r->n_signals++;
	r->signal = signo;
	if (r->n_signals == 1 && (signo == SIGINT || signo == SIGQUIT)) {
		if (r->n > 1)
			say(r, NULL, "interrupting all nodes; once more leaves at once");
		signal_all(r, signo);
		return;
	}
	end_all(r, EXEC_INTERRUPTED);
}

static void on_limit(void *owner)
{
	end_all(owner, EXEC_TIMED_OUT);
}

/* ---- our input ---- */

/* every node that runs takes a piece, and none is still to begin */
static bool input_wanted(const struct exec_run *r)
{
	size_t running = 0;

	for (size_t i = 0; i < r->n; i++) {
		const struct member *m = &r->members[i];

		if (m->node.state == EXEC_ENDED)
			continue;
		if (m->node.state != EXEC_RUNNING || !exec_link_has_room(&m->link))
			return false;
		running++;
	}
	return running > 0;
}

static void read_input(struct exec_run *r)
{
	uint8_t piece[EXEC_PIECE];
	ssize_t n = read(STDIN_FILENO, piece, sizeof(piece));

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n <= 0) {
		n = 0; /* an error is an end, too */
		r->input_open = false;
		loop_remove(r->loop, &r->ev_input);
	}
	if (r->rq->tty && exec_escape_seen(&r->escape, piece, (size_t)n)) {
		say(r, NULL, "left; the node ends the command");
		r->signal = SIGHUP;
		end_all(r, EXEC_INTERRUPTED);
		return;
	}
	for (size_t i = 0; i < r->n; i++)
		if (r->members[i].node.state == EXEC_RUNNING)
			exec_link_input(&r->members[i].link, piece, (size_t)n);
}

static void on_input(void *owner, uint32_t events)
{
	struct exec_run *r = owner;

	read_input(r);
	pump_input(r);
}

static void pump_input(struct exec_run *r)
{
	bool wanted = r->input_open && input_wanted(r);
	int ret;

	if (!wanted) {
		loop_remove(r->loop, &r->ev_input);
		return;
	}
	if (!r->input_is_file && !r->ev_input.gen) {
		ret = loop_add_fd(r->loop, STDIN_FILENO, EPOLLIN, on_input, r, &r->ev_input);
		r->input_is_file = ret == -EPERM; /* always ready, epoll_ctl(2) */
	}
	while (r->input_is_file && r->input_open && input_wanted(r))
		read_input(r);
}

/* ---- all of it ---- */

static int watch_signals(struct exec_run *r)
{
	int ret = 0;

	static_assert(ARRAY_LEN(signals_heard) == ARRAY_LEN(((struct exec_run *)0)->ev_signals),
		      "one reference each");
	for (size_t i = 0; !ret && i < ARRAY_LEN(signals_heard); i++) {
		struct sigaction was;

		/* nohup and a shell's background jobs have asked not to be disturbed */
		if (!sigaction(signals_heard[i], NULL, &was) && was.sa_handler == SIG_IGN)
			continue;
		ret = loop_add_signal(r->loop, signals_heard[i], on_signal, r, &r->ev_signals[i]);
	}
	return ret;
}

static int prepare(struct exec_run *r, const struct exec_request *rq)
{
	int ret;

	r->rq = rq;
	r->n = rq->n_targets;
	r->input_open = rq->input;
	r->printer.mode = rq->mode;
	exec_sink_init(&r->printer.out, r->loop, STDOUT_FILENO, on_room, r);
	exec_sink_init(&r->printer.err, r->loop, STDERR_FILENO, on_room, r);
	r->members = calloc(r->n, sizeof(*r->members));
	r->report = calloc(r->n, sizeof(*r->report));
	if (!r->members || !r->report)
		return -ENOMEM;
	for (size_t i = 0; i < r->n; i++) {
		struct member *m = &r->members[i];

		m->run = r;
		m->node.target = &rq->targets[i];
		m->link.fd = -1;
		exec_stream_init(&m->node.out, &r->printer, &r->printer.out);
		exec_stream_init(&m->node.err, &r->printer, &r->printer.err);
	}
	ret = message_pack(&r->body, rq->rq);
	if (!ret)
		ret = watch_signals(r);
	if (!ret && rq->timeout_ms)
		ret = loop_add_timer(r->loop, clock_boot_ms() + rq->timeout_ms, on_limit, r,
				     &r->ev_limit);
	return ret;
}

int exec_run(const struct exec_request *rq, struct exec_run **ret, struct err *e)
{
	struct exec_run *r = calloc(1, sizeof(*r));
	int x;

	if (!r)
		return err_set(e, -ENOMEM, "out of memory");
	buf_init(&r->body, BODY_MAX);
	x = loop_new(&r->loop, e);
	if (x < 0) {
		free(r);
		return x;
	}
	x = prepare(r, rq);
	if (x < 0) {
		exec_run_free(r);
		return err_set(e, x, x == -ENOBUFS ? "the command line is too long" : "%s",
			       strerror(-x));
	}
	start_more(r);
	if (r->n_ended < r->n)
		x = loop_run(r->loop);
	exec_tty_restore();
	r->rq = NULL;
	if (x < 0) {
		exec_run_free(r);
		return err_set(e, x, "wait for the nodes: %s", strerror(-x));
	}
	(void)exec_sink_done(&r->printer.err); /* there is nowhere to say it */
	x = exec_sink_done(&r->printer.out);
	if (x < 0) {
		exec_run_free(r);
		return err_set(e, x, "write the output: %s", strerror(-x));
	}
	for (size_t i = 0; i < r->n; i++)
		r->report[i] = r->members[i].node;
	*ret = r;
	return 0;
}

void exec_run_free(struct exec_run *r)
{
	if (!r)
		return;
	for (size_t i = 0; r->members && i < r->n; i++) {
		exec_link_close(&r->members[i].link);
		exec_stream_done(&r->members[i].node.out);
		exec_stream_done(&r->members[i].node.err);
	}
	(void)exec_sink_done(&r->printer.out); /* said before, if it was to be said */
	(void)exec_sink_done(&r->printer.err);
	loop_free(r->loop);
	buf_done(&r->body);
	free(r->members);
	free(r->report);
	free(r);
}

const struct exec_node *exec_run_nodes(const struct exec_run *r, size_t *ret_n)
{
	*ret_n = r->n;
	return r->report;
}

int exec_run_signal(const struct exec_run *r)
{
	return r->signal;
}
