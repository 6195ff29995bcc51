/* SPDX-License-Identifier: GPL-2.0-or-later */
/* request.c - what 'lab exec' is to run, as bytes (pure) */
#include "lab/request.h"

#include <errno.h>

#define MAGIC	   0x434d584cU /* CMXL */
#define HEAD_BYTES 16

static uint32_t count(char *const *v)
{
	uint32_t n = 0;

	while (v[n])
		n++;
	return n;
}

int request_put(struct buf *to, uint32_t umask, const char *cwd, char *const *argv,
		char *const *env)
{
	int r = buf_put_u32be(to, MAGIC);

	r = r < 0 ? r : buf_put_u32be(to, umask);
	r = r < 0 ? r : buf_put_u32be(to, count(argv));
	r = r < 0 ? r : buf_put_u32be(to, count(env));
	r = r < 0 ? r : buf_put(to, cwd, strlen(cwd) + 1);
	for (size_t i = 0; argv[i] && !r; i++)
		r = buf_put(to, argv[i], strlen(argv[i]) + 1);
	for (size_t i = 0; env[i] && !r; i++)
		r = buf_put(to, env[i], strlen(env[i]) + 1);
	return r;
}

static uint32_t u32be(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

int request_parse(const void *bytes, size_t len, struct lab_request *ret, struct err *e)
{
	struct lab_request q = { 0 };
	const uint8_t *p = bytes;
	uint32_t argc, envc;
	char *at, *end;

	if (len < HEAD_BYTES || len > REQUEST_BYTES_MAX || u32be(p) != MAGIC)
		return err_set(e, -EPROTO, "no request of 'lab exec'");
	q.umask = u32be(p + 4) & 0777;
	argc = u32be(p + 8);
	envc = u32be(p + 12);
	if (!argc || argc > REQUEST_STRINGS_MAX || envc > REQUEST_STRINGS_MAX)
		return err_set(e, -EPROTO, "a request with %u arguments and %u variables", argc,
			       envc);
	q.bytes = malloc(len);
	q.argv = calloc((size_t)argc + envc + 2, sizeof(*q.argv));
	if (!q.bytes || !q.argv) {
		request_done(&q);
		return err_set(e, -ENOMEM, "out of memory");
	}
	memcpy(q.bytes, bytes, len);
	q.env = q.argv + argc + 1;
	at = q.bytes + HEAD_BYTES;
	end = q.bytes + len;
	for (uint32_t i = 0; i < argc + envc + 1; i++) {
		char *nul = memchr(at, '\0', (size_t)(end - at));

		if (!nul) {
			request_done(&q);
			return err_set(e, -EPROTO, "a request that ends too early");
		}
		if (!i)
			q.cwd = at;
		else if (i <= argc)
			q.argv[i - 1] = at;
		else
			q.env[i - argc - 1] = at;
		at = nul + 1;
	}
	if (at != end) {
		request_done(&q);
		return err_set(e, -EPROTO, "a request with bytes behind its end");
	}
	*ret = q;
	return 0;
}

void request_done(struct lab_request *r)
{
	free(r->bytes);
	free(r->argv);
	*r = (struct lab_request){ 0 };
}
