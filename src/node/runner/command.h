/* SPDX-License-Identifier: GPL-2.0-or-later */
/* command.h - the command that a runner runs: its start, its pipes or terminal, its end */
#ifndef NODE_RUNNER_COMMAND_H
#define NODE_RUNNER_COMMAND_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "os/user.h"
#include "wire/control.pb-c.h"

/* fds are non-blocking, owned by this struct, -1 when closed */
struct command {
	pid_t pid;  /* leads a session and a process group of its own */
	int in;	    /* to its standard input; with a terminal a dup of out */
	int out;    /* from its standard output, or the terminal */
	int err;    /* from its standard error; -1 with a terminal */
	int report; /* why it could not be executed, else closed by exec */
	bool tty;
};

/**
 * command_start() - Start it as the user
 * @u:		Who
 * @node:	Name of this node
 * @rq:		What; its argv is not empty (checked)
 * @ret:	Filled on success only; ended by command_done() after its pid was reaped
 * @e:		Reason
 *
 * That the program can be executed is known at its end: command_status().
 *
 * Return: 0 or -errno
 */
int command_start(const struct user *u, const char *node, const Cmx__ExecRequest *rq,
		  struct command *ret, struct err *e) MUST_CHECK;

/**
 * command_status() - Say how it ended, as a shell says it
 * @c:		The command
 * @wait_status: From waitpid()
 * @argv0:	Its name, for the reason
 * @reason:	Why it was not executed; "" when it was
 * @len:	Size of @reason
 *
 * Return: its exit status; 128 + signal; 126 or 127 when it could not be executed
 */
uint32_t command_status(const struct command *c, int wait_status, const char *argv0, char *reason,
			size_t len) MUST_CHECK;

/** command_signal() - To its process group, or to the one in the terminal's foreground */
void command_signal(const struct command *c, int signo);

/** command_resize() - The size of its terminal, if it has one */
void command_resize(const struct command *c, uint32_t rows, uint32_t columns);

void command_done(struct command *c);

#endif
