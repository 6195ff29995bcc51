/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * channel.h - the lab's own messages, with file descriptors, over Unix packet sockets
 *
 * Between commands and the supervisor, and between the supervisor and the first process of each
 * pod. Both ends are one build, so a message is one packet: a type, a number, a line of text and
 * up to CHANNEL_FDS_MAX descriptors. A packet is read whole or refused. The supervisor's socket is
 * one of sock_packet_listen().
 */
#ifndef LAB_CHANNEL_H
#define LAB_CHANNEL_H

#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

#define CHANNEL_TEXT_MAX 4096
#define CHANNEL_FDS_MAX	 6

/* name, who says it, meaning of text, number and fds */
#define LAB_MESSAGES(X)                                                                            \
	X(EXEC, "command", "text: node; number: 1 a pty is wanted; fds: request, 0, 1, 2")         \
	X(STATUS, "command", "answer DONE, fd: an array of struct pod_report")                     \
	X(KILL, "command", "text: node")                                                           \
	X(START, "command", "text: node")                                                          \
	X(CUT, "command", "text: node")                                                            \
	X(HEAL, "command", "text: node")                                                           \
	X(ADD, "command",                                                                          \
	  "number: how many; text: enum lab_add_flags; DONE has the first's number")               \
	X(ROOT, "command", "text: node; answer DONE, fd: its root directory")                      \
	X(PROGRESS, "supervisor", "text: step; number: what is done so far")                       \
	X(DONE, "supervisor", "the answer is yes")                                                 \
	X(FAILED, "supervisor", "text: why; number: exit status for the command")                  \
	X(SIGNAL, "command", "number: signal for the process group of an EXEC")                    \
	X(STARTED, "init", "an EXEC runs; fd: the pty's master if one was wanted")                 \
	X(EXIT, "init", "number: wait status of an EXEC")                                          \
	X(BOOT, "supervisor", "the pod's link is there; text: token")                              \
	X(POD_EXEC, "supervisor", "number: 1 pty; text: credentials; fds: connection, EXEC's fds") \
	X(POD_SERVICE, "init", "text: service; number: how often it had to be started again")      \
	X(POD_READY, "init", "all services of the pod are ready")                                  \
	X(POD_FAILED, "init", "text: why; the pod cannot become ready")

enum lab_message {
#define LAB_MESSAGE_ENUM(name, who, what) SAY_##name,
	LAB_MESSAGES(LAB_MESSAGE_ENUM)
#undef LAB_MESSAGE_ENUM
	SAY_COUNT,
};

struct channel_msg {
	enum lab_message type;
	int32_t number;
	char text[CHANNEL_TEXT_MAX + 1];
	int fds[CHANNEL_FDS_MAX]; /* of a received message: the reader's to close */
	unsigned int n_fds;
};

/** channel_pair() - Two connected ends, close-on-exec and non-blocking */
int channel_pair(int ret_fds[2], struct err *e) MUST_CHECK;

/**
 * channel_send() - Send one message; a full queue is -EAGAIN
 * @fd:		The channel
 * @type, @number, @text: The message; text may be NULL and is cut at CHANNEL_TEXT_MAX
 * @fds, @n_fds: Descriptors that go with it; they stay the caller's
 */
int channel_send_fds(int fd, enum lab_message type, int32_t number, const char *text,
		     const int *fds, unsigned int n_fds) MUST_CHECK;

static inline int MUST_CHECK channel_send(int fd, enum lab_message type, int32_t number,
					  const char *text)
{
	return channel_send_fds(fd, type, number, text, NULL, 0);
}

/** channel_tell() - Send to one who may have gone or not listen: then the message is lost */
void channel_tell(int fd, enum lab_message type, int32_t number, const char *text);

/** channel_tell_fd() - The same with a descriptor, which stays the caller's */
void channel_tell_fd(int fd, enum lab_message type, int pass);

/**
 * channel_recv() - Take one message
 * @fd:		The channel
 * @ret:	Filled when 1 is returned; end it with channel_msg_done()
 *
 * Return: 1, 0 the other end is closed, -EAGAIN nothing there, -EPROTO no message of ours
 */
int channel_recv(int fd, struct channel_msg *ret) MUST_CHECK;

/** channel_wait() - The same, but wait for it; timeout_ms < 0: for ever; -ETIMEDOUT */
int channel_wait(int fd, int timeout_ms, struct channel_msg *ret) MUST_CHECK;

/** channel_msg_done() - Close the descriptors that nobody took (taken ones are set to -1) */
void channel_msg_done(struct channel_msg *m);

#endif
