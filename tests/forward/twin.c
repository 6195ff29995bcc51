/* SPDX-License-Identifier: GPL-2.0-or-later */
/* twin.c - make a call natively, or through marshaller, bytes and parasite */
#include "tests/forward/twin.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "forward/table/table.h"
#include "tests/fuzz/fuzz.h" /* MUST() */

#define PAGE	  4096U
#define NOTES_MAX (1U << 20)
#define POISON	  0xa5

static ssize_t read_some(void *owner, uint64_t at, void *p, size_t n)
{
	struct iovec to = { p, n }, from = { (void *)(uintptr_t)at, n };
	ssize_t r = process_vm_readv(getpid(), &to, 1, &from, 1, 0);

	if (r < 0 && n > PAGE - at % PAGE) { /* one entry is read in whole or not, over a hole */
		to.iov_len = from.iov_len = PAGE - at % PAGE;
		r = process_vm_readv(getpid(), &to, 1, &from, 1, 0);
	}
	return r > 0 ? r : -EFAULT;
}

static int write_all(void *owner, uint64_t at, const void *p, size_t n)
{
	struct iovec from = { (void *)(uintptr_t)p, n }, to = { (void *)(uintptr_t)at, n };

	return process_vm_writev(getpid(), &from, 1, &to, 1, 0) == (ssize_t)n ? 0 : -EFAULT;
}

/* not by pthread nor clone(3): the thread runs nothing but the parasite, and sanitizers that look
 * at threads need not know of it; it ends by PARASITE_EXIT */
static void start_thread(struct twin *t)
{
	uint64_t flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD |
			 CLONE_SYSVSEM | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID;
	int64_t r;

	__asm__ volatile("movq	%[tid], %%r10\n"
			 "	xorl	%%r8d, %%r8d\n"
			 "	syscall\n"
			 "	testq	%%rax, %%rax\n"
			 "	jnz	1f\n"
			 "	movq	%[context], %%rdi\n"
			 "	jmp	*%[entry]\n"
			 "1:\n"
			 : "=a"(r)
			 : "a"(SYS_clone), "D"(flags),
			   "S"((uint8_t *)t->context + PARASITE_SLOT_BYTES),
			   "d"(&t->tid), [tid] "r"(&t->tid), [context] "r"(t->context),
			   [entry] "r"(t->region + parasite_entry())
			 : "rcx", "r8", "r10", "r11", "memory");
	MUST(r > 0);
}

static void map_arena(struct twin *t)
{
	t->arena = mmap(NULL, TWIN_ARENA + PAGE, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	MUST(t->arena != MAP_FAILED);
	t->hole = t->arena + TWIN_ARENA;
	MUST(mprotect(t->hole, PAGE, PROT_NONE) == 0);
}

void twin_start(struct twin *t)
{
	struct marshal_memory memory = { t, read_some, write_all };
	int pair[2];
	size_t n;
	const void *code = parasite_code(&n);

	*t = (struct twin){ 0 };
	map_arena(t);
	t->region = mmap(NULL, PARASITE_CODE_BYTES + 3 * PARASITE_SLOT_BYTES,
			 PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	t->answer = malloc(CALL_BYTES_MAX);
	MUST(t->region != MAP_FAILED && t->answer && n <= PARASITE_CODE_BYTES);
	memcpy(t->region, code, n);
	MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
	/* out of the way of the numbers that scenarios get */
	t->socket = fcntl(pair[0], F_DUPFD_CLOEXEC, 800);
	MUST(t->socket >= 800 && dup3(pair[1], TWIN_RESERVED, O_CLOEXEC) == TWIN_RESERVED);
	(void)close(pair[0]); /* copies are kept */
	(void)close(pair[1]);
	t->context = (struct parasite_context *)(void *)(t->region + PARASITE_CODE_BYTES);
	t->context->fd = TWIN_RESERVED;
	t->context->first_slot = P(t->context);
	t->context->n_slots = 3;
	buf_init(&t->request, CALL_BYTES_MAX);
	buf_init(&t->notes, NOTES_MAX);
	t->marshal = marshal_new(&memory, TWIN_RESERVED, TWIN_RESERVED + TWIN_RESERVED_N - 1);
	MUST(t->marshal);
	start_thread(t);
}

static void write_whole(int fd, const void *p, size_t n)
{
	ssize_t r;

	for (; n; n -= (size_t)r, p = (const uint8_t *)p + r) {
		r = write(fd, p, n);
		MUST(r > 0);
	}
}

static void read_whole(int fd, void *p, size_t n)
{
	ssize_t r;

	for (; n; n -= (size_t)r, p = (uint8_t *)p + r) {
		r = read(fd, p, n);
		MUST(r > 0);
	}
}

size_t twin_send(struct twin *t, const void *request, size_t n)
{
	uint32_t length = (uint32_t)n;

	write_whole(t->socket, &length, sizeof(length));
	write_whole(t->socket, request, n);
	read_whole(t->socket, &length, sizeof(length));
	MUST(length <= CALL_BYTES_MAX);
	read_whole(t->socket, t->answer, length);
	return length;
}

void twin_stop(struct twin *t)
{
	struct call_request q = { .nr = PARASITE_EXIT };
	uint32_t length = sizeof(q);
	pid_t tid;

	write_whole(t->socket, &length, sizeof(length));
	write_whole(t->socket, &q, sizeof(q));
	while ((tid = t->tid)) /* the kernel clears it and wakes us; EAGAIN: already */
		(void)syscall(SYS_futex, &t->tid, FUTEX_WAIT, tid, NULL, NULL, 0);
	(void)close(t->socket);
	(void)close(TWIN_RESERVED);
	marshal_free(t->marshal);
	buf_done(&t->request);
	buf_done(&t->notes);
	(void)munmap(t->arena, TWIN_ARENA + PAGE);
	(void)munmap(t->region, PARASITE_CODE_BYTES + 3 * PARASITE_SLOT_BYTES);
	free(t->answer);
}

static int64_t native(uint32_t nr, const uint64_t a[6])
{
	long r = syscall(nr, a[0], a[1], a[2], a[3], a[4], a[5]);

	return r < 0 ? -errno : r;
}

static int64_t through_parasite(struct twin *t, uint32_t nr, const uint64_t args[6])
{
	int64_t result = 0;
	int step = marshal_begin(t->marshal, nr, args, 0, &t->request, &result);

	t->sent = 0;
	t->began_step = step;
	while (step == MARSHAL_SEND) {
		size_t n = twin_send(t, buf_bytes(&t->request), t->request.len);

		t->sent++;
		step = marshal_answer(t->marshal, t->answer, n, 0, &t->request, &result);
	}
	if (step == MARSHAL_RETURN)
		return native(nr, args); /* as it is: made at home */
	MUST(step == MARSHAL_RESULT);
	return result;
}

int64_t twin_quiet(struct twin *t, uint32_t nr, const uint64_t args[6])
{
	MUST(nr < ARRAY_LEN(t->seen));
	t->seen[nr] |= t->away;
	if (t->alone && table_judge(nr, args).class == TABLE_RETURN)
		return 0; /* would bring us home */
	return t->away ? through_parasite(t, nr, args) : native(nr, args);
}

typedef uint64_t __attribute__((may_alias)) word_of_any;

/* FNV-1a over words; all of the arena after each call: too much for code that is watched */
__attribute__((no_sanitize("thread", "address", "undefined"))) static uint64_t
sum_of(const word_of_any *p, size_t n)
{
	uint64_t sum = 14695981039346656037ULL;

	for (size_t i = 0; i < n; i++)
		sum = (sum ^ p[i]) * 1099511628211ULL;
	return sum;
}

int64_t twin_call(struct twin *t, const char *name, uint32_t nr, const uint64_t args[6])
{
	int64_t result = twin_quiet(t, nr, args);
	uint64_t sum = sum_of((const word_of_any *)(void *)t->arena,
			      TWIN_ARENA / sizeof(word_of_any));

	MUST(buf_printf(&t->notes, "%s(%llx, %llx, %llx) = %lld, memory %016llx\n", name,
			(unsigned long long)args[0], (unsigned long long)args[1],
			(unsigned long long)args[2], (long long)result,
			(unsigned long long)sum) == 0);
	return result;
}

static char *run_once(struct twin *t, bool away, void (*scenario)(struct twin *))
{
	t->away = away;
	memset(t->arena, POISON, TWIN_ARENA);
	buf_reset(&t->notes);
	scenario(t);
	return strdup(buf_text(&t->notes));
}

void twin_compare(struct twin *t, const char *name, char *a, char *b)
{
	char *line_a, *line_b;

	while (a || b) {
		line_a = strsep(&a, "\n");
		line_b = strsep(&b, "\n");
		if (!line_a || !line_b || strcmp(line_a, line_b) != 0) {
			(void)fprintf(stderr, "%s:\n  native: %s\n  away:   %s\n", name,
				      line_a ?: "(end)", line_b ?: "(end)");
			t->differences++;
			return;
		}
	}
}

void twin_run(struct twin *t, const char *name, void (*scenario)(struct twin *))
{
	AUTO_FREE char *here = run_once(t, false, scenario), *away = run_once(t, true, scenario);

	twin_compare(t, name, here, away);
}

void twin_start_alone(struct twin *t)
{
	*t = (struct twin){ .alone = true };
	map_arena(t);
	buf_init(&t->notes, NOTES_MAX);
}

char *twin_notes(struct twin *t, void (*scenario)(struct twin *))
{
	return run_once(t, false, scenario);
}

uint64_t twin_text(struct twin *t, size_t offset, const char *s)
{
	return twin_bytes(t, offset, s, strlen(s) + 1);
}

uint64_t twin_bytes(struct twin *t, size_t offset, const void *p, size_t n)
{
	memcpy(t->arena + offset, p, n);
	return P(t->arena + offset);
}

void twin_forget(struct twin *t, size_t offset, size_t n)
{
	memset(t->arena + offset, 0, n);
}

static char scratch[] = "/tmp/comosix-twin.XXXXXX";

void twin_scratch(void)
{
	MUST(mkdtemp(scratch));
}

void twin_enter_scratch(void)
{
	MUST(chdir(scratch) == 0);
}

void twin_leave_scratch(void)
{
	MUST(chdir("/") == 0 && rmdir(scratch) == 0); /* scenarios remove what they make */
}
