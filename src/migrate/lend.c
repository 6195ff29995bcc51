/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "migrate/lend.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <unistd.h>

#include "os/fd.h"

struct question {
	uint64_t size;
	uint8_t digest[FILES_DIGEST];
	char name[FILES_NAME_MAX + 1];
};

#define HEAD offsetof(struct question, name)

union control {
	struct cmsghdr head;
	char bytes[CMSG_SPACE(sizeof(int))];
};

int lend_open(struct lend *l, const char *root, const char *cache, struct err *e)
{
	int ends[2];

	*l = (struct lend){ .root = -1, .ours = -1, .theirs = -1, .digests = { .fd = -1 } };
	l->root = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (l->root < 0)
		return err_set(e, -errno, "open '%s': %s", root, strerror(errno));
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) {
		lend_close(l);
		return err_set(e, -errno, "make a socket pair: %s", strerror(errno));
	}
	l->ours = ends[0];
	l->theirs = ends[1];
	digests_open(&l->digests, cache);
	return 0;
}

void lend_close(struct lend *l)
{
	fd_close(&l->root);
	fd_close(&l->ours);
	fd_close(&l->theirs);
	digests_done(&l->digests);
}

/* ------------------------------------------------------------------- outside */

/* Return: the file, if it is what was asked for; -errno */
static int find(struct lend *l, const struct question *q, size_t len)
{
	const struct open_how how = {
		.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
		.resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_IN_ROOT,
	};
	struct image_file have;
	struct stat st;
	AUTO_CLOSE int fd = -1;
	int r;

	if (!files_is_name(q->name, len) || !shared_root_name(q->name))
		return -EACCES;
	fd = (int)syscall(SYS_openat2, l->root, q->name, &how, sizeof(how));
	if (fd < 0)
		return -errno;
	if (!shared_root_file(fd) || fstat(fd, &st) < 0)
		return -EACCES;
	if ((uint64_t)st.st_size != q->size)
		return -ENOENT;
	r = digests_of(&l->digests, fd, &have, &st);
	if (r < 0)
		return r;
	return memcmp(have.digest, q->digest, FILES_DIGEST) ? -ENOENT : fd_take(&fd);
}

static bool answer(int sock, int fd)
{
	int32_t r = fd < 0 ? fd : 0;
	struct iovec part = { &r, sizeof(r) };
	struct msghdr m = { .msg_iov = &part, .msg_iovlen = 1 };
	union control c = { .head = { .cmsg_len = CMSG_LEN(sizeof(int)),
				      .cmsg_level = SOL_SOCKET,
				      .cmsg_type = SCM_RIGHTS } };

	if (fd >= 0) {
		memcpy(CMSG_DATA(&c.head), &fd, sizeof(fd));
		m.msg_control = &c;
		m.msg_controllen = sizeof(c);
	}
	return sendmsg(sock, &m, MSG_NOSIGNAL) == sizeof(r);
}

void lend_serve(struct lend *l, uint32_t silence_ms)
{
	const struct timeval silence = { silence_ms / 1000, silence_ms % 1000 * 1000 };
	struct question q;
	bool more = true;

	fd_close(&l->theirs);
	/* always possible; without it an agent that stands still is ended later */
	(void)setsockopt(l->ours, SOL_SOCKET, SO_RCVTIMEO, &silence, sizeof(silence));
	while (more) {
		ssize_t n = recv(l->ours, &q, sizeof(q) - 1, 0);
		AUTO_CLOSE int fd = -EINVAL;

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= (ssize_t)HEAD)
			break; /* it has closed its end, or talks nonsense */
		((char *)&q)[n] = '\0';
		fd = find(l, &q, (size_t)n - HEAD);
		more = answer(l->ours, fd);
	}
	lend_close(l);
}

/* --------------------------------------------------------------------- agent */

int lend_ask(int sock, const struct image_file *f)
{
	struct question q = { .size = f->size };
	size_t len = strnlen(f->name, FILES_NAME_MAX);
	ssize_t n;

	memcpy(q.digest, f->digest, sizeof(q.digest));
	memcpy(q.name, f->name, len);
	n = send(sock, &q, HEAD + len, MSG_NOSIGNAL | MSG_DONTWAIT);
	return n < 0 ? -errno : 0;
}

int lend_take(int sock)
{
	int32_t r = 0;
	struct iovec part = { &r, sizeof(r) };
	union control c = { 0 };
	struct msghdr m = {
		.msg_iov = &part, .msg_iovlen = 1, .msg_control = &c, .msg_controllen = sizeof(c)
	};
	ssize_t n = recvmsg(sock, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	int fd = -ENOENT;

	if (n < 0)
		return -errno;
	if (CMSG_FIRSTHDR(&m) && c.head.cmsg_type == SCM_RIGHTS &&
	    c.head.cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(&fd, CMSG_DATA(&c.head), sizeof(fd));
	if (n != sizeof(r) || r < 0) {
		if (fd >= 0)
			(void)close(fd);
		return n != sizeof(r) ? -EPIPE : r;
	}
	return fd;
}
