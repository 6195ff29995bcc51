/* SPDX-License-Identifier: GPL-2.0-or-later */
/* clock.c - the clocks of home, at the host */
#include "migrate/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include "base/buf.h"
#include "os/fd.h"
#include "os/file.h"

#define S_NS	     1000000000
#define CLOCK_MAX_NS (INT64_MAX / 4) /* 73 years of uptime: a sum of two is a number yet */
#define OFFSETS	     "/proc/self/timens_offsets"

static int64_t read_ns(clockid_t clock)
{
	struct timespec t = { 0 };

	(void)clock_gettime(clock, &t); /* both are there since Linux 2.6.39 */
	return (int64_t)t.tv_sec * S_NS + t.tv_nsec;
}

void clocks_read(struct clocks *ret)
{
	ret->monotonic_ns = read_ns(CLOCK_MONOTONIC);
	ret->boottime_ns = read_ns(CLOCK_BOOTTIME);
}

static bool is_clock(const struct clocks *c)
{
	return c->monotonic_ns >= 0 && c->monotonic_ns <= CLOCK_MAX_NS && c->boottime_ns >= 0 &&
	       c->boottime_ns <= CLOCK_MAX_NS;
}

static int64_t least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

int clocks_sample(struct clocks_sync *s, const struct clocks *sent, const struct clocks *home,
		  const struct clocks *received)
{
	struct clocks offset;
	int64_t low;

	if (!is_clock(sent) || !is_clock(home) || !is_clock(received) ||
	    received->monotonic_ns < sent->monotonic_ns)
		return -EPROTO;
	offset.monotonic_ns = home->monotonic_ns - sent->monotonic_ns;
	offset.boottime_ns = home->boottime_ns - sent->boottime_ns;
	low = home->monotonic_ns - received->monotonic_ns;
	if (s->n) {
		/* the lowest end that was known before */
		int64_t before = s->offset.monotonic_ns - s->error_ns;

		low = before > low ? before : low;
		offset.monotonic_ns = least(offset.monotonic_ns, s->offset.monotonic_ns);
		offset.boottime_ns = least(offset.boottime_ns, s->offset.boottime_ns);
	}
	/* two ranges that do not meet: a clock was set or lied; what is certain is its own range */
	if (low > offset.monotonic_ns)
		low = offset.monotonic_ns;
	s->offset = offset;
	s->error_ns = offset.monotonic_ns - low;
	s->n++;
	return 0;
}

int64_t clocks_hold_ns(const struct clocks *last, const struct clocks *now)
{
	int64_t ns;

	if (!is_clock(last) || !is_clock(now))
		return 0;
	ns = last->monotonic_ns - now->monotonic_ns;
	if (last->boottime_ns - now->boottime_ns > ns)
		ns = last->boottime_ns - now->boottime_ns;
	return ns < 0 ? 0 : least(ns, CLOCKS_HOLD_MAX_NS);
}

/* ---- the kernel's file, time_namespaces(7): lines "monotonic SECONDS NANOSECONDS" ---- */

static int64_t find_offset(const char *text, const char *clock)
{
	const char *at = strstr(text, clock);
	long long s, ns;

	if (!at || sscanf(at + strlen(clock), "%lld %lld", &s, &ns) != 2)
		return 0;
	return s * S_NS + ns;
}

static int put_offset(struct buf *b, const char *clock, int64_t ns)
{
	int64_t s = ns / S_NS;

	/* nanoseconds count up, also before zero */
	if (ns % S_NS < 0)
		s--;
	return buf_printf(b, "%s %lld %lld\n", clock, (long long)s, (long long)(ns - s * S_NS));
}

/* offsets are to the machine's own clocks: ours may be one already */
static int make_text(const struct clocks *offset, struct buf *b, struct err *e)
{
	const char *text;
	struct buf was;
	int r;

	buf_init(&was, 4096);
	r = file_read(OFFSETS, &was, e);
	text = r < 0 ? "" : buf_text(&was);
	if (!r && !text)
		r = -ENOMEM;
	if (!r)
		r = put_offset(b, "monotonic",
			       find_offset(text, "monotonic") + offset->monotonic_ns);
	if (!r)
		r = put_offset(b, "boottime", find_offset(text, "boottime") + offset->boottime_ns);
	buf_done(&was);
	return r;
}

static int write_offsets(const struct clocks *offset, struct err *e)
{
	struct buf b;
	int r;

	buf_init(&b, 256);
	r = make_text(offset, &b, e);
	if (!r) {
		AUTO_CLOSE int fd = open(OFFSETS, O_WRONLY | O_CLOEXEC);

		r = fd < 0 ? -errno : fd_write_all(fd, buf_bytes(&b), b.len);
	}
	buf_done(&b);
	return r < 0 ? err_set(e, r, "set the clocks of the guest in '" OFFSETS "': %s",
			       strerror(-r))
		     : 0;
}

int clocks_apply(const struct clocks *offset, struct err *e)
{
	const int64_t most = CLOCK_MAX_NS;

	if (offset->monotonic_ns > most || offset->monotonic_ns < -most ||
	    offset->boottime_ns > most || offset->boottime_ns < -most)
		return err_set(e, -ERANGE, "clocks of home that are %lld s from ours",
			       (long long)(offset->monotonic_ns / S_NS));
	if (unshare(CLONE_NEWTIME) < 0) {
		int r = errno == EINVAL ? -ENOSYS : -errno;

		return err_set(e, r, "make a time namespace: %s%s", strerror(errno),
			       r == -ENOSYS ? "; the kernel needs CONFIG_TIME_NS" : "");
	}
	return write_offsets(offset, e);
}
