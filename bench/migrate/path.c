/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * path.c - what the path between two network namespaces can do by itself
 *
 * bench-path tcp-echo|tls-echo|tls-stream HOME-NS HOST-NS ADDRESS COUNT [HOME-CPU HOST-CPU]
 *
 * Theory of operation. Two processes with blocking sockets and nothing else between program and
 * kernel: the least that a forwarded call, or a page, could cost. TLS is what src/migrate/channel.c
 * uses: GnuTLS, version 1.3, a key known before, AES-128-GCM. An echo sends ECHO_OUT bytes and waits
 * for ECHO_BACK, the sizes of a forwarded call without data. Of echoes the median of BATCHES
 * batches is printed, in ns; of a stream of COUNT MiB, MiB/s, until the other side has said that it
 * has all of it.
 */
#include <errno.h>
#include <gnutls/gnutls.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/parse.h"
#include "log/log.h"
#include "wire.h"

#define PRIORITY  "NONE:+VERS-TLS1.3:+ECDHE-PSK:+AES-128-GCM:+AEAD:+SHA256:+GROUP-X25519:+SIGN-ALL"
#define USERNAME  "bench"
#define ECHO_OUT  96
#define ECHO_BACK 40
#define BATCHES	  15
#define PIECE	  (1U << 20) /* of a stream: written at once */
#define READ_MAX  65536

static bool is_tls;
static gnutls_session_t tls;
static int fd;
static uint8_t key_bytes[32] = "not a secret: both ends are here";
static uint8_t piece[PIECE];

static uint64_t now_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t); /* exists everywhere */
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static int on_psk(gnutls_session_t s, const char *name, gnutls_datum_t *key)
{
	(void)s;
	(void)name;
	key->data = gnutls_malloc(sizeof(key_bytes));
	if (!key->data)
		return -1;
	memcpy(key->data, key_bytes, sizeof(key_bytes));
	key->size = sizeof(key_bytes);
	return 0;
}

static void check(int r)
{
	if (r < 0)
		die("TLS: %s", gnutls_strerror(r));
}

static void start_tls(bool client)
{
	const gnutls_datum_t key = { key_bytes, sizeof(key_bytes) };
	gnutls_psk_client_credentials_t c;
	gnutls_psk_server_credentials_t s;

	check(gnutls_init(&tls, (client ? GNUTLS_CLIENT : GNUTLS_SERVER) | GNUTLS_NO_TICKETS));
	check(gnutls_priority_set_direct(tls, PRIORITY, NULL));
	if (client) {
		check(gnutls_psk_allocate_client_credentials(&c));
		check(gnutls_psk_set_client_credentials(c, USERNAME, &key, GNUTLS_PSK_KEY_RAW));
		check(gnutls_credentials_set(tls, GNUTLS_CRD_PSK, c));
	} else {
		check(gnutls_psk_allocate_server_credentials(&s));
		gnutls_psk_set_server_credentials_function(s, on_psk);
		check(gnutls_credentials_set(tls, GNUTLS_CRD_PSK, s));
	}
	gnutls_transport_set_int(tls, fd);
	check(gnutls_handshake(tls));
}

static ssize_t take(void *p, size_t n)
{
	ssize_t r = is_tls ? gnutls_record_recv(tls, p, n) : recv(fd, p, n, 0);

	if (r == GNUTLS_E_PREMATURE_TERMINATION)
		return 0; /* closed without a last word: it has what it wants */
	if (r < 0)
		die("receive: %s", is_tls ? gnutls_strerror((int)r) : strerror(errno));
	return r;
}

static void take_all(void *p, size_t n)
{
	for (size_t have = 0; have < n;) {
		ssize_t r = take((uint8_t *)p + have, n - have);

		if (r == 0)
			exit(0); /* the other end has what it wants */
		have += (size_t)r;
	}
}

static void give_all(const void *p, size_t n)
{
	for (size_t done = 0; done < n;) {
		const uint8_t *from = (const uint8_t *)p + done;
		ssize_t r = is_tls ? gnutls_record_send(tls, from, n - done)
				   : send(fd, from, n - done, MSG_NOSIGNAL);

		if (r < 0)
			die("send: %s", is_tls ? gnutls_strerror((int)r) : strerror(errno));
		done += (size_t)r;
	}
}

static void NORETURN answer_echoes(void)
{
	uint8_t bytes[ECHO_OUT] = { 0 };

	for (;;) {
		take_all(bytes, ECHO_OUT);
		give_all(bytes, ECHO_BACK);
	}
}

static void NORETURN swallow_stream(uint64_t mib)
{
	uint64_t left = mib << 20;
	char last = 0;

	while (left) {
		size_t want = left < READ_MAX ? left : READ_MAX;
		ssize_t n = take(piece, want);

		if (n == 0)
			die("the stream ended early");
		left -= (uint64_t)n;
	}
	give_all(&last, 1);
	(void)take(&last, 1); /* until it is closed */
	exit(0);
}

static int by_value(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static void echo(uint64_t count)
{
	uint8_t bytes[ECHO_OUT] = { 0 };
	double ns[BATCHES];

	for (int b = 0; b < BATCHES; b++) {
		uint64_t begin = now_ns();

		for (uint64_t i = 0; i < count; i++) {
			give_all(bytes, ECHO_OUT);
			take_all(bytes, ECHO_BACK);
		}
		ns[b] = (double)(now_ns() - begin) / (double)count;
	}
	qsort(ns, BATCHES, sizeof(*ns), by_value);
	(void)printf("%.0f\n", ns[BATCHES / 2]);
}

static void stream(uint64_t mib)
{
	uint64_t begin = now_ns();
	char last;

	for (uint64_t i = 0; i < mib; i++)
		give_all(piece, PIECE);
	take_all(&last, 1);
	(void)printf("%.0f\n", (double)mib * 1e9 / (double)(now_ns() - begin));
}

static void bind_to(const char *number)
{
	cpu_set_t set;
	uint32_t cpu;

	CPU_ZERO(&set);
	if (parse_u32(number, &cpu) < 0 || cpu >= CPU_SETSIZE)
		die("'%s' is no CPU", number);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set) < 0)
		die("CPU %s: %s", number, strerror(errno));
}

int main(int argc, char **argv)
{
	struct err e = { 0 };
	uint64_t count;
	bool is_stream;
	int ends[2];
	pid_t pid;

	if ((argc != 6 && argc != 8) || parse_u64(argv[5], &count) < 0 || !count)
		return 2;
	is_tls = !strncmp(argv[1], "tls", 3);
	is_stream = strstr(argv[1], "stream") != NULL;
	if (wire_open(argv[2], argv[3], argv[4], ends, &e) < 0)
		die("%s", e.text);
	pid = fork();
	if (pid < 0)
		die("fork: %s", strerror(errno));
	if (argc == 8)
		bind_to(argv[pid ? 6 : 7]);
	fd = ends[pid == 0];
	(void)close(ends[pid != 0]);
	if (is_tls)
		start_tls(pid != 0);
	if (!pid && is_stream)
		swallow_stream(count);
	if (!pid)
		answer_echoes();
	(is_stream ? stream : echo)(count);
	(void)close(fd);
	return waitpid(pid, NULL, 0) == pid ? 0 : 1;
}
