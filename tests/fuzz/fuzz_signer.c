/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz_signer.c - what the web process may send to the signer
 *
 * The first byte chooses the channel, the rest is the message. The authority is made once; the
 * signer is opened anew for each input.
 */
#include <errno.h>
#include <unistd.h>

#include "head/name.h"
#include "head/signer.h"
#include "log/log.h"
#include "os/file.h"
#include "tests/fuzz/fuzz.h"

#define NOW 1800000000

static char dir[64];
static const struct cluster cluster = { .id = "0123456789abcdef0123456789abcdef",
					.name = "fuzz",
					.address = "10.0.0.1",
					.port = 4661 };

static void remove_authority(void)
{
	(void)!dir_remove(dir, NULL); /* at exit there is nobody to tell */
}

static void make_authority(void)
{
	if (dir[0])
		return;
	log_open("fuzz", LOG_ERR);
	(void)snprintf(dir, sizeof(dir), "/tmp/fuzz_signer.XXXXXX");
	MUST(mkdtemp(dir));
	MUST(!atexit(remove_authority));
	MUST(!ca_make(dir, cluster.name, NOW, NULL));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct signer *s = NULL;
	struct signer_answer a;
	char list[96];

	if (!size)
		return 0;
	make_authority();
	MUST(!signer_open(dir, &cluster, &s, NULL));
	signer_answer(s, data[0] & 1 ? SIGNER_FROM_WEB : SIGNER_FROM_HELPER, data + 1, size - 1,
		      NOW, &a);
	MUST(!a.reply.error || (a.reply.text[0] && !a.reply.certificate.len));
	/* nothing it signs is good for longer than the longest life */
	MUST(a.reply.not_after <= NOW + SIGNER_OPERATOR_LIFE_S);
	signer_answer_done(&a);
	signer_close(s);
	(void)snprintf(list, sizeof(list), "%s/revoked", dir);
	MUST(!unlink(list) || errno == ENOENT);
	return 0;
}
