/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * database.c - a database as the genuine BLAST+ finds it: its volumes, their files, their totals
 *
 * Where a name leads is BLAST+'s affair (working directory, $BLASTDB, .ncbirc), so its own
 * blastdb_path is asked. What is not one plain database, or several volumes side by side that one
 * alias file puts together, is not split.
 */
#include "blast/run/database.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "blast/core/alias.h"
#include "blast/run/engine.h"
#include "os/fd.h"
#include "os/file.h"
#include "wire/blast_msg.h"

#define PATHS_MAX (1u << 20) /* bytes that blastdb_path may print */

/* what a worker needs of a volume, after its p or n; an error when a wanted one is missing */
static const struct {
	const char *suffix;
	bool wanted;
} suffixes[] = {
	{ "in", true },
	{ "sq", true },
	{ "hr", true },
	/* of version 5; beside the volumes under the name of the whole */
	{ "db", false },
	{ "ot", false },
	{ "tf", false },
	{ "to", false },
};

extern char **environ;

static int ask_blast(const char *name, const char *db_type, const char *more, char *to, size_t size,
		     struct err *e)
{
	const char *words[] = { "-db", name, "-dbtype", db_type, more, NULL };
	char program[PATH_MAX];
	struct engine_run run = { NULL,		 program, words,
				  NULL,		 false,	  (const char *const *)environ,
				  { -1, -1, -1 } };
	int p[2], status = 0, r = engine_find("blastdb_path", program, sizeof(program), e);
	size_t n = 0;
	ssize_t got;
	pid_t pid;

	if (r < 0)
		return r;
	if (pipe2(p, O_CLOEXEC) < 0)
		return err_set(e, -errno, "pipe: %s", strerror(errno));
	AUTO_CLOSE int from = p[0];
	AUTO_CLOSE int out = p[1];

	run.fds[1] = out;
	r = engine_start(&run, &pid, e);
	if (r < 0)
		return r;
	fd_close(&out);
	while (n + 1 < size && ((got = read(from, to + n, size - 1 - n)) > 0 || errno == EINTR))
		n += got > 0 ? (size_t)got : 0;
	fd_close(&from);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	to[n] = '\0';
	to[strcspn(to, "\n")] = '\0';
	if (status || !*to)
		return err_set(e, -ENOENT, "BLAST+ finds no database '%s'", name);
	return 0;
}

static int add_file(struct database *d, const char *path, struct err *e)
{
	struct database_file *f;
	struct stat st;
	const char *name = strrchr(path, '/');
	int r;

	for (size_t i = 0; i < d->n_files; i++)
		if (!strcmp(d->files[i].path, path))
			return 0; /* an alias file may have the name of a volume */
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_set(e, -errno, "open '%s': %s", path, strerror(errno));
	name = name ? name + 1 : path;
	if (!blast_msg_name_ok(name) || d->n_files == BLAST_FILES_MAX)
		return err_set(e, -ENOTSUP, "a file of the database has the unusual name '%s'",
			       name);
	f = realloc(d->files, (d->n_files + 1) * sizeof(*f));
	if (!f)
		return err_set(e, -ENOMEM, "out of memory");
	d->files = f;
	f += d->n_files;
	(void)snprintf(f->path, sizeof(f->path), "%s", path);
	f->size = (uint64_t)st.st_size;
	f->changed_ns = st.st_mtim.tv_sec * 1000000000LL + st.st_mtim.tv_nsec;
	r = digest_file(fd, f->sha256);
	if (r < 0)
		return err_set(e, r, "read '%s': %s", path, strerror(-r));
	d->bytes += f->size;
	d->n_files++;
	return 0;
}

/* all files that belong to a path without extension */
static int add_files(struct database *d, const char *base, char type, bool volume, struct err *e)
{
	char path[PATH_MAX];
	int r = 0;

	for (size_t i = 0; !r && i < ARRAY_LEN(suffixes); i++) {
		int n = snprintf(path, sizeof(path), "%s.%c%s", base, type, suffixes[i].suffix);

		if (n < 0 || (size_t)n >= sizeof(path))
			return err_set(e, -ENAMETOOLONG, "the path of the database is too long");
		if (suffixes[i].wanted ? !volume : access(path, R_OK) != 0)
			continue;
		r = add_file(d, path, e);
	}
	return r;
}

static int read_index(const char *base, char type, struct dbindex *ret, struct err *e)
{
	AUTO_FREE uint8_t *head = malloc(DBINDEX_HEAD_MAX);
	char path[PATH_MAX];
	ssize_t n;

	(void)snprintf(path, sizeof(path), "%s.%cin", base, type);
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (!head || fd < 0)
		return err_set(e, -errno, "open '%s': %s", path, strerror(errno));
	n = read(fd, head, DBINDEX_HEAD_MAX);
	if (n < 0)
		return err_set(e, -errno, "read '%s': %s", path, strerror(errno));
	return dbindex_parse(head, (size_t)n, ret, e);
}

static int add_volume(struct database *d, const char *base, char type, struct err *e)
{
	AUTO_FREE struct dbindex *x = malloc(sizeof(*x));
	const char *slash = strrchr(base, '/'), *name = slash ? slash + 1 : base;
	char **v = realloc(d->volumes, (d->n_volumes + 1) * sizeof(*v));
	int r;

	if (v)
		d->volumes = v;
	if (!x || !v)
		return err_set(e, -ENOMEM, "out of memory");
	for (size_t i = 0; i < d->n_volumes; i++)
		if (strcmp(d->volumes[i], name) >= 0)
			return err_set(e, -ENOTSUP,
				       "its volumes are not in the order of their names");
	r = read_index(base, type, x, e);
	if (r < 0)
		return r;
	if (x->n_seqs > INT32_MAX - d->n_seqs)
		return err_set(e, -ENOTSUP, "it has more than 2^31 sequences");
	d->volumes[d->n_volumes] = strdup(name);
	if (!d->volumes[d->n_volumes++])
		return err_set(e, -ENOMEM, "out of memory");
	d->n_seqs += x->n_seqs;
	d->letters += x->letters;
	if (d->n_volumes == 1)
		(void)snprintf(d->title, sizeof(d->title), "%s", x->title);
	return add_files(d, base, type, true, e);
}

/* paths is "DIR/v.00.pin DIR/v.00.psq ..."; each .pin is a volume */
static int add_volumes(struct database *d, char *paths, char type, struct err *e)
{
	char *word, *rest = paths;
	char end[8], dir[PATH_MAX] = "";
	int r = 0;

	(void)snprintf(end, sizeof(end), ".%cin", type);
	while (!r && (word = strsep(&rest, " "))) {
		size_t n = strlen(word);
		char *slash = strrchr(word, '/');

		if (n < 5 || strcmp(word + n - 4, end) != 0 || !slash || n >= PATH_MAX)
			continue;
		word[n - 4] = '\0';
		if (*dir &&
		    ((size_t)(slash - word) != strlen(dir) || memcmp(dir, word, strlen(dir)) != 0))
			return err_set(e, -ENOTSUP, "its volumes are in several directories");
		(void)snprintf(dir, sizeof(dir), "%.*s", (int)(slash - word), word);
		r = add_volume(d, word, type, e);
	}
	if (!r && !d->n_volumes)
		return err_set(e, -ENOTSUP, "BLAST+ names no volume of it");
	return r;
}

/* an alias file may only put volumes together */
static int check_alias(struct database *d, const char *base, char type, struct err *e)
{
	struct alias a;
	char path[PATH_MAX];
	struct buf text;
	int r;

	(void)snprintf(path, sizeof(path), "%s.%cal", base, type);
	if (access(path, F_OK) != 0)
		return 0;
	buf_init(&text, PATHS_MAX);
	r = file_read(path, &text, e);
	if (!r)
		r = alias_parse(buf_bytes(&text), text.len, &a, e);
	buf_done(&text);
	if (r < 0)
		return r;
	if (a.n_members != d->n_volumes || (a.n_seqs && a.n_seqs != d->n_seqs) ||
	    (a.letters && a.letters != d->letters))
		r = err_set(e, -ENOTSUP, "its alias file is not a plain list of volumes");
	else if (a.title)
		(void)snprintf(d->title, sizeof(d->title), "%s", a.title);
	alias_done(&a);
	/* version 5 keeps some files once, under the name of the whole */
	return r < 0 ? r : add_files(d, base, type, false, e);
}

int database_open(const char *name, const char *db_type, struct database *ret, struct err *e)
{
	AUTO_FREE char *paths = malloc(PATHS_MAX);
	struct database d = { 0 };
	char base[PATH_MAX], type = db_type[0];
	int r;

	if (!paths)
		return err_set(e, -ENOMEM, "out of memory");
	if (strchr(name, ' ') || strchr(name, '"'))
		return err_set(e, -ENOTSUP, "it is several databases at once");
	r = ask_blast(name, db_type, NULL, base, sizeof(base), e);
	if (!r)
		r = ask_blast(name, db_type, "-getvolumespath", paths, PATHS_MAX, e);
	if (!r)
		r = add_volumes(&d, paths, type, e);
	if (!r)
		r = check_alias(&d, base, type, e);
	for (char *c = d.title; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 127)
			*c = ' '; /* workers print no report; it only has to be one line */
	if (r < 0) {
		database_done(&d);
		return r;
	}
	*ret = d;
	return 0;
}

void database_done(struct database *d)
{
	for (size_t i = 0; i < d->n_volumes; i++)
		free(d->volumes[i]);
	free(d->volumes);
	free(d->files);
	*d = (struct database){ 0 };
}

const char *database_file_name(const struct database_file *f)
{
	return strrchr(f->path, '/') + 1; /* BLAST+ gives absolute paths; add_volumes() checks */
}

int database_link(const struct database *d, const char *dir, struct err *e)
{
	char to[PATH_MAX];

	if (mkdir(dir, 0700) < 0)
		return err_set(e, -errno, "make '%s': %s", dir, strerror(errno));
	for (size_t i = 0; i < d->n_files; i++) {
		int n = snprintf(to, sizeof(to), "%s/%s", dir, database_file_name(&d->files[i]));

		if (n < 0 || (size_t)n >= sizeof(to))
			return err_set(e, -ENAMETOOLONG, "the name of '%s' is too long", dir);
		if (symlink(d->files[i].path, to) < 0)
			return err_set(e, -errno, "link '%s': %s", to, strerror(errno));
	}
	return 0;
}

bool database_same(const struct database *d)
{
	struct stat st;

	for (size_t i = 0; i < d->n_files; i++)
		if (stat(d->files[i].path, &st) < 0 || (uint64_t)st.st_size != d->files[i].size ||
		    st.st_mtim.tv_sec * 1000000000LL + st.st_mtim.tv_nsec != d->files[i].changed_ns)
			return false;
	return true;
}
