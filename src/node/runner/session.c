/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * session.c - one command between a frame stream and its pipes
 *
 * Theory of operation. What is held is bounded in both directions:
 *
 *	stream -> [in: one frame] -> [to_command: window] -> command's input
 *	stream <- [out: OUT_HIGH] <- command's output
 *
 * A command that does not read fills to_command, and the stream is read no further: so a client
 * sends no more than SESSION_STDIN_WINDOW without a PONG, which is sent when all input before its
 * PING was taken by the command. A client that keeps to it can always get a SIGNAL through.
 * A client that does not read fills out, and the command's output is read no further: the command
 * waits.
 *
 * The end has an order: the command is reaped; what it left behind gets SIGTERM, after the grace
 * SIGKILL, and nobody is left when waitpid() says ECHILD (family.h); only then is the rest of its
 * output read, which cannot grow any more; then EXIT. So EXIT is the last frame, and when a client
 * has it nothing of the command runs. When the stream ends first, the same end comes without its
 * words.
 */
#include "node/runner/session.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "config.h"
#include "log/log.h"
#include "loop/loop.h"
#include "node/runner/command.h"
#include "node/runner/family.h"
#include "os/fd.h"
#include "os/user.h"
#include "wire/message.h"

#define IN_STEP	       65536
#define IN_MAX	       (FRAME_HEADER + FRAME_PAYLOAD_MAX + IN_STEP)
#define OUT_STEP       32768
#define OUT_HIGH       131072 /* above it nothing more is read from the command */
#define OUT_MAX	       (OUT_HIGH + 4 * (FRAME_HEADER + OUT_STEP))
#define PINGS_MAX      64 /* unanswered */
#define POLL_MS	       50 /* between two shots at a family that does not end */
#define STATUS_REFUSED 5
#define STATUS_ERROR   1
#define EOF_CHAR       4 /* ^D, what a person would type */

enum state {
	WAITING,
	RUNNING,
	SETTLING,
	LEAVING,
	HANGUP,
	N_STATES,
};

static const struct {
	const char *name;
	unsigned int next; /* states it may go to, as bits */
} states[] = {
	[WAITING] = { "waiting", 1U << RUNNING | 1U << LEAVING | 1U << HANGUP },
	[RUNNING] = { "running", 1U << SETTLING | 1U << HANGUP },
	[SETTLING] = { "settling", 1U << LEAVING | 1U << HANGUP },
	[LEAVING] = { "leaving", 1U << HANGUP },
	[HANGUP] = { "hangup", 0 },
};

/* what a client may send; others end the stream */
static const int signals_allowed[] = { SIGHUP,	SIGINT,	 SIGQUIT, SIGTERM, SIGKILL,
				       SIGUSR1, SIGUSR2, SIGTSTP, SIGCONT, SIGALRM };

struct session {
	struct loop *loop;
	enum state state;
	int fd_in, fd_out; /* borrowed */
	struct ev_ref ev_in, ev_out, ev_child_in, ev_child_out, ev_child_err, timer, sigchld,
		sigterm;
	struct buf in, out, to_command;
	struct command cmd;   /* valid from RUNNING on */
	bool tty_idle;	      /* the command has closed its terminal */
	bool input_ended;     /* the client has no more */
	uint64_t input_taken; /* bytes of STDIN that the command took, or that were thrown away */
	uint64_t input_seen;  /* bytes of STDIN received */
	uint64_t pings[PINGS_MAX]; /* input_seen at each unanswered PING; a ring */
	uint32_t ping_first, n_pings;
	char argv0[128];
	uint32_t status;
	char reason[256];
	uint64_t kill_at_ms; /* when SIGTERM has not helped; 0: it was not sent */
};

static void set_state(struct session *s, enum state to)
{
	assert(states[s->state].next & 1U << to);
	log_debug("%s -> %s", states[s->state].name, states[to].name);
	s->state = to;
}

static void hang_up(struct session *s, const char *why);
static void pump(struct session *s);

/* ---- to the stream ---- */

/* full is a bug: callers look at room_out() first, and the few small frames have OUT_MAX's rest */
static void send_frame(struct session *s, enum frame_type type, const void *p, size_t len)
{
	int r = frame_put(&s->out, type, p, len);

	if (r < 0)
		hang_up(s, strerror(-r));
}

static void send_message(struct session *s, enum frame_type type, const void *m)
{
	int r = message_put(&s->out, type, m);

	if (r < 0)
		hang_up(s, strerror(-r));
}

static bool room_out(const struct session *s)
{
	return s->out.len < OUT_HIGH;
}

static void refuse(struct session *s, uint32_t status, const char *text)
{
	Cmx__Error m = CMX__ERROR__INIT;

	m.status = status;
	m.text = (char *)text; /* protobuf-c has no const; it is only read */
	send_message(s, FRAME_ERROR, &m);
	if (s->state == WAITING)
		set_state(s, LEAVING);
}

static void flush_out(struct session *s)
{
	while (s->state != HANGUP && s->out.len) {
		ssize_t n = write(s->fd_out, buf_bytes(&s->out), s->out.len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0)
			hang_up(s, strerror(errno));
		else
			buf_eat(&s->out, (size_t)n);
	}
}

/* nobody reads it any more */
static void drop_input(struct session *s)
{
	s->input_taken += s->to_command.len;
	buf_reset(&s->to_command);
	loop_remove(s->loop, &s->ev_child_in);
	fd_close(&s->cmd.in);
}

/* ---- from the command ---- */

/* false: nothing more will come, or nothing is there now */
static bool read_output(struct session *s, int *fd, struct ev_ref *ev, enum frame_type type)
{
	uint8_t bytes[OUT_STEP];
	ssize_t n;

	do
		n = read(*fd, bytes, sizeof(bytes));
	while (n < 0 && errno == EINTR);
	if (n > 0) {
		send_frame(s, type, bytes, (size_t)n);
		return true;
	}
	if (n < 0 && errno == EAGAIN)
		return false;
	loop_remove(s->loop, ev);
	/* EIO: nobody has the terminal open. Closed here, it would hang up a command that is just
	 * leaving */
	if (s->cmd.tty)
		s->tty_idle = true;
	else
		fd_close(fd);
	return false;
}

static void on_output(void *owner, uint32_t events)
{
	struct session *s = owner;

	if (room_out(s))
		(void)read_output(s, &s->cmd.out, &s->ev_child_out, FRAME_STDOUT);
	pump(s);
}

static void on_error_output(void *owner, uint32_t events)
{
	struct session *s = owner;

	if (room_out(s))
		(void)read_output(s, &s->cmd.err, &s->ev_child_err, FRAME_STDERR);
	pump(s);
}

/* all have ended, so this comes to an end; true when it did */
static bool drain_output(struct session *s)
{
	while (s->cmd.out >= 0 && room_out(s))
		if (!read_output(s, &s->cmd.out, &s->ev_child_out, FRAME_STDOUT))
			break;
	while (s->cmd.err >= 0 && room_out(s))
		if (!read_output(s, &s->cmd.err, &s->ev_child_err, FRAME_STDERR))
			break;
	return room_out(s);
}

/* ---- to the command ---- */

static void answer_pings(struct session *s)
{
	while (s->n_pings && s->pings[s->ping_first] <= s->input_taken) {
		s->ping_first = (s->ping_first + 1) % PINGS_MAX;
		s->n_pings--;
		send_frame(s, FRAME_PONG, NULL, 0);
	}
}

static void end_input(struct session *s)
{
	static const char eof = EOF_CHAR;

	if (s->cmd.tty && write(s->cmd.in, &eof, 1) < 0)
		log_debug("no end of file for the terminal: %s", strerror(errno));
	if (!s->cmd.tty)
		drop_input(s);
	s->input_ended = false; /* said once */
}

static void feed_command(struct session *s)
{
	while (s->cmd.in >= 0 && s->to_command.len) {
		ssize_t n = write(s->cmd.in, buf_bytes(&s->to_command), s->to_command.len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			break;
		if (n < 0) { /* it closed its input: a command may */
			drop_input(s);
			break;
		}
		s->input_taken += (uint64_t)n;
		buf_eat(&s->to_command, (size_t)n);
	}
	if (s->cmd.in >= 0 && s->input_ended && !s->to_command.len)
		end_input(s);
	answer_pings(s);
}

static void on_child_in(void *owner, uint32_t events)
{
	struct session *s = owner;

	if (events & (EPOLLERR | EPOLLHUP))
		drop_input(s);
	pump(s);
}

/* ---- the end ---- */

static void remove_command_events(struct session *s)
{
	loop_remove(s->loop, &s->ev_child_in);
	loop_remove(s->loop, &s->ev_child_out);
	loop_remove(s->loop, &s->ev_child_err);
}

static void on_timer(void *owner);

/* one shot at what is left; come again until nobody is */
static void end_family(struct session *s, bool first)
{
	uint64_t now = loop_now(s->loop);
	int r;

	if (first) {
		s->kill_at_ms = now + SESSION_GRACE_MS;
		r = family_signal(SIGTERM);
		if (r >= 0)
			r = family_signal(SIGCONT); /* a stopped process takes SIGTERM only then */
	} else if (now >= s->kill_at_ms) {
		r = family_signal(SIGSTOP); /* who stands still does not fork away from the shot */
		if (r >= 0)
			r = family_signal(SIGKILL);
	} else {
		r = 0;
	}
	if (r < 0)
		log_warn("cannot see what the command started: %s", strerror(-r));
	loop_remove(s->loop, &s->timer);
	r = loop_add_timer(s->loop, now + POLL_MS, on_timer, s, &s->timer);
	if (r < 0)
		log_err("no timer: %s; SIGKILL will not be sent", strerror(-r));
}

static void on_timer(void *owner)
{
	struct session *s = owner;

	s->timer = (struct ev_ref){ 0 };
	if (s->state == SETTLING || s->state == HANGUP)
		end_family(s, false);
	pump(s);
}

static void hang_up(struct session *s, const char *why)
{
	bool running = s->state == RUNNING || s->state == SETTLING;

	if (s->state == HANGUP)
		return;
	log_debug("the stream is gone: %s", why);
	set_state(s, HANGUP);
	loop_remove(s->loop, &s->ev_in);
	loop_remove(s->loop, &s->ev_out);
	if (!running) {
		loop_stop(s->loop, 0);
		return;
	}
	remove_command_events(s);
	/* a terminal sends SIGHUP now, a pipe SIGPIPE at the next write */
	fd_close(&s->cmd.in);
	fd_close(&s->cmd.out);
	fd_close(&s->cmd.err);
	end_family(s, true);
}

static void leave(struct session *s)
{
	Cmx__Exit m = CMX__EXIT__INIT;

	m.status = s->status;
	m.text = s->reason;
	send_message(s, FRAME_EXIT, &m);
	if (s->state != HANGUP)
		set_state(s, LEAVING);
}

/* every child that has ended; false when none is left at all */
static bool reap(struct session *s)
{
	for (;;) {
		int status = 0;
		pid_t pid = waitpid(-1, &status, WNOHANG);

		if (pid < 0 && errno == EINTR)
			continue;
		if (pid < 0)
			return false;
		if (!pid)
			return true;
		if (pid != s->cmd.pid || s->state != RUNNING)
			continue;
		s->status = command_status(&s->cmd, status, s->argv0, s->reason, sizeof(s->reason));
		set_state(s, SETTLING);
		drop_input(s);
	}
}

static void on_sigchld(void *owner, int signo)
{
	pump(owner);
}

static void on_sigterm(void *owner, int signo)
{
	struct session *s = owner;

	hang_up(s, "told to end by a signal");
	pump(s);
}

/* ---- from the stream ---- */

static bool input_ok(const Cmx__Open *open, const Cmx__ExecRequest *rq, struct err *e)
{
	if (open->kind != CMX__OPEN_KIND__OPEN_EXEC || !rq)
		return err_set(e, -EPROTO, "the request is broken") == 0;
	if (!rq->n_argv || !rq->argv[0][0])
		return err_set(e, -EINVAL, "no command is given") == 0;
	return true;
}

/* the name and the number must mean the same person at both ends */
static int find_user(const Cmx__Open *open, struct user *ret, struct err *e)
{
	int r = user_by_uid(open->uid, ret, e);

	if (r == -ENOENT || (!r && strcmp(ret->name, open->user) != 0))
		return err_set(e, -EACCES,
			       "there is no user '%s' with uid %u on %s; accounts must agree on "
			       "both nodes, the name and the uid",
			       open->user, open->uid, open->node);
	return r;
}

static void take_open(struct session *s, const struct frame *f)
{
	AUTO_MESSAGE Cmx__Open *open = NULL;
	AUTO_MESSAGE Cmx__ExecRequest *rq = NULL;
	Cmx__OpenOk ok = CMX__OPEN_OK__INIT;
	struct user user;
	struct err e = { 0 };
	int r;

	open = message_get(&cmx__open__descriptor, f->payload, f->len, &e);
	if (open)
		rq = message_get(&cmx__exec_request__descriptor, open->body.data, open->body.len,
				 &e);
	if (!open || !input_ok(open, rq, &e)) {
		refuse(s, STATUS_ERROR, e.text);
		return;
	}
	if (find_user(open, &user, &e) < 0) {
		refuse(s, STATUS_REFUSED, e.text);
		return;
	}
	(void)snprintf(s->argv0, sizeof(s->argv0), "%s", rq->argv[0]);
	r = command_start(&user, open->node, rq, &s->cmd, &e);
	if (r < 0) {
		refuse(s, STATUS_ERROR, e.text);
		return;
	}
	set_state(s, RUNNING);
	ok.node = open->node;
	send_message(s, FRAME_OPEN_OK, &ok);
}

static void take_signal(struct session *s, const struct frame *f)
{
	AUTO_MESSAGE Cmx__Signal *m = message_get(&cmx__signal__descriptor, f->payload, f->len,
						  NULL);

	for (size_t i = 0; m && i < ARRAY_LEN(signals_allowed); i++)
		if (m->number == (uint32_t)signals_allowed[i]) {
			if (s->state == RUNNING)
				command_signal(&s->cmd, signals_allowed[i]);
			return;
		}
	hang_up(s, "a signal that may not be sent");
}

static void take_winsize(struct session *s, const struct frame *f)
{
	AUTO_MESSAGE Cmx__Winsize *m = message_get(&cmx__winsize__descriptor, f->payload, f->len,
						   NULL);

	if (!m)
		hang_up(s, "a broken WINSIZE");
	else if (s->state == RUNNING)
		command_resize(&s->cmd, m->rows, m->columns);
}

static void take_ping(struct session *s)
{
	if (s->n_pings == PINGS_MAX) {
		hang_up(s, "too many PINGs");
		return;
	}
	s->pings[(s->ping_first + s->n_pings) % PINGS_MAX] = s->input_seen;
	s->n_pings++;
	answer_pings(s);
}

/* false: it has to wait until the command has read more */
static bool take_stdin(struct session *s, const struct frame *f)
{
	if (!f->len) {
		s->input_ended = true;
		return true;
	}
	if (s->cmd.in >= 0 && s->to_command.len) {
		if (s->to_command.len + f->len > SESSION_STDIN_WINDOW)
			return false;
	}
	s->input_seen += f->len;
	if (s->cmd.in < 0)
		s->input_taken += f->len; /* nobody wants it */
	else if (buf_put(&s->to_command, f->payload, f->len) < 0)
		hang_up(s, "out of memory");
	return true;
}

/* false: not yet */
static bool take_frame(struct session *s, const struct frame *f)
{
	if (s->state == WAITING) {
		if (f->type == FRAME_OPEN)
			take_open(s, f);
		else
			hang_up(s, "the first frame is not OPEN");
		return true;
	}
	/* only those a client may send; anything else is no client of ours */
	if (f->type == FRAME_STDIN)
		return take_stdin(s, f);
	if (f->type == FRAME_SIGNAL)
		take_signal(s, f);
	else if (f->type == FRAME_WINSIZE)
		take_winsize(s, f);
	else if (f->type == FRAME_PING)
		take_ping(s);
	else
		hang_up(s, frame_name(f->type));
	return true;
}

static void take_frames(struct session *s)
{
	struct err e = { 0 };
	struct frame f;
	int r = 0;

	while (s->state != HANGUP && s->state != LEAVING && (r = frame_take(&s->in, &f, &e)) == 1) {
		if (!take_frame(s, &f))
			return;
		buf_eat(&s->in, FRAME_HEADER + f.len);
		if (s->state == RUNNING)
			feed_command(s);
	}
	if (r < 0)
		hang_up(s, e.text);
}

static bool room_in(const struct session *s)
{
	return s->in.len + IN_STEP <= s->in.max;
}

static void on_stream_in(void *owner, uint32_t events)
{
	struct session *s = owner;
	uint8_t *to;
	ssize_t n;

	if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR) && s->state != WAITING) {
		hang_up(s, "closed by the other side"); /* what may still be in it is of no use */
	} else if (room_in(s) && !buf_room(&s->in, IN_STEP, &to)) {
		n = read(s->fd_in, to, IN_STEP);
		if (n > 0)
			buf_grow(&s->in, (size_t)n);
		else if (n == 0 || (errno != EAGAIN && errno != EINTR))
			hang_up(s, n ? strerror(errno) : "end of file");
	}
	pump(s);
}

static void on_stream_out(void *owner, uint32_t events)
{
	struct session *s = owner;

	if (events & (EPOLLHUP | EPOLLERR))
		hang_up(s, "closed by the other side");
	pump(s);
}

/* ---- what follows from any event ---- */

/*
 * Only what can be served is watched: an end of file or a hang-up is told again and again, asked
 * for or not, and would keep a runner busy that has no room to read it.
 */
static void watch(struct session *s, int fd, uint32_t events, loop_fd_fn *fn, struct ev_ref *ev)
{
	bool watched = ev->gen != 0;
	int r;

	if (watched == (fd >= 0 && events))
		return;
	if (watched) {
		loop_remove(s->loop, ev);
		return;
	}
	r = loop_add_fd(s->loop, fd, events, fn, s, ev);
	if (r < 0)
		hang_up(s, strerror(-r));
}

static void set_interest(struct session *s)
{
	uint32_t output = room_out(s) ? EPOLLIN : 0;

	if (s->state == HANGUP)
		return;
	loop_set_fd(s->loop, s->ev_in, EPOLLRDHUP | (room_in(s) ? EPOLLIN : 0));
	loop_set_fd(s->loop, s->ev_out, s->out.len ? EPOLLOUT : 0);
	watch(s, s->cmd.in, s->to_command.len ? EPOLLOUT : 0, on_child_in, &s->ev_child_in);
	watch(s, s->cmd.out, s->tty_idle ? 0 : output, on_output, &s->ev_child_out);
	watch(s, s->cmd.err, output, on_error_output, &s->ev_child_err);
}

/*
 * What is closed with bytes unread is a reset for the other side, not an end of file. From the
 * shutdown on nothing can come any more, so that what is read here is the last of it.
 */
static void drop_stream(struct session *s)
{
	uint8_t bytes[4096];

	(void)shutdown(s->fd_in, SHUT_RD); /* fails only when the other side is gone */
	while (read(s->fd_in, bytes, sizeof(bytes)) > 0)
		;
}

/* do all that can be done without waiting */
static void pump(struct session *s)
{
	bool alive;

	if (s->state == RUNNING)
		feed_command(s);
	take_frames(s);
	flush_out(s);
	alive = s->state != WAITING && reap(s);
	if (s->state == HANGUP && !alive)
		loop_stop(s->loop, 0);
	if (s->state == SETTLING && alive && !s->kill_at_ms)
		end_family(s, true);
	if (s->state == SETTLING && !alive && drain_output(s))
		leave(s);
	flush_out(s);
	if (s->state == LEAVING && !s->out.len) {
		drop_stream(s);
		loop_stop(s->loop, 0);
	}
	set_interest(s);
}

int session_new(struct loop *l, int in, int out, struct session **ret, struct err *e)
{
	struct session *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return err_set(e, -ENOMEM, "out of memory");
	s->loop = l;
	s->fd_in = in;
	s->fd_out = out;
	s->cmd = (struct command){ .in = -1, .out = -1, .err = -1, .report = -1 };
	buf_init(&s->in, IN_MAX);
	buf_init(&s->out, OUT_MAX);
	buf_init(&s->to_command, SESSION_STDIN_WINDOW + FRAME_PAYLOAD_MAX);
	r = loop_add_fd(l, in, EPOLLIN | EPOLLRDHUP, on_stream_in, s, &s->ev_in);
	if (!r)
		r = loop_add_fd(l, out, 0, on_stream_out, s, &s->ev_out);
	if (!r)
		r = loop_add_signal(l, SIGCHLD, on_sigchld, s, &s->sigchld);
	if (!r)
		r = loop_add_signal(l, SIGTERM, on_sigterm, s, &s->sigterm);
	if (r < 0) {
		session_free(s);
		return err_set(e, r, "watch the stream: %s", strerror(-r));
	}
	*ret = s;
	return 0;
}

void session_free(struct session *s)
{
	if (!s)
		return;
	loop_remove(s->loop, &s->ev_in);
	loop_remove(s->loop, &s->ev_out);
	remove_command_events(s);
	loop_remove(s->loop, &s->timer);
	loop_remove(s->loop, &s->sigchld);
	loop_remove(s->loop, &s->sigterm);
	command_done(&s->cmd);
	buf_done(&s->in);
	buf_done(&s->out);
	buf_done(&s->to_command);
	free(s);
}
