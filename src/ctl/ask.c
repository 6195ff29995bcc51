/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ask.c - what the commands that ask the head's API share */
#include "ctl/ask.h"

#include <errno.h>

#include "ctl/command.h"

int ask_options(const struct opt_command *cmd, int argc, char **argv, void *target, int min,
		int max, int *ret_first)
{
	struct err e = { 0 };
	struct buf b;
	int r = opt_parse(cmd, argc, argv, target, ret_first, &e);

	if (r == -ECANCELED) {
		buf_init(&b, 65536);
		if (!opt_help(cmd, &b))
			(void)fputs(buf_text(&b), stdout);
		buf_done(&b);
		return EXIT_ALL_WELL;
	}
	if (r < 0) {
		(void)fprintf(stderr, "%s: %s\n", cmd->name, e.text);
		return EXIT_USAGE;
	}
	if (argc - *ret_first < min || argc - *ret_first > max) {
		(void)fprintf(stderr, "%s: usage: %s%s%s; see '%s --help'\n", cmd->name, cmd->name,
			      cmd->args ? " " : "", cmd->args ? cmd->args : "", cmd->name);
		return EXIT_USAGE;
	}
	return -1;
}

int ask_exit_status(int r, long http_status)
{
	static const struct {
		long http;
		int status;
	} of_http[] = {
		{ 401, EXIT_REFUSED },	 { 403, EXIT_REFUSED }, { 404, EXIT_NOT_FOUND },
		{ 408, EXIT_TIMED_OUT }, { 409, EXIT_REFUSED }, { 422, EXIT_USAGE },
		{ 504, EXIT_TIMED_OUT },
	};

	if (!r)
		return EXIT_ALL_WELL;
	if (r == -EREMOTE)
		for (size_t i = 0; i < ARRAY_LEN(of_http); i++)
			if (of_http[i].http == http_status)
				return of_http[i].status;
	return r == -EACCES || r == -EPERM ? EXIT_REFUSED : EXIT_ERROR;
}

int ask_head(const char *name, const char *method, const char *path, const json_t *body,
	     json_t **ret)
{
	struct api_client *c;
	struct err e = { 0 };
	long status = 0;
	int r = api_open_operator(&c, &e);

	if (!r) {
		r = api_call(c, method, path, body, ret, &e);
		status = api_status(c);
		api_close(c);
	}
	if (r < 0)
		(void)fprintf(stderr, "%s: %s\n", name, e.text);
	return ask_exit_status(r, status);
}

int ask_path(const char *command, const char *before, const char *name, const char *after, char *to,
	     size_t size)
{
	static const char safe[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				   "0123456789-._";

	if (!*name || name[strspn(name, safe)] ||
	    (size_t)snprintf(to, size, "%s%s%s", before, name, after) >= size) {
		(void)fprintf(stderr, "%s: '%s' is no name\n", command, name);
		return EXIT_USAGE;
	}
	return EXIT_ALL_WELL;
}

int ask_print_json(json_t *j)
{
	char *text = json_dumps(j, JSON_INDENT(2) | JSON_ENCODE_ANY);

	json_decref(j);
	if (!text)
		return EXIT_ERROR;
	(void)puts(text);
	free(text);
	return fflush(stdout) ? EXIT_ERROR : EXIT_ALL_WELL;
}

const char *ask_text(const json_t *j, const char *key)
{
	const char *s = json_string_value(json_object_get(j, key));

	return s ? s : "";
}

int64_t ask_number(const json_t *j, const char *key)
{
	return json_integer_value(json_object_get(j, key));
}
