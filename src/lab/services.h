/* SPDX-License-Identifier: GPL-2.0-or-later */
/* services.h - what runs in the pods of a lab, as one table (pure) */
#ifndef LAB_SERVICES_H
#define LAB_SERVICES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define SERVICE_ARGS_MAX 24
#define SERVICE_ARG_MAX	 512

enum lab_role {
	LAB_HEAD,
	LAB_SERVER,
	LAB_DESKTOP,
};

/** lab_role_name() - "head", "server", "desktop" */
const char *lab_role_name(enum lab_role role);

enum service_ready {
	READY_AT_EXIT, /* runs once; ready when it ends with 0 */
	READY_UNIX,    /* listens on the Unix socket .ready_path */
	READY_TCP,     /* listens on the TCP port .ready_port */
};

struct service {
	const char *name;
	unsigned int roles; /* bit 1 << enum lab_role */
	const char *unless; /* not run when this file is there; NULL: always run */
	enum service_ready ready;
	const char *ready_path;
	uint16_t ready_port;
	/* argv[0] is one of our programs; {words} are replaced, an argument that is empty then is
	 * left out */
	const char *argv[SERVICE_ARGS_MAX];
};

/* in the order in which they are started, each when the one before is ready; NULL name at the end
 */
extern const struct service services[];

/* what the {words} stand for */
struct service_words {
	const char *lab;
	const char *name;
	const char *address;
	const char *head; /* address of the head */
	const char *token;
	const char *uids; /* first of 256 user ids that no other pod uses */
	bool relayed;
};

/* an argument list in its own memory */
struct service_command {
	char args[SERVICE_ARGS_MAX][SERVICE_ARG_MAX];
	char *argv[SERVICE_ARGS_MAX + 1];
};

/** service_expand() - The command line of a service; -E2BIG, or -EINVAL for an unknown {word} */
int service_expand(const struct service *s, const struct service_words *w,
		   struct service_command *ret, struct err *e) MUST_CHECK;

#endif
