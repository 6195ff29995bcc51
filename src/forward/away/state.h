/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * state.h - inside of the marshaller: a call under way and the request that is being made
 *
 * A request is put together from pieces: bytes to take along, room for what comes back. Their
 * places in the buffer are given out when all are known (request_finish()); until then a piece is
 * its index. Functions that return int give a marshal_step or a piece's index, or -errno: -ENOMEM,
 * or -ENOBUFS when the request would be too large, which marshal.c makes into MARSHAL_RETURN.
 */
#ifndef FORWARD_AWAY_STATE_H
#define FORWARD_AWAY_STATE_H

#include "forward/away/marshal.h"
#include "forward/call.h"

#define PIECES_MAX 12
#define MOVE_MOST  0x7ffff000ULL /* MAX_RW_COUNT: the kernel moves no more in one call */

/* not NULL, and no address in any process: home's kernel says EFAULT when it gets to it */
#define BAD_ADDRESS (1ULL << 63)

enum piece_way {
	PIECE_IN,
	PIECE_BOTH,
	PIECE_OUT,
	PIECE_BY_RESULT, /* at most one: bytes that are there as far as the result says */
};

struct piece {
	enum piece_way way;
	bool always;	 /* written back also when the call failed */
	uint64_t guest;	 /* where piece_write_back() puts it; 0: whoever made it does that */
	uint32_t len;	 /* in the buffer */
	uint32_t back;	 /* bytes to write back, at most len */
	int8_t length;	 /* piece with an int that says how much of it to write back, -1: none */
	uint32_t staged; /* IN, BOTH: its bytes in stage */
	uint32_t place;	 /* in the buffer */
	int8_t in_piece; /* its address goes into a word of this piece ... */
	uint32_t at;	 /* ... at this offset; -1: into this argument, -2: nowhere */
};

struct part { /* of an iovec */
	uint64_t at, len;
};

enum transfer_form {
	TRANSFER_PLAIN,	    /* read, write */
	TRANSFER_AT,	    /* pread64, pwrite64 */
	TRANSFER_FLAGS,	    /* preadv2, pwritev2 */
	TRANSFER_SOCKET,    /* recvfrom, sendto */
	TRANSFER_FIRST_MSG, /* sendmsg of more than a chunk: the first with its header, then SOCKET
			     */
};

/* data on its way between parts of memory and a file, in chunks */
struct transfer {
	enum transfer_form form;
	bool write, asked_kind, last;
	bool asking;	/* the request is the one that asks for the kind of file */
	uint32_t flags; /* RWF_, MSG_ */
	int64_t offset;
	uint64_t total, done;
	uint32_t piece; /* bytes of the present request */
};

/* sendmsg, recvmsg and their many-message forms */
struct message {
	bool many, write;
	uint64_t at; /* of the msghdr */
	uint64_t name, control;
	uint64_t vector; /* many: of the first mmsghdr */
	uint32_t n, done;
	uint32_t flags;
	int64_t left_ns; /* recvmmsg with a timeout; -1: none */
};

/* a relative time to wait, as the last request has it */
struct wait {
	bool is;
	int arg; /* that holds it in milliseconds; -1: it is in memory */
	int64_t ns;
	uint64_t from_ns; /* when it began */
	uint64_t back; /* where the rest is written when the call ends for a signal, 0: nowhere */
	uint32_t back_unit_ns;
};

struct marshal {
	struct marshal_memory memory;
	uint32_t first_reserved, last_reserved;

	/* the call, as the program made it */
	uint32_t nr;
	uint64_t args[6];
	uint64_t began_ns, now_ns;
	bool has_mask;
	uint64_t mask;
	struct wait wait;
	uint64_t before;   /* bytes or messages that were done before this go: marshal_again() */
	uint64_t progress; /* and now, those included */
	bool cut;	   /* the answer is one of a call that was stopped */

	/* the request: what it will be */
	struct call_request call;
	struct piece pieces[PIECES_MAX];
	int n_pieces;
	uint32_t plus; /* bytes of the BY_RESULT piece that come without being counted */
	struct buf stage;

	/* what is done with its answer; NULL: piece_write_back() and the result */
	int (*answered)(struct marshal *m, const uint8_t *out, uint32_t n, int64_t result,
			int64_t *ret);

	struct part *parts; /* owned, PARTS_MAX once there is an iovec */
	struct part one;
	const struct part *part; /* the parts in use */
	uint32_t n_parts;
	struct transfer transfer;
	struct message message;
	uint64_t poll_at;
	uint32_t n_poll;
	uint32_t range_from, range_to; /* close_range: the second half */
};

/* ---- memory.c: the program's memory ---- */
bool memory_read(const struct marshal *m, uint64_t at, void *p, size_t n);
size_t memory_read_up_to(const struct marshal *m, uint64_t at, void *p, size_t n);
bool memory_write(const struct marshal *m, uint64_t at, const void *p, size_t n);

/** memory_reach() - How many of n bytes are there, looking at the ends first; holes are not seen */
size_t memory_reach(const struct marshal *m, uint64_t at, size_t n);

/** parts_load() - Read an iovec; 0, -EFAULT, -EINVAL (a length), -EMSGSIZE (too many), -ENOMEM */
int parts_load(struct marshal *m, uint64_t at, uint64_t n);
void parts_single(struct marshal *m, uint64_t at, uint64_t len);
uint64_t parts_total(const struct marshal *m);

/** parts_gather(), parts_scatter(), parts_reach() - From a logical offset on; Return: bytes done */
size_t parts_gather(const struct marshal *m, uint64_t from, uint8_t *to, size_t n);
size_t parts_scatter(const struct marshal *m, uint64_t from, const uint8_t *p, size_t n);
size_t parts_reach(const struct marshal *m, uint64_t from, size_t n);

/* ---- request.c: pieces ---- */
void request_start(struct marshal *m, uint32_t nr, const uint64_t args[6]);
int request_finish(struct marshal *m, struct buf *request);
/** piece_add() - Room for a piece; its bytes are zero; Return: its index */
int piece_add(struct marshal *m, enum piece_way way, uint32_t len);
uint8_t *piece_bytes(struct marshal *m, int piece);
void piece_to_arg(struct marshal *m, int piece, unsigned int arg);
void piece_to_word(struct marshal *m, int piece, int in_piece, uint32_t at);
/** piece_out() - Where the bytes of a piece that came back are; NULL: they did not */
const uint8_t *piece_out(const struct marshal *m, int piece, const uint8_t *out, uint32_t n);
/** piece_write_back() - All pieces that have an address in the program; -EFAULT */
int piece_write_back(struct marshal *m, const uint8_t *out, uint32_t n, int64_t result);
/** request_expect() - How long the output of an answer with such a result must be */
uint32_t request_expect(const struct marshal *m, int64_t result);

/* arguments that point to something: NULL stays NULL, what is not there becomes BAD_ADDRESS */
int arg_in(struct marshal *m, unsigned int arg, uint64_t len);
int arg_both(struct marshal *m, unsigned int arg, uint32_t len, bool always);
int arg_out(struct marshal *m, unsigned int arg, uint64_t len);
int arg_string(struct marshal *m, unsigned int arg);
/** arg_room() - Bytes whose number is behind a pointer in another argument */
int arg_room(struct marshal *m, unsigned int arg, unsigned int length_arg, bool both,
	     uint32_t most);
/** arg_time() - struct timespec (or timeval: unit 1000) to wait, shortened by what has passed */
int arg_time(struct marshal *m, unsigned int arg, uint32_t unit_ns, bool back);
/** arg_milliseconds() - Likewise, a value; negative: for ever */
void arg_milliseconds(struct marshal *m, unsigned int arg);
/** count_arg() - The argument that says how much to move, of calls that words describe; -1: none */
int count_arg(uint32_t nr);
/** wait_rest() - What is left of m->wait in ns */
int64_t wait_rest(const struct marshal *m, uint64_t now_ns);
/** arg_mask() - Signal mask to wait under; 0, or -EINVAL, -EFAULT as the call's result */
int arg_mask(struct marshal *m, uint64_t at, uint64_t size);
bool fd_reserved(const struct marshal *m, uint64_t fd);

/* ---- calls that need more than words; each makes the first request ---- */
typedef int start_fn(struct marshal *m, int64_t *ret);

/** spec_start() - Follow the words of a row */
int spec_start(struct marshal *m, const char *spec, int64_t *ret);
/** spec_function() - The function that "!name" means, NULL: none */
start_fn *spec_function(const char *name);

start_fn start_read, start_write, start_pread, start_pwrite, start_readv, start_writev,
	start_preadv, start_pwritev, start_preadv2, start_pwritev2, start_recvfrom, start_sendto;
start_fn start_sendmsg, start_recvmsg, start_sendmmsg, start_recvmmsg;
start_fn start_poll, start_ppoll, start_select, start_pselect6;
start_fn start_close_range, start_nanosleep, start_clock_nanosleep;

/** transfer_next() - The request for the next chunk */
int transfer_next(struct marshal *m, int64_t *ret);
/** transfer_ask_kind() - Is this a file that gives all that is wanted? Then the next chunk */
int transfer_ask_kind(struct marshal *m);
/** transfer_answered() - Of m->answered, for all forms */
int transfer_answered(struct marshal *m, const uint8_t *out, uint32_t n, int64_t result,
		      int64_t *ret);

#endif
