/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mps.c - processes, the node each one runs on, and what keeps one from moving
 *
 * The processes of this node are in its /proc, those that are away too (their stub has their pid);
 * which are away, and the guests, is what comosixd knows. Why one cannot move is found here, by the
 * looks that migrate takes before it stops a process (migrate/preflight.h).
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <jansson.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/grow.h"
#include "base/parse.h"
#include "classic/ask.h"
#include "classic/line.h"
#include "ctl/term.h"
#include "migrate/preflight.h"
#include "migrate/sharing.h"
#include "os/file.h"

#define TEXT_MAX 65536
#define OUT_MAX	 (64U << 20)

#define STAYS_WORD "stays" /* mosrun -l */

struct options {
	bool all, json, guests;
};

static const struct opt_spec specs[] = {
	{ "all", 'a', OPT_FLAG, offsetof(struct options, all), NULL,
	  "those of all users; without it, yours" },
	{ "guests", 'g', OPT_FLAG, offsetof(struct options, guests), NULL,
	  "the guests of other nodes that run here, instead (root)" },
	{ "json", 0, OPT_FLAG, offsetof(struct options, json), NULL, "print JSON" },
};

static const struct opt_command self = {
	.name = "mps",
	.summary = "list processes, the node each runs on, and what keeps one from moving",
	.examples = "  mps               yours\n"
		    "  mps -a            those of all users\n"
		    "  mps --json | jq '.processes[] | select(.node != .home)'\n",
	.specs = specs,
	.n_specs = ARRAY_LEN(specs),
};

struct row {
	pid_t pid;
	uid_t uid;
	char user[64], home[ASK_NODE_MAX], node[ASK_NODE_MAX], command[64];
	const char *state;
	bool job, stays, looked; /* looked: cannot is known */
	uint64_t cannot;
};

struct list {
	struct row *rows; /* owned */
	size_t n, room;
	struct ask_move *moves; /* owned */
	size_t n_moves;
	struct sharing sharing;
	char self[ASK_NODE_MAX];
};

static struct row *add_row(struct list *l)
{
	struct row *more = grow(l->rows, l->n, &l->room, 256, sizeof(*more));

	if (!more)
		return NULL;
	l->rows = more;
	memset(&l->rows[l->n], 0, sizeof(l->rows[0]));
	return &l->rows[l->n++];
}

static void user_name(uid_t uid, char *to, size_t len)
{
	static uid_t last = (uid_t)-1;
	static char name[64];
	const struct passwd *p;

	if (uid != last) {
		p = getpwuid(uid);
		if (p)
			(void)snprintf(name, sizeof(name), "%s", p->pw_name);
		else
			(void)snprintf(name, sizeof(name), "%u", (unsigned int)uid);
		last = uid;
	}
	(void)snprintf(to, len, "%s", name);
}

/* "123 (a name) S ..." of proc(5): the name may hold anything, so its end is the last bracket */
static int read_stat(pid_t pid, char *ret_command, size_t len, char *ret_state)
{
	char path[64];
	struct buf b;
	const char *open, *close;
	int r;

	buf_init(&b, TEXT_MAX);
	(void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	r = file_read(path, &b, NULL);
	open = r ? NULL : strchr(buf_text(&b), '(');
	close = open ? strrchr(open, ')') : NULL;
	if (!close || close[1] != ' ' || !close[2]) {
		buf_done(&b);
		return -ESRCH;
	}
	(void)snprintf(ret_command, len, "%.*s", (int)(close - open - 1), open + 1);
	*ret_state = close[2];
	buf_done(&b);
	return 0;
}

static const char *state_name(char letter)
{
	static const struct {
		char letter;
		const char *name;
	} rows[] = {
		{ 'R', "running" }, { 'S', "sleeping" }, { 'D', "waiting" }, { 'T', "stopped" },
		{ 't', "traced" },  { 'Z', "ended" },	 { 'I', "idle" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].letter == letter)
			return rows[i].name;
	return "unknown";
}

static const struct ask_move *away(const struct list *l, pid_t pid)
{
	for (size_t i = 0; i < l->n_moves; i++)
		if (!l->moves[i].guest && l->moves[i].pid == pid)
			return &l->moves[i];
	return NULL;
}

/* by the names of its cgroups, which comosixd has made (node/process.h there) */
static void look_for_job(struct row *row)
{
	char path[64];
	struct buf b;

	buf_init(&b, TEXT_MAX);
	(void)snprintf(path, sizeof(path), "/proc/%d/cgroup", (int)row->pid);
	if (!file_read(path, &b, NULL) && buf_text(&b)) {
		row->stays = strstr(buf_text(&b), "/comosix-stay-") != NULL;
		row->job = row->stays || strstr(buf_text(&b), "/comosix-job-");
	}
	buf_done(&b);
}

/* one that ends meanwhile is no error */
static int look_at(struct list *l, pid_t pid, const struct options *o)
{
	const struct ask_move *m = away(l, pid);
	char path[32], command[64], letter;
	struct stat st;
	struct row *row;

	(void)snprintf(path, sizeof(path), "/proc/%d", (int)pid);
	if (stat(path, &st) < 0 || (!o->all && st.st_uid != geteuid()) ||
	    read_stat(pid, command, sizeof(command), &letter) < 0)
		return 0;
	row = add_row(l);
	if (!row)
		return -ENOMEM;
	row->pid = pid;
	row->uid = st.st_uid;
	user_name(st.st_uid, row->user, sizeof(row->user));
	(void)snprintf(row->command, sizeof(row->command), "%s", command);
	(void)snprintf(row->home, sizeof(row->home), "%s", l->self);
	(void)snprintf(row->node, sizeof(row->node), "%s", m && ask_is_away(m) ? m->node : l->self);
	row->state = m ? ask_state_name(m) : state_name(letter);
	look_for_job(row);
	if (m) /* it has moved; what its stub is like says nothing */
		row->looked = true;
	else
		row->looked = preflight(pid, &l->sharing, &row->cannot, NULL) == 0;
	if (row->job && row->cannot & PREFLIGHT_BIT(SECCOMP) && preflight_may_be_wall(pid))
		row->cannot &= ~PREFLIGHT_BIT(SECCOMP);
	if (!row->looked && preflight_quick(pid, &row->cannot, NULL) == -ESRCH)
		l->n--; /* it ended under our eyes */
	return 0;
}

static int look_at_all(struct list *l, const struct options *o, struct err *e)
{
	DIR *dir = opendir("/proc");
	struct dirent *d;
	int r = 0;

	if (!dir)
		return err_set(e, -errno, "open /proc: %s", strerror(errno));
	while (!r && (d = readdir(dir))) {
		uint32_t pid;

		if (isdigit((unsigned char)d->d_name[0]) && !parse_u32(d->d_name, &pid))
			r = look_at(l, (pid_t)pid, o);
	}
	(void)closedir(dir); /* was only read */
	return r < 0 ? err_set(e, r, "out of memory") : 0;
}

static int list_guests(struct list *l, struct err *e)
{
	for (size_t i = 0; i < l->n_moves; i++) {
		const struct ask_move *m = &l->moves[i];
		struct row *row = m->guest ? add_row(l) : NULL;

		if (!row && m->guest)
			return err_set(e, -ENOMEM, "out of memory");
		if (!row)
			continue;
		row->pid = m->pid;
		row->uid = m->uid;
		(void)snprintf(row->user, sizeof(row->user), "%s", m->user);
		(void)snprintf(row->home, sizeof(row->home), "%s", m->home);
		(void)snprintf(row->node, sizeof(row->node), "%s", m->node);
		(void)snprintf(row->command, sizeof(row->command), "%s", m->command);
		row->state = ask_state_name(m);
		row->job = m->job;
		row->looked = true;
	}
	return 0;
}

/* ---- printing ---- */

static json_t *cannot_json(const struct row *row)
{
	json_t *words = row->looked ? json_array() : json_null();

	for (int i = 0; row->looked && i < N_PREFLIGHT_REASONS; i++)
		if (row->cannot >> i & 1)
			(void)json_array_append_new(
				words, json_string(preflight_word((enum preflight_reason)i)));
	if (row->looked && row->stays)
		(void)json_array_append_new(words, json_string(STAYS_WORD));
	return words;
}

static json_t *row_json(struct row *row)
{
	json_t *command = json_string(term_clean(row->command));

	/* a name that is no UTF-8 */
	return json_pack("{s:I, s:s, s:s, s:s, s:s, s:o, s:o, s:b}", "pid", (json_int_t)row->pid,
			 "user", row->user, "home", row->home, "node", row->node, "state",
			 row->state, "cannot_move", cannot_json(row), "command",
			 command ? command : json_string("?"), "job", (int)row->job);
}

static int print_json(struct list *l)
{
	json_t *rows = json_array(), *all = json_pack("{s:o}", "processes", rows);
	int r;

	for (size_t i = 0; all && i < l->n; i++)
		(void)json_array_append_new(rows, row_json(&l->rows[i])); /* NULL: a row less */
	r = all ? json_dumpf(all, stdout, JSON_INDENT(2)) : -1;
	json_decref(all);
	return r || putchar('\n') == EOF;
}

static void cannot_text(const struct row *row, char *to, size_t len)
{
	struct buf b;

	buf_init(&b, TEXT_MAX);
	if (!row->looked)
		(void)snprintf(to, len, "?");
	else if (row->stays)
		(void)snprintf(to, len, STAYS_WORD);
	else if (!row->cannot || preflight_words(row->cannot, &b) < 0)
		(void)snprintf(to, len, "-");
	else
		(void)snprintf(to, len, "%s", buf_text(&b));
	buf_done(&b);
}

static int print_table(const struct list *l)
{
	struct term_table t;
	struct buf b;
	int r = term_table_init(&t, "-PID|USER|HOME|NODE|STATE|JOB|CANNOT MOVE|COMMAND");

	buf_init(&b, OUT_MAX);
	for (size_t i = 0; !r && i < l->n; i++) {
		const struct row *row = &l->rows[i];
		bool moved = strcmp(row->home, row->node) != 0;
		char cannot[TERM_CELL_MAX];

		cannot_text(row, cannot, sizeof(cannot));
		r = term_cell(&t, TERM_PLAIN, "%d", (int)row->pid);
		r |= term_cell(&t, TERM_PLAIN, "%s", row->user);
		r |= term_cell(&t, TERM_PLAIN, "%s", row->home);
		r |= term_cell(&t, moved ? TERM_GOOD : TERM_PLAIN, "%s", row->node);
		r |= term_cell(&t, TERM_PLAIN, "%s", row->state);
		r |= term_cell(&t, TERM_PLAIN, "%s", row->job ? "yes" : "no");
		r |= term_cell(&t, TERM_DIM, "%s", cannot);
		r |= term_cell(&t, TERM_PLAIN, "%s", row->command);
	}
	if (!r)
		r = term_table_put(&t, term_colors(), &b);
	if (!r)
		(void)fputs(buf_text(&b), stdout);
	buf_done(&b);
	term_table_done(&t);
	return r;
}

static int by_pid(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	return x->pid < y->pid ? -1 : x->pid > y->pid;
}

static int run(struct list *l, const struct options *o)
{
	struct err e = { 0 };
	int status = EXIT_ERROR, r = ask_self(l->self, &status, &e);

	if (!r)
		r = ask_moves(&l->moves, &l->n_moves, &status, &e);
	if (!r)
		r = o->guests ? list_guests(l, &e) : look_at_all(l, o, &e);
	if (r < 0)
		return line_complain(&self, status, "%s", e.text);
	if (l->n)
		qsort(l->rows, l->n, sizeof(l->rows[0]), by_pid);
	r = o->json ? print_json(l) : print_table(l);
	return r || fflush(stdout) ? EXIT_ERROR : EXIT_ALL_WELL;
}

int main(int argc, char **argv)
{
	struct options o = { 0 };
	struct list l = { 0 };
	int first, r = line_options(&self, argc, argv, &o, 0, 0, &first);

	if (r >= 0)
		return r;
	sharing_init(&l.sharing);
	r = run(&l, &o);
	sharing_done(&l.sharing);
	free(l.rows);
	free(l.moves);
	return r;
}
