/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * settings.h - how one comosixd is to run: command line over configuration file over defaults
 *
 * The file is read with inih: section [comosixd], the options' long names as keys; an option
 * --guests-max may stand as `max' under [guests], --trust-desktops as `desktops' under [trust].
 */
#ifndef NODE_SETTINGS_H
#define NODE_SETTINGS_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "os/sock.h"

#define STATE_DIR_DEFAULT   "/var/lib/comosix/node"
#define RUN_DIR_DEFAULT	    "/run/comosix"
#define CACHE_DIR_DEFAULT   "/var/lib/comosix/cache"
#define CONFIG_FILE_DEFAULT "/etc/comosix/comosixd.ini"
#define LISTEN_DEFAULT	    "0.0.0.0:4660"

struct settings {
	const char *state, *run, *cache, *config; /* owned, or constants */
	const char *listen, *advertise;		  /* advertise NULL: found out by itself */
	bool relayed;				  /* outgoing connections only */
	bool verbose;
	bool version;		/* print it and end */
	uint32_t tasks;		/* boxed tasks at a time; 0: CPUs + 1 */
	uint32_t task_uid_base; /* 0: BOX_UID_BASE */
	uint64_t task_memory;	/* bytes per task; 0: no limit */
	const char *halves;	/* directory of comosix-deputy and -guest; NULL: where ours are */
	uint32_t guests_max;	/* moved processes of others at a time; 0: by the CPUs */
	const char *trust_desktops; /* "jobs" or "full" */
	bool trust_desktops_full;   /* any process may be moved to a desktop */
	uint64_t cache_bytes;	    /* what the cache may hold */
	uint32_t connections;	    /* from other nodes at a time */
	uint32_t connections_per_address;
	uint32_t streams_per_user; /* EXEC and TASK, here or through here */
	struct sock_addr listen_addr;
};

/**
 * settings_read() - From the command line and the file it names
 * @argc, @argv: As main() got them
 * @ret:	Filled; strings live until the next call
 * @e:		Reason, names the option or the line of the file
 *
 * Return: 0, -EINVAL, -ECANCELED after --help or --version was printed
 */
int settings_read(int argc, char **argv, struct settings *ret, struct err *e) MUST_CHECK;

#endif
