/* SPDX-License-Identifier: GPL-2.0-or-later */
/* record.c - what each record of an image holds: the tables that put.c and get.c walk */
#include "image/record.h"

#define MEMBER(type, member) (((type *)0)->member)
#define NUMBER(type, member)                                                                       \
	{                                                                                          \
		offsetof(type, member), 1, sizeof(MEMBER(type, member))                            \
	}
#define BYTES(type, member)                                                                        \
	{                                                                                          \
		offsetof(type, member), sizeof(MEMBER(type, member)), 1                            \
	}
/* an array or struct of nothing but 64-bit numbers */
#define WORDS(type, member)                                                                        \
	{                                                                                          \
		offsetof(type, member), sizeof(MEMBER(type, member)) / 8, 8                        \
	}

static const struct record_field process_fields[] = {
	NUMBER(struct image, pid),
	NUMBER(struct image, uid),
	NUMBER(struct image, gid),
	BYTES(struct image, name),
	NUMBER(struct image, parasite),
	NUMBER(struct image, parasite_size),
	NUMBER(struct image, vdso_start),
	BYTES(struct image, vdso_digest),
	NUMBER(struct image, xcr0),
	NUMBER(struct image, monotonic_ns),
	NUMBER(struct image, boottime_ns),
	NUMBER(struct image, personality),
	WORDS(struct image, virtual_timer),
	WORDS(struct image, prof_timer),
	NUMBER(struct image, no_new_privs),
	NUMBER(struct image, thp_disable),
	NUMBER(struct image, first_fd),
	NUMBER(struct image, last_fd),
	/* added since */
	WORDS(struct image, limits),
	NUMBER(struct image, limits_bound),
	NUMBER(struct image, cpu_used_ns),
	NUMBER(struct image, n_cpus),
};

static const struct record_field mm_fields[] = { WORDS(struct image, mm) };

static const struct record_field action_fields[] = { WORDS(struct image, actions) };

static const struct record_field mapping_fields[] = {
	NUMBER(struct image_mapping, start),  NUMBER(struct image_mapping, end),
	NUMBER(struct image_mapping, prot),   NUMBER(struct image_mapping, flags),
	NUMBER(struct image_mapping, offset), NUMBER(struct image_mapping, inode),
	NUMBER(struct image_mapping, major),  NUMBER(struct image_mapping, minor),
	NUMBER(struct image_mapping, file),
};

static const struct record_field thread_fields[] = {
	NUMBER(struct image_thread, tid),
	BYTES(struct image_thread, name),
	WORDS(struct image_thread, regs),
	NUMBER(struct image_thread, sigmask),
	NUMBER(struct image_thread, rseq_address),
	NUMBER(struct image_thread, rseq_size),
	NUMBER(struct image_thread, rseq_signature),
	NUMBER(struct image_thread, robust_list),
	NUMBER(struct image_thread, robust_size),
	NUMBER(struct image_thread, clear_tid),
	NUMBER(struct image_thread, altstack_address),
	NUMBER(struct image_thread, altstack_size),
	NUMBER(struct image_thread, altstack_flags),
	NUMBER(struct image_thread, timer_slack_ns),
	NUMBER(struct image_thread, restart_call),
	NUMBER(struct image_thread, xstate_len),
	/* added since: behind the extended state */
	NUMBER(struct image_thread, done),
	NUMBER(struct image_thread, wait_until_ns),
	WORDS(struct image_thread, cpus),
	NUMBER(struct image_thread, on_signal),
};

static const struct record_field end_fields[] = {
	NUMBER(struct record_end, n_mappings),
	NUMBER(struct record_end, n_threads),
	NUMBER(struct record_end, n_timers),
};

static const struct record_field timer_fields[] = {
	NUMBER(struct image_timer, id),		NUMBER(struct image_timer, tid),
	NUMBER(struct image_timer, notify),	NUMBER(struct image_timer, signo),
	NUMBER(struct image_timer, signal_tid), NUMBER(struct image_timer, value),
	NUMBER(struct image_timer, left_ns),	NUMBER(struct image_timer, interval_ns),
};

/* the last number of a row is n_first: it stays when fields are added */
#define ROW(kind, name, fields, n_first)                                                           \
	{                                                                                          \
		kind, name, fields, ARRAY_LEN(fields), n_first                                     \
	}

static const struct record_row rows[] = {
	ROW(RECORD_PROCESS, "process", process_fields, 18),
	ROW(RECORD_MM, "memory layout", mm_fields, 1),
	ROW(RECORD_ACTIONS, "signal actions", action_fields, 1),
	ROW(RECORD_MAPPING, "mapping", mapping_fields, 8),
	ROW(RECORD_THREAD, "thread", thread_fields, 16),
	ROW(RECORD_END, "end", end_fields, 2),
	ROW(RECORD_TIMER, "timer", timer_fields, 8),
};

const struct record_row *record_row(unsigned int kind)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].kind == kind)
			return &rows[i];
	return NULL;
}

uint32_t record_bytes(const struct record_row *row, unsigned int n)
{
	uint32_t bytes = 0;

	for (unsigned int i = 0; i < n; i++)
		bytes += (uint32_t)row->fields[i].n * row->fields[i].size;
	return bytes;
}
