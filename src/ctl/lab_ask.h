/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lab_ask.h - what the 'lab' commands have in common: options, and asking a lab's supervisor */
#ifndef CTL_LAB_ASK_H
#define CTL_LAB_ASK_H

#include "base/opt.h"
#include "lab/channel.h"
#include "lab/layout.h"
#include "lab/supervisor.h"

/**
 * lab_options() - Parse a command line, print --help and what is wrong
 * @cmd:	The table
 * @target:	Options
 * @words:	Number of words wanted behind the options; -1: any
 * @ret_first:	Index of the first word
 * @ret_status:	Exit status to end with, when false is returned
 *
 * Return: go on?
 */
bool lab_options(const struct opt_command *cmd, int argc, char **argv, void *target, int words,
		 int *ret_first, int *ret_status) MUST_CHECK;

/** lab_missing() - Say that the command line names no node; Return: the exit status */
int lab_missing(const struct opt_command *cmd) MUST_CHECK;

/** lab_say() - Print "comosix lab: text" on stderr; Return: @status */
int lab_say(int status, const char *fmt, ...) PRINTF(2, 3);

/** lab_connect() - Connect to the supervisor; prints why not; Return: 0 or the exit status */
int lab_connect(const char *lab, int *ret_fd) MUST_CHECK;

/**
 * lab_ask() - Ask one thing and wait for the answer, printing what is wrong
 * @lab:	Name of the lab
 * @type, @number, @text: The question
 * @ret:	The answer when EXIT_ALL_WELL is returned; end it with channel_msg_done()
 *
 * Return: exit status
 */
int lab_ask(const char *lab, enum lab_message type, int number, const char *text,
	    struct channel_msg *ret) MUST_CHECK;

/**
 * lab_reports() - What each pod is; [0] is the head
 * @lab:	Name of the lab
 * @ret:	Set on success; the caller frees it
 * @ret_n:	How many
 *
 * Return: exit status
 */
int lab_reports(const char *lab, struct pod_report **ret, size_t *ret_n) MUST_CHECK;

/** lab_is_root() - May this command do what it must? Prints what to type otherwise */
bool lab_is_root(const char *what) MUST_CHECK;

/**
 * lab_progress() - Show a step: in place on a terminal, else a line of its own when it is whole
 * @step:	"nodes"
 * @n, @of:	How far; of 0: a step that is done
 */
void lab_progress(const char *step, uint32_t n, uint32_t of);

#endif
