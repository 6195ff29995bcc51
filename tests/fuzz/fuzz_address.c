/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz_address.c - addresses as nodes and settings spell them; foreign text for the log */
#include "log/log.h"
#include "os/sock.h"
#include "tests/fuzz/fuzz.h"

/* what was taken can be printed, and the print is taken for the same */
static void check_address(const char *text)
{
	struct sock_addr a = { 0 }, again = { 0 };
	char back[SOCK_ADDR_TEXT];

	if (sock_addr_parse(text, &a) < 0)
		return;
	sock_addr_format(&a, back);
	MUST(sock_addr_parse(back, &again) == 0);
	MUST(a.len == again.len && !memcmp(&a.ss, &again.ss, a.len));
}

/* a quoted text is one line of printable bytes, whatever the room */
static void check_quote(const char *text, size_t room)
{
	AUTO_FREE char *to = malloc(room ? room : 1);
	const char *q;

	MUST(to);
	q = log_quote(text, to, room);
	MUST(strlen(q) < (room ? room : 1));
	for (; *q; q++)
		MUST(*q >= ' ' && *q <= '~');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO_FREE char *text = strndup((const char *)data, size);

	MUST(text);
	check_address(text);
	check_quote(text, 200);
	check_quote(text, size % 32);
	return 0;
}
