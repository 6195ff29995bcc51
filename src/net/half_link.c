/* SPDX-License-Identifier: GPL-2.0-or-later */
/* half_link.c - what comosixd and one half of a moved process say to each other */
#include "net/half_link.h"

#include <errno.h>
#include <sys/socket.h>

#include "os/fd.h"
#include "wire/message.h"

#define IN_MAX	  (2 * (FRAME_HEADER + FRAME_PAYLOAD_MAX))
#define READ_STEP 8192
#define FDS_MAX	  4 /* more in one message is no half's doing; the kernel drops the rest */

int half_link_init(struct half_link *l, int fd)
{
	*l = (struct half_link){ .fd = fd, .passed = -1 };
	buf_init(&l->in, IN_MAX);
	return fd >= 0 ? fd_nonblock(fd, 1) : 0;
}

void half_link_done(struct half_link *l)
{
	fd_close(&l->fd);
	fd_close(&l->passed);
	buf_done(&l->in);
}

/* room for one control message with fds, aligned as cmsg(3) wants it */
union rights {
	char bytes[CMSG_SPACE(FDS_MAX * sizeof(int))];
	struct cmsghdr align;
};

static ssize_t send_some(struct half_link *l, const struct buf *b, int pass_fd)
{
	struct iovec part = { .iov_base = (void *)buf_bytes(b), .iov_len = b->len };
	struct msghdr h = { .msg_iov = &part, .msg_iovlen = 1 };
	union rights r = { 0 };
	ssize_t n;

	if (pass_fd >= 0) {
		struct cmsghdr *c;

		h.msg_control = r.bytes;
		h.msg_controllen = CMSG_SPACE(sizeof(int));
		c = CMSG_FIRSTHDR(&h);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &pass_fd, sizeof(int));
	}
	do
		n = sendmsg(l->fd, &h, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

int half_link_send(struct half_link *l, const Cmx__Half *m, int pass_fd, struct err *e)
{
	struct buf b;
	ssize_t n = 0;
	int r;

	buf_init(&b, FRAME_HEADER + FRAME_PAYLOAD_MAX);
	r = message_put(&b, FRAME_HALF, m);
	while (!r && b.len) {
		n = send_some(l, &b, pass_fd);
		if (n < 0)
			r = (int)n;
		else
			buf_eat(&b, (size_t)n);
		pass_fd = -1; /* went with the first byte */
	}
	if (b.data)
		explicit_bzero(b.data, b.cap); /* there may have been a key in it */
	buf_done(&b);
	return r < 0 ? err_set(e, r, "speak with the other end: %s", strerror(-r)) : 0;
}

static void keep_passed(struct half_link *l, struct msghdr *h)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c)) {
		size_t n = c->cmsg_len >= CMSG_LEN(0) ? (c->cmsg_len - CMSG_LEN(0)) / sizeof(int)
						      : 0;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < n; i++) {
			fd_close(&l->passed); /* the newest counts */
			memcpy(&l->passed, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
		}
	}
}

int half_link_fill(struct half_link *l, struct err *e)
{
	union rights rights;
	struct iovec part = { .iov_len = READ_STEP };
	struct msghdr h = { .msg_iov = &part,
			    .msg_iovlen = 1,
			    .msg_control = rights.bytes,
			    .msg_controllen = sizeof(rights.bytes) };
	uint8_t *to;
	ssize_t n;
	int r = buf_room(&l->in, READ_STEP, &to);

	if (r < 0)
		return err_set(e, r, "read from the other end: %s", strerror(-r));
	part.iov_base = to;
	do
		n = recvmsg(l->fd, &h, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN)
		return 0;
	if (n < 0)
		return err_set(e, -errno, "read from the other end: %s", strerror(errno));
	keep_passed(l, &h);
	if (!n)
		return err_set(e, -EPIPE, "the other end has closed");
	buf_grow(&l->in, (size_t)n);
	return 1;
}

int half_link_take(struct half_link *l, Cmx__Half **ret, struct err *e)
{
	struct frame f;
	Cmx__Half *m;
	int r = frame_take(&l->in, &f, e);

	if (r <= 0)
		return r;
	if (f.type != FRAME_HALF)
		return err_set(e, -EPROTO, "%s where HALF was to come", frame_name(f.type));
	m = message_get(&cmx__half__descriptor, f.payload, f.len, e);
	if (!m)
		return -EPROTO;
	buf_eat(&l->in, FRAME_HEADER + f.len);
	*ret = m;
	return 1;
}

int half_link_passed(struct half_link *l)
{
	return fd_take(&l->passed);
}

void half_id_text(const uint8_t *id, char *ret)
{
	for (size_t i = 0; i < HALF_ID_LEN; i++)
		(void)snprintf(ret + 2 * i, 3, "%02x", id[i]);
}

static int digit(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *p = c ? strchr(digits, c) : NULL;

	return p ? (int)(p - digits) : -1;
}

int half_id_parse(const char *text, uint8_t *ret)
{
	uint8_t id[HALF_ID_LEN];

	if (strlen(text) != 2 * HALF_ID_LEN)
		return -EINVAL;
	for (size_t i = 0; i < HALF_ID_LEN; i++) {
		int high = digit(text[2 * i]), low = digit(text[2 * i + 1]);

		if (high < 0 || low < 0)
			return -EINVAL;
		id[i] = (uint8_t)(high << 4 | low);
	}
	memcpy(ret, id, sizeof(id));
	return 0;
}
