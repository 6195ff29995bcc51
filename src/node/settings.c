/* SPDX-License-Identifier: GPL-2.0-or-later */
/* settings.c - how one comosixd is to run: command line over configuration file over defaults */
#include "node/settings.h"

#include <errno.h>
#include <ini.h>
#include <stddef.h>

#include "base/opt.h"
#include "base/parse.h"
#include "config.h"
#include "node/streams.h"

#define OPT(field, long_name, short_letter, what, value, text)                                     \
	{                                                                                          \
		.name = long_name, .letter = short_letter, .type = what,                           \
		.offset = offsetof(struct settings, field), .arg = value, .help = text             \
	}

static const struct opt_spec specs[] = {
	OPT(state, "state", 0, OPT_STRING, "DIR",
	    "key, certificate and peers [" STATE_DIR_DEFAULT "]"),
	OPT(run, "run", 0, OPT_STRING, "DIR", "socket for commands [" RUN_DIR_DEFAULT "]"),
	OPT(cache, "cache", 0, OPT_STRING, "DIR", "volumes of databases [" CACHE_DIR_DEFAULT "]"),
	OPT(config, "config", 0, OPT_STRING, "FILE", "settings [" CONFIG_FILE_DEFAULT "]"),
	OPT(listen, "listen", 0, OPT_STRING, "ADDR:PORT", "TCP and UDP [" LISTEN_DEFAULT "]"),
	OPT(advertise, "advertise", 0, OPT_STRING, "ADDR:PORT",
	    "where others reach this node, when that is another address"),
	OPT(relayed, "relayed", 0, OPT_FLAG, NULL,
	    "this node has outgoing connections only; servers relay for it"),
	OPT(tasks, "tasks", 0, OPT_U32, "N", "boxed tasks at a time [CPUs + 1]"),
	OPT(task_uid_base, "task-uid-base", 0, OPT_U32, "UID",
	    "first of 256 user ids for boxed tasks [64200]"),
	OPT(task_memory, "task-memory", 0, OPT_SIZE, "SIZE", "most memory of one task [no limit]"),
	OPT(cache_bytes, "cache-size", 0, OPT_SIZE, "SIZE", "most the cache may hold [20G]"),
	OPT(guests_max, "guests-max", 0, OPT_U32, "N",
	    "moved processes of other nodes at a time [8 for each CPU]"),
	OPT(trust_desktops, "trust-desktops", 0, OPT_STRING, "jobs|full",
	    "what may be moved to a desktop: jobs of mosrun, or any process [jobs]"),
	OPT(halves, "halves", 0, OPT_STRING, "DIR",
	    "where comosix-deputy and comosix-guest are [with our other programs]"),
	OPT(connections, "connections", 0, OPT_U32, "N", "from other nodes at a time [1024]"),
	OPT(connections_per_address, "connections-per-address", 0, OPT_U32, "N",
	    "from one address at a time [256]"),
	OPT(streams_per_user, "streams-per-user", 0, OPT_U32, "N",
	    "commands and tasks of one user at a time [2048]"),
	OPT(verbose, "verbose", 'v', OPT_FLAG, NULL, "log more"),
	OPT(version, "version", 0, OPT_FLAG, NULL, "print the version"),
};

static const struct opt_command command = {
	.name = "comosixd",
	.summary = "node daemon of CoMosix: membership, load, streams and tasks; stays in the "
		   "foreground",
	.examples = "  comosixd --advertise 10.1.2.3:4660\n"
		    "  comosixd --state /tmp/n1 --run /tmp/n1/run --listen 127.0.0.1:4711\n",
	.specs = specs,
	.n_specs = ARRAY_LEN(specs),
};

static const struct settings defaults = {
	.state = STATE_DIR_DEFAULT,
	.run = RUN_DIR_DEFAULT,
	.cache = CACHE_DIR_DEFAULT,
	.config = CONFIG_FILE_DEFAULT,
	.listen = LISTEN_DEFAULT,
	.cache_bytes = 20ULL << 30,
	.trust_desktops = "jobs",
	.connections = 1024,
	.connections_per_address = 256,
	.streams_per_user = STREAMS_MAX / 2,
};

/* ---- the file ---- */

/* strings of the file, by option; until it is read again */
static char *kept[ARRAY_LEN(specs)];

struct reading {
	struct settings *to;
	struct err *e;
};

static int set_flag(const char *value, bool *ret)
{
	static const char *const yes[] = { "yes", "true", "on", "1" };
	static const char *const no[] = { "no", "false", "off", "0" };

	for (size_t i = 0; i < ARRAY_LEN(yes); i++) {
		if (strcmp(value, yes[i]) && strcmp(value, no[i]))
			continue;
		*ret = !strcmp(value, yes[i]);
		return 0;
	}
	return -EINVAL;
}

static int set_value(const struct opt_spec *s, const char *value, void *field)
{
	switch (s->type) {
	case OPT_FLAG:
		return set_flag(value, field);
	case OPT_STRING:
		free(kept[s - specs]);
		kept[s - specs] = strdup(value);
		*(const char **)field = kept[s - specs];
		return kept[s - specs] ? 0 : -ENOMEM;
	case OPT_U32:
		return parse_u32(value, field);
	case OPT_DOUBLE:
		return parse_double(value, field);
	case OPT_SIZE:
		return parse_size(value, field);
	case OPT_DURATION:
		return parse_duration(value, field);
	}
	return -EINVAL;
}

/* what the options of a section begin with; NULL: the section is not ours */
static const char *prefix_of(const char *section)
{
	static const struct {
		const char *section, *prefix;
	} rows[] = {
		{ "comosixd", "" },
		{ "guests", "guests-" },
		{ "trust", "trust-" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (!strcmp(section, rows[i].section))
			return rows[i].prefix;
	return NULL;
}

/* 1 goes on, 0 is an error (inih's way) */
static int on_line(void *user, const char *section, const char *key, const char *value)
{
	struct reading *r = user;
	const char *prefix = prefix_of(section);

	if (!prefix)
		return 1; /* other programs' */
	for (size_t i = 0; i < ARRAY_LEN(specs); i++) {
		size_t n = strlen(prefix);

		if (strncmp(specs[i].name, prefix, n) != 0 || strcmp(key, specs[i].name + n) != 0 ||
		    !strcmp(key, "config"))
			continue;
		if (set_value(&specs[i], value, (char *)r->to + specs[i].offset) < 0) {
			(void)err_set(r->e, -EINVAL, "'%s = %s' makes no sense", key, value);
			return 0;
		}
		return 1;
	}
	(void)err_set(r->e, -EINVAL, "no setting '%s'", key);
	return 0;
}

static int read_file(const char *path, bool asked_for, struct settings *to, struct err *e)
{
	struct reading r = { .to = to, .e = e };
	FILE *f = fopen(path, "re");
	int line;

	if (!f && errno == ENOENT && !asked_for)
		return 0;
	if (!f)
		return err_set(e, -errno, "open '%s': %s", path, strerror(errno));
	line = ini_parse_file(f, on_line, &r);
	(void)fclose(f); /* was only read */
	if (line > 0) {
		if (!e->text[0])
			(void)err_set(e, -EINVAL, "not 'key = value'");
		return err_prefix(e, "%s line %d", path, line);
	}
	return line < 0 ? err_set(e, -EIO, "read '%s' failed", path) : 0;
}

int settings_read(int argc, char **argv, struct settings *ret, struct err *e)
{
	struct settings s = defaults, line = defaults;
	struct buf help;
	int first, r;

	e->text[0] = '\0';
	/* the command line is read twice: for the file's name, and over what the file says */
	r = opt_parse(&command, argc, argv, &line, &first, e);
	if (r == -ECANCELED) {
		buf_init(&help, 65536);
		if (opt_help(&command, &help) == 0)
			(void)fputs(buf_text(&help), stdout);
		buf_done(&help);
	}
	if (r < 0)
		return r;
	if (line.version) {
		(void)printf("comosixd %s\n", COMOSIX_VERSION);
		return -ECANCELED;
	}
	if (first < argc)
		return err_set(e, -EINVAL, "'%s' is no option; see --help", argv[first]);
	r = read_file(line.config, line.config != defaults.config, &s, e);
	if (!r)
		r = opt_parse(&command, argc, argv, &s, &first, e);
	if (r < 0)
		return r;
	if (sock_addr_parse(s.listen, &s.listen_addr) < 0)
		return err_set(e, -EINVAL, "--listen '%s' is no ADDR:PORT", s.listen);
	s.trust_desktops_full = !strcmp(s.trust_desktops, "full");
	if (!s.trust_desktops_full && strcmp(s.trust_desktops, "jobs") != 0)
		return err_set(e, -EINVAL, "--trust-desktops wants 'jobs' or 'full'");
	*ret = s;
	return 0;
}
