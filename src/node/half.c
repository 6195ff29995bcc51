/* SPDX-License-Identifier: GPL-2.0-or-later */
/* half.c - start, find again and speak with one half of a moved process */
#include "node/half.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "config.h"
#include "log/log.h"
#include "loop/loop.h"
#include "node/node.h"
#include "os/fd.h"
#include "os/file.h"
#include "os/sock.h"
#include "os/spawn.h"
#include "wire/message.h"

#define LAST_WORDS 200 /* bytes of its log that are told when it died */

struct half {
	struct node *node;
	bool guest;
	uint8_t id[HALF_ID_LEN];
	struct half_link link;
	struct ev_ref ev, child;
	pid_t pid; /* a child of ours, not yet reaped; 0: another daemon's, or reaped */
	int wait_status;
	const struct half_ops *ops;
	void *owner;
	Cmx__HalfEnd *end;
	bool closed; /* its control socket has ended */
	bool reaped;
};

static const char *side_name(bool guest)
{
	return guest ? HALF_GUEST : HALF_DEPUTY;
}

/* RUN/moves/deputy-ID and an ending; too long is found by the calls that use it */
static void path_of(const struct node *n, bool guest, const uint8_t *id, const char *ending,
		    char *ret, size_t len)
{
	char text[HALF_ID_TEXT];

	half_id_text(id, text);
	(void)snprintf(ret, len, "%s/moves/%s-%s.%s", n->set.run, side_name(guest), text, ending);
}

static void forget_files(const struct half *h)
{
	char path[PATH_MAX];

	path_of(h->node, h->guest, h->id, "sock", path, sizeof(path));
	(void)unlink(path); /* what is left over is found and removed at our next start */
	path_of(h->node, h->guest, h->id, "log", path, sizeof(path));
	(void)unlink(path); /* the same */
}

static void destroy(struct half *h)
{
	loop_remove(h->node->loop, &h->ev);
	loop_remove(h->node->loop, &h->child);
	half_link_done(&h->link);
	if (h->end)
		protobuf_c_message_free_unpacked(&h->end->base, NULL);
	free(h);
}

void half_free(struct half *h)
{
	if (h)
		destroy(h);
}

pid_t half_pid(const struct half *h)
{
	return h->pid;
}

void half_forgo(struct half *h)
{
	/* fails only when it has gone by itself, which is what is wanted */
	(void)shutdown(h->link.fd, SHUT_WR);
}

/* ---- the end ---- */

/* the end of what it wrote to its log, without line ends */
static void last_words(const struct half *h, char *ret, size_t len)
{
	char path[PATH_MAX], raw[LAST_WORDS];
	struct stat st;
	ssize_t n = 0;

	path_of(h->node, h->guest, h->id, "log", path, sizeof(path));
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd >= 0 && !fstat(fd, &st)) {
		off_t from = st.st_size > (off_t)sizeof(raw) ? st.st_size - (off_t)sizeof(raw) : 0;

		n = pread(fd, raw, sizeof(raw) - 1, from);
	}
	n = n > 0 ? n : 0;
	while (n && raw[n - 1] == '\n')
		n--;
	raw[n] = '\0';
	(void)log_quote(raw, ret, len);
}

static void over(struct half *h)
{
	const struct half_ops *ops = h->ops;
	void *owner = h->owner;
	Cmx__HalfEnd *end = h->end;
	char words[2 * LAST_WORDS], why[ERR_TEXT_MAX];

	last_words(h, words, sizeof(words));
	if (h->reaped && WIFSIGNALED(h->wait_status))
		(void)snprintf(why, sizeof(why), "the %s was killed by signal %d; it wrote %s",
			       side_name(h->guest), WTERMSIG(h->wait_status), words);
	else
		(void)snprintf(why, sizeof(why), "the %s ended without a word; it wrote %s",
			       side_name(h->guest), words);
	forget_files(h);
	h->end = NULL;
	destroy(h);
	ops->over(owner, end, why);
	if (end)
		protobuf_c_message_free_unpacked(&end->base, NULL);
}

/* ---- what it says ---- */

/* takes what it needs out of m */
static void hear(struct half *h, Cmx__Half *m)
{
	switch (m->body_case) {
	case CMX__HALF__BODY_STATE:
		h->ops->said(h->owner, m->state);
		return;
	case CMX__HALF__BODY_END:
		if (h->end)
			protobuf_c_message_free_unpacked(&h->end->base, NULL);
		h->end = m->end;
		m->end = NULL;
		m->body_case = CMX__HALF__BODY__NOT_SET;
		return;
	case CMX__HALF__BODY_WANT_TRANSPORT:
		h->ops->wants_transport(h->owner);
		return;
	case CMX__HALF__BODY_START:
	case CMX__HALF__BODY_HOME:
	case CMX__HALF__BODY_TRANSPORT:
	case CMX__HALF__BODY_DROP:
	case CMX__HALF__BODY__NOT_SET:
	case _CMX__HALF__BODY__CASE_IS_INT_SIZE:
		break;
	}
	log_warn("a %s said what is not its to say; ignored", side_name(h->guest));
}

static void listen_to(struct half *h)
{
	struct err e;
	int r;

	while ((r = half_link_fill(&h->link, &e)) == 1) {
		Cmx__Half *m;

		while ((r = half_link_take(&h->link, &m, &e)) == 1) {
			hear(h, m);
			message_free(&m);
		}
		if (r < 0)
			break;
	}
	if (r == 0)
		return;
	if (r != -EPIPE)
		log_warn("a %s: %s", side_name(h->guest), e.text);
	h->closed = true;
	loop_remove(h->node->loop, &h->ev);
}

static void on_control(void *owner, uint32_t events)
{
	struct half *h = owner;

	listen_to(h);
	if (h->closed && !h->pid)
		over(h);
}

static void on_child(void *owner, pid_t pid, int wait_status)
{
	struct half *h = owner;

	h->child = (struct ev_ref){ 0 };
	h->pid = 0;
	h->wait_status = wait_status;
	h->reaped = true;
	if (!h->closed)
		listen_to(h); /* its last words */
	over(h);
}

/* ---- what we say ---- */

static int say(struct half *h, Cmx__Half *m, int fd, struct err *e)
{
	if (h->closed)
		return err_set(e, -EPIPE, "the %s is gone", side_name(h->guest));
	return half_link_send(&h->link, m, fd, e);
}

int half_begin(struct half *h, const Cmx__HalfStart *start, struct err *e)
{
	Cmx__Half m = CMX__HALF__INIT;

	m.body_case = CMX__HALF__BODY_START;
	m.start = (Cmx__HalfStart *)start; /* only read */
	return say(h, &m, -1, e);
}

int half_home(struct half *h, struct err *e)
{
	Cmx__HalfHome home = CMX__HALF_HOME__INIT;
	Cmx__Half m = CMX__HALF__INIT;

	m.body_case = CMX__HALF__BODY_HOME;
	m.home = &home;
	return say(h, &m, -1, e);
}

int half_transport(struct half *h, const uint8_t *key, int fd, struct err *e)
{
	Cmx__HalfTransport t = CMX__HALF_TRANSPORT__INIT;
	Cmx__Half m = CMX__HALF__INIT;

	t.key = (ProtobufCBinaryData){ .data = (uint8_t *)key, .len = HALF_KEY_LEN };
	m.body_case = CMX__HALF__BODY_TRANSPORT;
	m.transport = &t;
	return say(h, &m, fd, e);
}

int half_drop(struct half *h, const char *text, struct err *e)
{
	Cmx__HalfDrop d = CMX__HALF_DROP__INIT;
	Cmx__Half m = CMX__HALF__INIT;

	d.text = (char *)text;
	m.body_case = CMX__HALF__BODY_DROP;
	m.drop = &d;
	return say(h, &m, -1, e);
}

/* ---- the beginning ---- */

static struct half *make(struct node *n, bool guest, const uint8_t *id, const struct half_ops *ops,
			 void *owner)
{
	struct half *h = calloc(1, sizeof(*h));

	if (!h)
		return NULL;
	h->node = n;
	h->guest = guest;
	memcpy(h->id, id, HALF_ID_LEN);
	h->ops = ops;
	h->owner = owner;
	h->link.fd = h->link.passed = -1;
	return h;
}

/* the link owns fd from here on, whatever happens */
static int speak_through(struct half *h, int fd, struct err *e)
{
	int r = half_link_init(&h->link, fd);

	if (!r)
		r = loop_add_fd(h->node->loop, fd, EPOLLIN, on_control, h, &h->ev);
	return r < 0 ? err_set(e, r, "watch a %s: %s", side_name(h->guest), strerror(-r)) : 0;
}

static int find_program(const struct node *n, const char *name, char *ret, size_t len,
			struct err *e)
{
	if (!n->set.halves)
		return spawn_find(name, COMOSIX_LIBEXECDIR, ret, len, e);
	(void)snprintf(ret, len, "%s/%s", n->set.halves, name);
	return 0;
}

static int spawn(struct half *h, const struct half_spec *spec, int control, struct err *e)
{
	const char *name = spec->guest ? "comosix-guest" : "comosix-deputy";
	const char *const argv[] = { name, NULL };
	char program[PATH_MAX], path[PATH_MAX];
	AUTO_CLOSE int words = -1, door = -1;
	int r = find_program(h->node, name, program, sizeof(program), e);

	if (r < 0)
		return r;
	path_of(h->node, h->guest, h->id, "log", path, sizeof(path));
	words = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (words < 0)
		return err_set(e, -errno, "open '%s': %s", path, strerror(errno));
	path_of(h->node, h->guest, h->id, "sock", path, sizeof(path));
	r = sock_unix_listen(path, 0600, &door, e);
	if (r < 0)
		return r;

	const int more[] = { spec->stream, control, door };
	const struct spawn s = {
		.path = program,
		.argv = argv,
		.fds = { -1, -1, words },
		.more_fds = more,
		.n_more_fds = ARRAY_LEN(more),
		.own_session = true,
	};

	return spawn_program(&s, &h->pid, e);
}

int half_new(struct node *n, const struct half_spec *spec, const struct half_ops *ops, void *owner,
	     struct half **ret, struct err *e)
{
	int fds[2], r;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
		return err_set(e, -errno, "socketpair: %s", strerror(errno));
	AUTO_CLOSE int ours = fds[0], theirs = fds[1];
	struct half *h = make(n, spec->guest, spec->id, ops, owner);

	if (!h)
		return err_set(e, -ENOMEM, "out of memory");
	r = spawn(h, spec, theirs, e);
	if (!r)
		r = speak_through(h, fd_take(&ours), e);
	if (!r) {
		r = loop_add_child(n->loop, h->pid, on_child, h, &h->child);
		if (r < 0)
			(void)err_set(e, r, "watch the program: %s", strerror(-r));
	}
	if (r < 0) {
		forget_files(h);
		destroy(h); /* it sees its control socket end before Start, and ends */
		return r;
	}
	*ret = h;
	return 0;
}

int half_adopt(struct node *n, bool guest, const uint8_t *id, const struct half_ops *ops,
	       void *owner, struct half **ret, struct err *e)
{
	struct half *h = make(n, guest, id, ops, owner);
	char path[PATH_MAX];
	int fd = -1, r;

	if (!h)
		return err_set(e, -ENOMEM, "out of memory");
	path_of(n, guest, id, "sock", path, sizeof(path));
	r = sock_unix_connect(path, &fd, e);
	if (r == -ECONNREFUSED)
		forget_files(h);
	if (!r)
		r = speak_through(h, fd, e);
	if (r < 0) {
		destroy(h);
		return r;
	}
	*ret = h;
	return 0;
}

static void on_tidied(void *owner, pid_t pid, int wait_status)
{
	if (wait_status) /* its reason is in our log */
		log_warn("what a dead deputy has left in its process stays there, unused");
}

void half_tidy(struct node *n, pid_t pid)
{
	char program[PATH_MAX], number[16];
	const char *const argv[] = { "comosix-deputy", "--tidy", number, NULL };
	const struct spawn s = {
		.path = program,
		.argv = argv,
		.fds = { -1, -1, STDERR_FILENO },
		.own_session = true,
	};
	struct ev_ref ref;
	struct err e;
	pid_t child;
	int r = find_program(n, argv[0], program, sizeof(program), &e);

	(void)snprintf(number, sizeof(number), "%d", (int)pid);
	if (!r)
		r = spawn_program(&s, &child, &e);
	if (!r && loop_add_child(n->loop, child, on_tidied, NULL, &ref) < 0)
		r = err_set(&e, -ENOMEM, "out of memory");
	if (r < 0)
		log_warn("tidy up process %d: %s", (int)pid, e.text);
}

/* "deputy-ID.sock" */
static bool parse_name(const char *name, bool *ret_guest, uint8_t *ret_id)
{
	static const char *const sides[] = { HALF_DEPUTY "-", HALF_GUEST "-" };
	char text[HALF_ID_TEXT];

	for (size_t i = 0; i < ARRAY_LEN(sides); i++) {
		size_t n = strlen(sides[i]);

		if (strncmp(name, sides[i], n) != 0 || strlen(name) != n + HALF_ID_TEXT - 1 + 5 ||
		    strcmp(name + n + HALF_ID_TEXT - 1, ".sock") != 0)
			continue;
		memcpy(text, name + n, HALF_ID_TEXT - 1);
		text[HALF_ID_TEXT - 1] = '\0';
		*ret_guest = i == 1;
		return half_id_parse(text, ret_id) == 0;
	}
	return false;
}

int half_scan(const char *run, void (*fn)(void *owner, bool guest, const uint8_t *id), void *owner,
	      struct err *e)
{
	char path[PATH_MAX];
	struct dirent *d;
	DIR *dir;
	int r;

	(void)snprintf(path, sizeof(path), "%s/moves", run);
	r = dir_make(run, 0755, e); /* commands come through it */
	if (!r)
		r = dir_make(path, 0700, e);
	if (r < 0)
		return r;
	dir = opendir(path);
	if (!dir)
		return err_set(e, -errno, "open '%s': %s", path, strerror(errno));
	while ((d = readdir(dir))) {
		uint8_t id[HALF_ID_LEN];
		bool guest;

		if (parse_name(d->d_name, &guest, id))
			fn(owner, guest, id);
	}
	(void)closedir(dir); /* was only read */
	return 0;
}
