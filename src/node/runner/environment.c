/* SPDX-License-Identifier: GPL-2.0-or-later */
/* environment.c - the environment a command starts with */
#include "node/runner/environment.h"

#include <assert.h>
#include <ctype.h>

#define OWN_MAX 9 /* set here, before the wishes */

#define PATH_USER "/usr/local/bin:/usr/bin:/bin:/usr/local/games:/usr/games"
#define PATH_ROOT "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* what a caller may set; a name that ends in '*' stands for all that begin so */
static const char *const may_pass[] = { "TERM", "LANG", "LANGUAGE", "LC_*", "TZ", "COMOSIX_*" };

/* they name files of the node that the caller sits at, or are set here */
static const char *const may_not[] = { "COMOSIX_SOCKET", "COMOSIX_OPERATOR", "COMOSIX_NODE" };

static bool name_is(const char *entry, size_t len, const char *pattern)
{
	size_t p = strlen(pattern);

	if (pattern[p - 1] == '*')
		return len >= p - 1 && !memcmp(entry, pattern, p - 1);
	return len == p && !memcmp(entry, pattern, p);
}

static bool name_is_sound(const char *entry, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!isalnum((unsigned char)entry[i]) && entry[i] != '_')
			return false;
	return len > 0 && !isdigit((unsigned char)entry[0]);
}

bool environment_may_pass(const char *entry)
{
	size_t len = strcspn(entry, "=");

	if (!entry[len] || !name_is_sound(entry, len) || strlen(entry) > ENVIRONMENT_ENTRY_MAX)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(may_not); i++)
		if (name_is(entry, len, may_not[i]))
			return false;
	for (size_t i = 0; i < ARRAY_LEN(may_pass); i++)
		if (name_is(entry, len, may_pass[i]))
			return true;
	return false;
}

/* an entry of the same name is replaced; @env has room */
static bool put(char **env, size_t *n, const char *name, size_t len, const char *value)
{
	char *entry = NULL;
	size_t at = 0;

	if (asprintf(&entry, "%.*s=%s", (int)len, name, value) < 0)
		return false;
	while (at < *n && !(strcspn(env[at], "=") == len && !memcmp(env[at], name, len)))
		at++;
	if (at == *n)
		(*n)++;
	else
		free(env[at]);
	env[at] = entry;
	return true;
}

char **environment_new(const struct user *u, const char *node, char *const *wishes, size_t n_wishes,
		       bool tty)
{
	const struct {
		const char *name, *value;
	} own[] = {
		{ "PATH", u->uid == 0 ? PATH_ROOT : PATH_USER },
		{ "HOME", u->home },
		{ "USER", u->name },
		{ "LOGNAME", u->name },
		{ "SHELL", u->shell[0] ? u->shell : "/bin/sh" },
		{ "LANG", "C.UTF-8" },
		{ "COMOSIX_NODE", node },
		{ "TERM", tty ? "dumb" : NULL },
	};
	char **env = calloc(OWN_MAX + ENVIRONMENT_WISHES_MAX + 1, sizeof(*env));
	bool ok = env != NULL;
	size_t n = 0;

	static_assert(ARRAY_LEN(own) <= OWN_MAX, "make OWN_MAX larger");
	for (size_t i = 0; ok && i < ARRAY_LEN(own); i++)
		if (own[i].value)
			ok = put(env, &n, own[i].name, strlen(own[i].name), own[i].value);
	for (size_t i = 0; ok && i < n_wishes && i < ENVIRONMENT_WISHES_MAX; i++) {
		size_t len = strcspn(wishes[i], "=");

		if (environment_may_pass(wishes[i]))
			ok = put(env, &n, wishes[i], len, wishes[i] + len + 1);
	}
	if (ok)
		return env;
	environment_free(env);
	return NULL;
}

void environment_free(char **env)
{
	for (char **p = env; p && *p; p++)
		free(*p);
	free(env);
}
