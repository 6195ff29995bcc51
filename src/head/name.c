/* SPDX-License-Identifier: GPL-2.0-or-later */
/* name.c - names of nodes, given out unique by the head */
#include "head/name.h"

#include <errno.h>

/* the head itself; words of `migrate PID NODE|home|best`; words for several nodes */
static const char *const reserved[] = { "head", "home", "best", "all", "any", "none", "localhost" };

static bool lower_or_digit(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

bool name_ok(const char *s)
{
	size_t len = strnlen(s, NAME_MAX_LEN + 1);

	if (!len || len > NAME_MAX_LEN || !lower_or_digit(s[0]) || !lower_or_digit(s[len - 1]))
		return false;
	for (size_t i = 0; i < len; i++)
		if (!lower_or_digit(s[i]) && s[i] != '-')
			return false;
	/* only digits would look like a node's number */
	return strspn(s, "0123456789") != len;
}

bool name_reserved(const char *s)
{
	for (size_t i = 0; i < ARRAY_LEN(reserved); i++)
		if (!strcmp(s, reserved[i]))
			return true;
	return false;
}

int name_from_host(const char *host, char ret[NAME_MAX_LEN + 1], struct err *e)
{
	char name[NAME_MAX_LEN + 1];
	size_t n = 0;

	for (const char *p = host; *p && *p != '.' && n < NAME_MAX_LEN; p++) {
		char c = *p;

		if (c >= 'A' && c <= 'Z')
			c = (char)(c - 'A' + 'a');
		if (c == '_' || c == ' ')
			c = '-';
		if (!lower_or_digit(c) && (c != '-' || !n))
			continue;
		name[n++] = c;
	}
	while (n && name[n - 1] == '-')
		n--;
	name[n] = '\0';
	if (!name_ok(name))
		return err_set(e, -EINVAL,
			       "the machine's name cannot be a node's name; choose one of "
			       "letters, digits and '-' with --name");
	memcpy(ret, name, n + 1);
	return 0;
}

void name_numbered(const char *name, unsigned int n, char ret[NAME_MAX_LEN + 1])
{
	char end[16] = "";
	size_t len = strlen(name), room;

	if (n > 1)
		(void)snprintf(end, sizeof(end), "-%u", n);
	room = NAME_MAX_LEN - strlen(end);
	if (len > room)
		len = room;
	while (len > 1 && n > 1 && name[len - 1] == '-')
		len--;
	(void)snprintf(ret, NAME_MAX_LEN + 1, "%.*s%s", (int)len, name, end);
}
