/* SPDX-License-Identifier: GPL-2.0-or-later */
/* image.c - the memory of an image, and what makes one fit to be built */
#include "image/image.h"

#include <errno.h>
#include <signal.h>

#include "base/le.h"

#define PID_MAX	     4194304U /* PID_MAX_LIMIT of a 64-bit kernel, proc(5) */
#define NO_ID	     UINT32_MAX
#define CODE_64	     0x33 /* the code segment of 64-bit programs */
#define ROBUST_SIZE  24	  /* of struct robust_list_head, get_robust_list(2) */
#define RSEQ_MAX     4096
#define CALL_MAX     1023 /* far above the last number of a call */
#define VSYSCALL     0xffffffffff600000ULL
#define PERSONA_MAX  UINT32_MAX
#define XSTATE_LEAST 576 /* the legacy area and the header of XSAVE */
#define XSTATE_BV    512 /* offsets in that header */
#define XCOMP_BV     520
#define XCR0_LEAST   3 /* x87 and SSE: every x86-64 has them */

#define PROT_ALL      7U
#define PROT_WRITABLE 2U
#define FLAGS_ALL     (IMAGE_MAP_BEYOND * 2U - 1)

/* ---- memory ---- */

void image_init(struct image *m)
{
	*m = (struct image){ 0 };
}

void image_done(struct image *m)
{
	if (!m)
		return;
	for (size_t i = 0; i < m->n_threads; i++)
		free(m->threads[i].xstate);
	free(m->threads);
	free(m->mappings);
	image_init(m);
}

/* arrays have room for the next power of two: one more than that is when n is one already */
static void *more(void *p, size_t n, size_t size)
{
	if (n & (n - 1))
		return p;
	return reallocarray(p, n ? 2 * n : 1, size);
}

struct image_mapping *image_add_mapping(struct image *m)
{
	struct image_mapping *p;

	if (m->n_mappings == IMAGE_MAPPINGS_MAX)
		return NULL;
	p = more(m->mappings, m->n_mappings, sizeof(*p));
	if (!p)
		return NULL;
	m->mappings = p;
	p += m->n_mappings++;
	*p = (struct image_mapping){ 0 };
	return p;
}

size_t image_behind(const struct image *m, uint64_t at)
{
	size_t low = 0, high = m->n_mappings;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (m->mappings[mid].end <= at)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

const struct image_mapping *image_at(const struct image *m, uint64_t at)
{
	size_t i = image_behind(m, at);

	return i < m->n_mappings && m->mappings[i].start <= at ? &m->mappings[i] : NULL;
}

struct image_thread *image_add_thread(struct image *m)
{
	struct image_thread *p;

	if (m->n_threads == IMAGE_THREADS_MAX)
		return NULL;
	p = more(m->threads, m->n_threads, sizeof(*p));
	if (!p)
		return NULL;
	m->threads = p;
	p += m->n_threads++;
	*p = (struct image_thread){ 0 };
	return p;
}

/* ---- checks ---- */

static bool ends_with_nul(const char *name)
{
	return memchr(name, '\0', IMAGE_NAME_MAX) != NULL;
}

/* [at, at + n) is in user space */
static bool is_user(uint64_t at, uint64_t n)
{
	return n <= IMAGE_TOP && at <= IMAGE_TOP - n;
}

static bool is_aligned(uint64_t v)
{
	return !(v % IMAGE_PAGE);
}

static bool has_valid_limits(const struct image *m)
{
	for (size_t i = 0; i < IMAGE_LIMITS; i++)
		if (m->limits[i].soft > m->limits[i].hard)
			return false;
	return true;
}

static int check_process(const struct image *m, struct err *e)
{
	const struct {
		bool good;
		const char *what;
	} rows[] = {
		{ m->pid && m->pid <= PID_MAX, "a process id that cannot be" },
		{ m->uid != NO_ID && m->gid != NO_ID, "no user or no group" },
		{ ends_with_nul(m->name), "a name without end" },
		{ !m->parasite == !m->parasite_size && is_aligned(m->parasite) &&
			  is_aligned(m->parasite_size) && is_user(m->parasite, m->parasite_size),
		  "a reserved region outside of user space" },
		{ (m->xcr0 & XCR0_LEAST) == XCR0_LEAST, "no floating point state" },
		{ m->monotonic_ns >= 0 && m->boottime_ns >= 0, "a clock before zero" },
		{ m->personality <= PERSONA_MAX, "a personality that cannot be" },
		{ m->virtual_timer[0] <= INT64_MAX && m->virtual_timer[1] <= INT64_MAX &&
			  m->prof_timer[0] <= INT64_MAX && m->prof_timer[1] <= INT64_MAX,
		  "a timer beyond the end of time" },
		{ has_valid_limits(m), "a limit above what it may be" },
		{ m->cpu_used_ns <= INT64_MAX, "more CPU time than can be" },
		{ m->no_new_privs <= 1 && m->thp_disable <= 1, "a yes or no that is neither" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (!rows[i].good)
			return err_set(e, -EPROTO, "an image with %s", rows[i].what);
	return 0;
}

static int check_mm(const struct image_mm *mm, struct err *e)
{
	const struct {
		uint64_t from, to;
		const char *what;
	} rows[] = {
		{ mm->start_code, mm->end_code, "code" },
		{ mm->start_data, mm->end_data, "data" },
		{ mm->start_brk, mm->brk, "heap" },
		{ mm->arg_start, mm->arg_end, "arguments" },
		{ mm->env_start, mm->env_end, "environment" },
		{ mm->start_stack, mm->start_stack, "stack" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].from > rows[i].to || rows[i].to >= IMAGE_TOP)
			return err_set(e, -EPROTO, "an image whose %s is at [%#llx, %#llx)",
				       rows[i].what, (unsigned long long)rows[i].from,
				       (unsigned long long)rows[i].to);
	return 0;
}

static int bad_mapping(const struct image_mapping *v, const char *why, struct err *e)
{
	return err_set(e, -EPROTO, "an image with a mapping [%#llx, %#llx) %s",
		       (unsigned long long)v->start, (unsigned long long)v->end, why);
}

static int check_place(const struct image *m, const struct image_mapping *v, uint64_t after,
		       struct err *e)
{
	if (!is_aligned(v->start) || !is_aligned(v->end) || v->start >= v->end)
		return bad_mapping(v, "that is not one of whole pages", e);
	if (v->start < after)
		return bad_mapping(v, "that is not behind the one before it", e);
	if (v->flags & IMAGE_MAP_VSYSCALL) {
		if (v->start != VSYSCALL || v->end != VSYSCALL + IMAGE_PAGE)
			return bad_mapping(v, "that is not where [vsyscall] is", e);
		return 0;
	}
	if (v->end > IMAGE_TOP)
		return bad_mapping(v, "beyond the end of user space", e);
	if (v->start < m->parasite + m->parasite_size && v->end > m->parasite)
		return bad_mapping(v, "in the region that is reserved", e);
	return 0;
}

static int check_kind(const struct image_mapping *v, struct err *e)
{
	uint32_t special = v->flags & (IMAGE_MAP_VDSO | IMAGE_MAP_VSYSCALL);

	if (v->prot & ~PROT_ALL || v->flags & ~FLAGS_ALL)
		return bad_mapping(v, "with flags that this version does not know", e);
	if ((special && v->flags & (IMAGE_MAP_FILE | IMAGE_MAP_SHARED | IMAGE_MAP_GROWSDOWN)) ||
	    special == (IMAGE_MAP_VDSO | IMAGE_MAP_VSYSCALL))
		return bad_mapping(v, "that is two things at once", e);
	if (v->flags & IMAGE_MAP_READONLY &&
	    (!(v->flags & IMAGE_MAP_SHARED) || v->prot & PROT_WRITABLE))
		return bad_mapping(v, "that can never be written, and can", e);
	if (v->flags & IMAGE_MAP_BEYOND && (!(v->flags & IMAGE_MAP_FILE) || v->file))
		return bad_mapping(v, "behind the end of no file", e);
	if (v->flags & IMAGE_MAP_FILE &&
	    (!is_aligned(v->offset) || v->offset > INT64_MAX - (v->end - v->start)))
		return bad_mapping(v, "of a file at an offset that cannot be", e);
	if (v->file && (v->file > IMAGE_FILES_MAX || !(v->flags & IMAGE_MAP_FILE) ||
			(v->flags & IMAGE_MAP_SHARED && v->prot & PROT_WRITABLE)))
		return bad_mapping(v, "of a file that no host can have", e);
	return 0;
}

static int check_mappings(const struct image *m, struct err *e)
{
	uint64_t after = 0, vdso = 0;

	for (size_t i = 0; i < m->n_mappings; i++) {
		const struct image_mapping *v = &m->mappings[i];
		int r = check_place(m, v, after, e);

		if (!r)
			r = check_kind(v, e);
		if (r < 0)
			return r;
		after = v->end;
		if (v->flags & IMAGE_MAP_VDSO && !vdso)
			vdso = v->start;
	}
	if (vdso != m->vdso_start)
		return err_set(e, -EPROTO, "an image whose vdso is not where it says");
	return 0;
}

static bool has_valid_xstate(const struct image_thread *t, uint64_t xcr0)
{
	if (t->xstate_len < XSTATE_LEAST || t->xstate_len > IMAGE_XSTATE_MAX || !t->xstate)
		return false;
	/* the compact form is the kernel's own business */
	return !(le64_get(t->xstate + XSTATE_BV) & ~xcr0) && !le64_get(t->xstate + XCOMP_BV);
}

static int check_thread(const struct image *m, const struct image_thread *t, struct err *e)
{
	const struct {
		bool good;
		const char *what;
	} rows[] = {
		{ t->tid && t->tid <= PID_MAX, "an id that cannot be" },
		{ ends_with_nul(t->name), "a name without end" },
		{ t->regs.cs == CODE_64, "registers of a 32-bit program" },
		{ t->regs.fs_base < IMAGE_TOP && t->regs.gs_base < IMAGE_TOP,
		  "a segment outside of user space" },
		{ !t->rseq_address == !t->rseq_size && t->rseq_size <= RSEQ_MAX &&
			  is_user(t->rseq_address, t->rseq_size),
		  "a restartable sequence outside of user space" },
		{ (!t->robust_size && !t->robust_list) || t->robust_size == ROBUST_SIZE,
		  "a robust list of another size than the kernel's" },
		{ is_user(t->altstack_address, t->altstack_size),
		  "a signal stack outside of user space" },
		{ t->restart_call <= CALL_MAX, "a call to restart that cannot be" },
		{ t->on_signal < IMAGE_ON_SIGNAL_N, "a call that ends as none can" },
		{ t->done <= INT64_MAX && t->wait_until_ns >= 0,
		  "a rest of a call that cannot be" },
		{ has_valid_xstate(t, m->xcr0), "an extended state that cannot be" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (!rows[i].good)
			return err_set(e, -EPROTO, "an image with a thread %u that has %s", t->tid,
				       rows[i].what);
	return 0;
}

static int check_threads(const struct image *m, struct err *e)
{
	if (!m->n_threads || m->threads[0].tid != m->pid)
		return err_set(e, -EPROTO, "an image whose first thread is not its leader");
	for (size_t i = 0; i < m->n_threads; i++) {
		int r = check_thread(m, &m->threads[i], e);

		if (r < 0)
			return r;
		for (size_t j = 0; j < i; j++)
			if (m->threads[j].tid == m->threads[i].tid)
				return err_set(e, -EPROTO, "an image with two threads %u",
					       m->threads[i].tid);
	}
	return 0;
}

static int check_timers(const struct image *m, struct err *e)
{
	for (size_t i = 0; i < m->n_timers; i++) {
		const struct image_timer *t = &m->timers[i];

		if (t->id > INT32_MAX || t->tid > PID_MAX || t->signal_tid > PID_MAX ||
		    t->signo > IMAGE_SIGNALS || t->left_ns > INT64_MAX ||
		    t->interval_ns > INT64_MAX || (t->notify != SIGEV_NONE && !t->signo))
			return err_set(e, -EPROTO, "an image with a timer that cannot be");
	}
	return 0;
}

int image_check(const struct image *m, struct err *e)
{
	int r = check_process(m, e);

	if (!r)
		r = check_mm(&m->mm, e);
	if (!r)
		r = check_mappings(m, e);
	if (!r)
		r = check_timers(m, e);
	return r ? r : check_threads(m, e);
}
