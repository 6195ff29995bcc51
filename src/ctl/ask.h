/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ask.h - what the commands that ask the head's API share */
#ifndef CTL_ASK_H
#define CTL_ASK_H

#include <jansson.h>

#include "base/opt.h"
#include "net/api_client.h"

/**
 * ask_options() - Parse a command line, print help or what is wrong
 * @cmd, @argc, @argv, @target: As for opt_parse()
 * @min, @max:	Words wanted behind the options
 * @ret_first:	Index of the first word
 *
 * Return: -1 to go on, else the exit status
 */
int ask_options(const struct opt_command *cmd, int argc, char **argv, void *target, int min,
		int max, int *ret_first);

/**
 * ask_head() - One request with the operator's credential
 * @name:	Of the command, for messages
 * @method, @path, @body: As for api_call()
 * @ret:	The answer, the caller's; may be NULL
 *
 * Return: EXIT_ALL_WELL, or what to exit with; then a message was printed
 */
int ask_head(const char *name, const char *method, const char *path, const json_t *body,
	     json_t **ret);

/** ask_exit_status() - The exit status for a failed api_call() */
int ask_exit_status(int r, long http_status);

/** ask_path() - "/nodes/NAME/verb" in a name that is safe to send; EXIT_* when it is not */
int ask_path(const char *command, const char *before, const char *name, const char *after, char *to,
	     size_t size);

/** ask_print_json() - A value on stdout, indented; consumed */
int ask_print_json(json_t *j);

/** ask_text() - A string member of an object, "" when it is not there */
const char *ask_text(const json_t *j, const char *key);
int64_t ask_number(const json_t *j, const char *key);

#endif
