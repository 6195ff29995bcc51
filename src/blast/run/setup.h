/* SPDX-License-Identifier: GPL-2.0-or-later */
/* setup.h - the message that introduces a search to a worker */
#ifndef BLAST_RUN_SETUP_H
#define BLAST_RUN_SETUP_H

#include "base/buf.h"
#include "blast/core/options.h"
#include "blast/run/database.h"
#include "blast/run/engine.h"

/** setup_put() - Append it, as a frame; -EMSGSIZE, -ENOBUFS, -ENOMEM */
int setup_put(struct buf *to, const struct blast_request *request, const struct database *d,
	      const struct engine *engine, struct err *e) MUST_CHECK;

#endif
