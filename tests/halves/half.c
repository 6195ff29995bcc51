/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * half.c - a deputy or a guest (by its name) that moves nothing; a stand-in for tests of comosixd
 *
 * Both show each other the key they were given, over the transport they were given: that the two
 * daemons have handed over the same stream and the same key. A process called "stays" is refused, of
 * one called "noted" there is something to say.
 * When the stream breaks while the process is away, the deputy asks for a new one and the guest
 * waits for it.
 *
 *	deputy				guest
 *	'K' key		------------>	the same as mine?
 *			<------------	'k'
 *	(State AWAY)			(State AWAY)
 *	'H'		------------>	(State RECALL)
 *			<------------	'h', End
 *	End
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/half_link.h"
#include "os/fd.h"
#include "os/sock.h"
#include "wire/message.h"

static bool deputy;
static struct half_link control;
static int stream = HALF_FD_STREAM;
static Cmx__HalfStart *start;
static uint8_t key[HALF_KEY_LEN];
static Cmx__HalfStage stage;

static void NORETURN give_up(const char *why)
{
	(void)fprintf(stderr, "stand-in: %s: %s\n", why, strerror(errno));
	_exit(1);
}

/* a daemon that is away hears it when it comes back: State is said first */
static void say(Cmx__Half *m)
{
	if (control.fd >= 0 && half_link_send(&control, m, -1, NULL) < 0)
		fd_close(&control.fd);
}

static bool is_named(const char *wanted)
{
	char path[64], name[16] = "";
	FILE *f;

	(void)snprintf(path, sizeof(path), "/proc/%u/comm", start->pid);
	f = fopen(path, "re");
	if (f && !fgets(name, sizeof(name), f))
		name[0] = '\0';
	if (f)
		(void)fclose(f); /* was only read */
	name[strcspn(name, "\n")] = '\0';
	return !strcmp(name, wanted);
}

static void say_state(Cmx__HalfStage to)
{
	Cmx__HalfState s = CMX__HALF_STATE__INIT;
	Cmx__Half m = CMX__HALF__INIT;

	stage = to;
	s.stage = to;
	s.bytes_done = s.bytes_all = 4096 * (uint64_t)to;
	s.start = start;
	s.self = (uint32_t)getpid();
	if (deputy && start && to == CMX__HALF_STAGE__STAGE_AWAY && is_named("noted"))
		s.text = (char *)"a note";
	m.body_case = CMX__HALF__BODY_STATE;
	m.state = &s;
	say(&m);
}

static void NORETURN end(uint32_t status, Cmx__HalfFate fate, const char *text)
{
	Cmx__HalfEnd e = CMX__HALF_END__INIT;
	Cmx__Half m = CMX__HALF__INIT;

	e.status = status;
	e.fate = fate;
	e.text = (char *)text;
	m.body_case = CMX__HALF__BODY_END;
	m.end = &e;
	say(&m);
	_exit(0);
}

static void send_all(const void *p, size_t n)
{
	if (send(stream, p, n, MSG_NOSIGNAL) != (ssize_t)n)
		fd_close(&stream);
}

static void show_key(void)
{
	uint8_t hello[1 + HALF_KEY_LEN] = { 'K' };

	memcpy(hello + 1, key, HALF_KEY_LEN);
	send_all(hello, sizeof(hello));
}

static void take_key(const ProtobufCBinaryData *from)
{
	if (from->len != HALF_KEY_LEN)
		give_up("a key of another length");
	memcpy(key, from->data, HALF_KEY_LEN);
}

static void begin(Cmx__Half *m)
{
	start = m->start;
	m->start = NULL;
	m->body_case = CMX__HALF__BODY__NOT_SET;
	take_key(&start->key);
	start->key.len = 0; /* is never echoed; the bytes are freed with the message */
	say_state(CMX__HALF_STAGE__STAGE_PREFLIGHT);
	if (deputy && is_named("stays"))
		end(5, CMX__HALF_FATE__FATE_STAYED, "it is called 'stays'");
	say_state(CMX__HALF_STAGE__STAGE_CONNECT);
	if (deputy)
		show_key();
}

static void hear(Cmx__Half *m)
{
	switch ((int)m->body_case) {
	case CMX__HALF__BODY_START:
		begin(m);
		return;
	case CMX__HALF__BODY_HOME:
		say_state(CMX__HALF_STAGE__STAGE_RECALL);
		send_all("H", 1);
		return;
	case CMX__HALF__BODY_TRANSPORT:
		take_key(&m->transport->key);
		fd_close(&stream);
		stream = half_link_passed(&control);
		if (stream < 0)
			give_up("a transport without an fd");
		if (deputy)
			show_key();
		return;
	case CMX__HALF__BODY_DROP:
		end(5, deputy ? CMX__HALF_FATE__FATE_LOST : CMX__HALF_FATE__FATE_NONE,
		    m->drop->text);
	}
}

static void on_control(void)
{
	int r;

	while ((r = half_link_fill(&control, NULL)) == 1) {
		Cmx__Half *m;

		while (half_link_take(&control, &m, NULL) == 1) {
			hear(m);
			message_free(&m);
		}
	}
	if (r < 0 && !start)
		_exit(0); /* it was not told to start */
	if (r < 0)
		fd_close(&control.fd);
}

static void on_listen(void)
{
	int fd = accept4(HALF_FD_LISTEN, NULL, NULL, SOCK_CLOEXEC);

	if (fd < 0)
		return;
	half_link_done(&control);
	if (half_link_init(&control, fd) < 0)
		give_up("control");
	say_state(stage);
}

static void broken(void)
{
	Cmx__HalfWantTransport want = CMX__HALF_WANT_TRANSPORT__INIT;
	Cmx__Half m = CMX__HALF__INIT;

	fd_close(&stream);
	if (stage < CMX__HALF_STAGE__STAGE_AWAY)
		end(1, deputy ? CMX__HALF_FATE__FATE_STAYED : CMX__HALF_FATE__FATE_NONE,
		    "the other half went before the process did");
	if (!deputy)
		return;
	m.body_case = CMX__HALF__BODY_WANT_TRANSPORT;
	m.want_transport = &want;
	say(&m);
}

static void hear_peer(const uint8_t *p, size_t n)
{
	if (!deputy && n == 1 + HALF_KEY_LEN && p[0] == 'K') {
		if (memcmp(p + 1, key, HALF_KEY_LEN) != 0)
			end(1, CMX__HALF_FATE__FATE_NONE, "the keys differ");
		send_all("k", 1);
		if (stage < CMX__HALF_STAGE__STAGE_AWAY)
			say_state(CMX__HALF_STAGE__STAGE_AWAY);
	} else if (deputy && n == 1 && p[0] == 'k') {
		say_state(stage < CMX__HALF_STAGE__STAGE_AWAY ? CMX__HALF_STAGE__STAGE_AWAY
							      : stage);
	} else if (!deputy && n == 1 && p[0] == 'H') {
		say_state(CMX__HALF_STAGE__STAGE_RECALL);
		send_all("h", 1);
		end(0, CMX__HALF_FATE__FATE_NONE, "it went home");
	} else if (deputy && n == 1 && p[0] == 'h') {
		end(0, CMX__HALF_FATE__FATE_HOME, "");
	} else {
		end(1, CMX__HALF_FATE__FATE_NONE, "the other half makes no sense");
	}
}

static void on_stream(void)
{
	uint8_t in[128];
	ssize_t n = recv(stream, in, sizeof(in), MSG_DONTWAIT);

	if (n > 0)
		hear_peer(in, (size_t)n);
	else if (!n || errno != EAGAIN)
		broken();
}

int main(int argc, char **argv)
{
	const char *name = strrchr(argv[0], '/');

	if (argc > 1) { /* the manners of every program in a build are not this one's */
		(void)fprintf(stderr, "%s: no such option\n", argv[0]);
		return 2;
	}
	deputy = !strcmp(name ? name + 1 : argv[0], "comosix-deputy");
	if (half_link_init(&control, HALF_FD_CONTROL) < 0)
		give_up("control");
	for (;;) {
		struct pollfd p[] = { { .fd = control.fd, .events = POLLIN },
				      { .fd = HALF_FD_LISTEN, .events = POLLIN },
				      { .fd = start ? stream : -1, .events = POLLIN } };

		if (poll(p, 3, -1) < 0 && errno != EINTR)
			give_up("poll");
		if (p[0].revents)
			on_control();
		if (p[1].revents)
			on_listen();
		if (start && stream >= 0 && p[2].revents)
			on_stream();
	}
}
