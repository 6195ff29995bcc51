/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * preflight.c - may this process move, and if not, why
 *
 * Theory of operation. Four looks, from cheap to dear, each with a table of its own:
 *
 *	stat, status, namespaces, program	quick: for each process of a list
 *	its threads: scheduling, who else runs in its memory; its timers
 *	/proc/PID/fd				names of descriptors
 *	/proc/PID/maps				and smaps only when a name there may be a device's;
 *						all processes' maps only when it shares memory
 *
 * Nothing is opened but files of /proc, and nothing that is mapped is looked up by its name: a
 * file server that does not answer stops nobody here.
 */
#include "migrate/preflight.h"

#include <assert.h>
#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/parse.h"
#include "image/image.h"
#include "migrate/sharing.h"
#include "os/fd.h"
#include "os/file.h"

#define FIRST_USER   1000
#define STATUS_MAX   65536
#define CHILDREN_MAX (1U << 20)
#define HUGE_PAGE    (2ULL << 20)
#define VSYSCALL     0xffffffffff600000ULL
#define ALL_ONES     UINT64_MAX
#define TIMERS_MAX   (1U << 20)
#define SCHED_RESET  0x40000000 /* SCHED_RESET_ON_FORK comes with the policy */

/* how long a vfork(2) is waited for; a shell makes one for each command, of a millisecond */
#define VFORK_LOOKS    50
#define VFORK_PAUSE_MS 10

/* of such a process /proc shows nothing else */
#define NOTHING_TO_SEE                                                                             \
	(PREFLIGHT_BIT(KERNEL_THREAD) | PREFLIGHT_BIT(ENDING) | PREFLIGHT_BIT(LEADER_GONE))

static_assert(N_PREFLIGHT_REASONS <= 64, "a bit for each reason");

static const struct {
	const char *word, *sentence;
} texts[] = {
#define PREFLIGHT_TEXT(name, word, sentence) [PREFLIGHT_##name] = { word, sentence },
	PREFLIGHT_REASONS(PREFLIGHT_TEXT)
#undef PREFLIGHT_TEXT
};

const char *preflight_word(enum preflight_reason reason)
{
	return reason < N_PREFLIGHT_REASONS ? texts[reason].word : "?";
}

const char *preflight_sentence(enum preflight_reason reason)
{
	return reason < N_PREFLIGHT_REASONS ? texts[reason].sentence : "?";
}

static int put_texts(uint64_t reasons, bool sentences, struct buf *to)
{
	const char *comma = "";
	int r = 0;

	for (int i = 0; !r && i < N_PREFLIGHT_REASONS; i++) {
		if (!(reasons >> i & 1))
			continue;
		r = buf_printf(to, "%s%s", comma, sentences ? texts[i].sentence : texts[i].word);
		comma = sentences ? "; " : ", ";
	}
	return r;
}

int preflight_words(uint64_t reasons, struct buf *to)
{
	return put_texts(reasons, false, to);
}

int preflight_sentences(uint64_t reasons, struct buf *to)
{
	return put_texts(reasons, true, to);
}

/* ---- stat, status, namespaces, program ---- */

struct subject {
	pid_t pid;
	struct proc_stat stat;
	uint64_t permitted; /* capabilities */
};

static bool is_init(const struct subject *s)
{
	return s->pid == 1 || s->pid == getpid();
}

/* /proc shows the whole as a zombie then, without memory, program or namespaces */
static bool has_lost_leader(const struct subject *s)
{
	return s->stat.state == 'Z' && s->stat.n_threads > 1;
}

static bool is_ending(const struct subject *s)
{
	return strchr("ZXx", s->stat.state) && !has_lost_leader(s);
}

static bool is_traced(const struct subject *s)
{
	return s->stat.tracer && s->stat.tracer != getpid();
}

static bool has_seccomp(const struct subject *s)
{
	return s->stat.seccomp != 0;
}

static bool is_system_user(const struct subject *s)
{
	for (int i = 0; i < 4; i++)
		if (s->stat.uid[i] < FIRST_USER)
			return true;
	return false;
}

static bool is_privileged(const struct subject *s)
{
	for (int i = 1; i < 4; i++)
		if (s->stat.uid[i] != s->stat.uid[0] || s->stat.gid[i] != s->stat.gid[0])
			return true;
	return s->stat.cap_effective || s->permitted;
}

static bool has_many_threads(const struct subject *s)
{
	return s->stat.n_threads > IMAGE_THREADS_MAX;
}

static const struct {
	enum preflight_reason reason;
	bool (*holds)(const struct subject *s);
} status_rows[] = {
	{ PREFLIGHT_INIT, is_init },
	{ PREFLIGHT_ENDING, is_ending },
	{ PREFLIGHT_LEADER_GONE, has_lost_leader },
	{ PREFLIGHT_TRACED, is_traced },
	{ PREFLIGHT_SECCOMP, has_seccomp },
	{ PREFLIGHT_SYSTEM_USER, is_system_user },
	{ PREFLIGHT_PRIVILEGED, is_privileged },
	{ PREFLIGHT_THREADS, has_many_threads },
};

static bool begins_with(const char *s, const char *prefix)
{
	return !strncmp(s, prefix, strlen(prefix));
}

/* what follows "KEY:" at the start of a line of status; "" when there is no such line */
static const char *find_line(const char *status, const char *key)
{
	size_t len = strlen(key);

	for (const char *line = status; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (!strncmp(line, key, len))
			return line + len + strspn(line + len, " \t");
	}
	return "";
}

uint64_t preflight_status(const char *status)
{
	const char *mask = find_line(status, "untag_mask:");
	uint64_t reasons = 0;

	/* a kernel without the line has no tags */
	if (*mask && *mask != '\n' && strtoull(mask, NULL, 0) != ALL_ONES)
		reasons |= PREFLIGHT_BIT(TAGGED);
	/* the kernel's only words there are shstk and wrss, and wrss needs shstk */
	if (begins_with(find_line(status, "x86_Thread_features:"), "shstk"))
		reasons |= PREFLIGHT_BIT(SHADOW_STACK);
	return reasons;
}

static int gone(pid_t pid, struct err *e)
{
	return err_set(e, -ESRCH, "process %d has ended", pid);
}

static int read_subject(pid_t pid, struct subject *s, uint64_t *reasons, struct err *e)
{
	const char *text;
	struct buf status;
	char path[64];
	int r = proc_stat_read(pid, &s->stat, e);

	if (r < 0)
		return r;
	s->pid = pid;
	(void)snprintf(path, sizeof(path), "/proc/%d/status", pid);
	buf_init(&status, STATUS_MAX);
	r = file_read(path, &status, e);
	text = r < 0 ? "" : buf_text(&status);
	if (!r && !text)
		r = err_set(e, -ENOMEM, "no memory to look at process %d", pid);
	if (!r) {
		s->permitted = strtoull(find_line(text, "CapPrm:"), NULL, 16);
		*reasons |= preflight_status(text);
	}
	buf_done(&status);
	return r == -ENOENT ? gone(pid, e) : r;
}

/* 1 another one than ours, 0 the same, -errno */
static int is_other_namespace(pid_t pid, const char *name)
{
	char path[64], ours[64], its[64];
	ssize_t n, m;

	(void)snprintf(path, sizeof(path), "/proc/self/ns/%s", name);
	n = readlink(path, ours, sizeof(ours));
	if (n < 0)
		return 0; /* a kernel without this kind has one only */
	(void)snprintf(path, sizeof(path), "/proc/%d/ns/%s", pid, name);
	m = readlink(path, its, sizeof(its));
	if (m < 0)
		return -errno;
	return n != m || memcmp(ours, its, (size_t)n) != 0;
}

static int check_namespaces(pid_t pid, uint64_t *reasons, struct err *e)
{
	static const char *const names[] = {
		"pid", "user", "mnt", "ipc", "time", "pid_for_children", "time_for_children"
	};

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		int r = is_other_namespace(pid, names[i]);

		if (r == -ENOENT || r == -ESRCH)
			return gone(pid, e);
		if (r < 0)
			return err_set(e, r, "look at the namespaces of process %d: %s", pid,
				       strerror(-r));
		if (r)
			*reasons |= PREFLIGHT_BIT(CONTAINER);
	}
	return 0;
}

/* its files in /proc belong to root then: proc(5). Those of root's own processes do anyhow */
static int check_dumpable(const struct subject *s, uint64_t *reasons, struct err *e)
{
	struct stat st;
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%d/status", s->pid);
	if (stat(path, &st) < 0)
		return errno == ENOENT || errno == ESRCH
			       ? gone(s->pid, e)
			       : err_set(e, -errno, "look at '%s': %s", path, strerror(errno));
	if (st.st_uid != s->stat.uid[1])
		*reasons |= PREFLIGHT_BIT(NOT_DUMPABLE);
	return 0;
}

static int check_program(pid_t pid, uint64_t *reasons, struct err *e)
{
	Elf64_Ehdr h = { 0 };
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t n = fd < 0 ? -1 : pread(fd, &h, sizeof(h), 0);

	if (n < 0 && (errno == ENOENT || errno == ESRCH))
		return gone(pid, e);
	if (n < 0)
		return err_set(e, -errno, "look at the program of process %d: %s", pid,
			       strerror(errno));
	if (h.e_ident[EI_CLASS] != ELFCLASS64 || h.e_machine != EM_X86_64)
		*reasons |= PREFLIGHT_BIT(NOT_64_BIT);
	return 0;
}

/* what we may not look at cannot move anyhow, and there is a reason already: that one is said */
static int forgive(int r, uint64_t reasons)
{
	return reasons && (r == -EACCES || r == -EPERM) ? 0 : r;
}

int preflight_quick(pid_t pid, uint64_t *ret, struct err *e)
{
	struct subject s = { 0 };
	uint64_t reasons = 0;
	int r = read_subject(pid, &s, &reasons, e);

	if (r < 0)
		return r;
	if (s.stat.kernel_thread) {
		*ret = PREFLIGHT_BIT(KERNEL_THREAD);
		return 0; /* it has nothing else to look at */
	}
	for (size_t i = 0; i < ARRAY_LEN(status_rows); i++)
		if (status_rows[i].holds(&s))
			reasons |= 1ULL << status_rows[i].reason;
	if (!(reasons & NOTHING_TO_SEE)) {
		r = check_namespaces(pid, &reasons, e);
		if (!r)
			r = check_dumpable(&s, &reasons, e);
		if (!r)
			r = check_program(pid, &reasons, e);
	}
	r = forgive(r, reasons);
	if (!r)
		*ret = reasons;
	return r;
}

/* ---- threads ---- */

struct walk {
	pid_t pid;
	uint64_t reasons;
	pid_t child; /* one that runs in its memory; 0: none was seen */
	struct err *e;
};

/* fn(name) for each entry of /proc/PID/NAME that is a number; stops at the first -errno */
static int each_number(struct walk *w, const char *name, int (*fn)(struct walk *w, uint32_t number))
{
	struct dirent *d;
	char path[64];
	int r = 0;

	(void)snprintf(path, sizeof(path), "/proc/%d/%s", w->pid, name);
	DIR *dir = opendir(path);

	if (!dir)
		return errno == ENOENT || errno == ESRCH
			       ? gone(w->pid, w->e)
			       : err_set(w->e, -errno, "open '%s': %s", path, strerror(errno));
	while (!r && (d = readdir(dir))) {
		uint32_t number;

		if (!parse_u32(d->d_name, &number))
			r = fn(w, number);
	}
	(void)closedir(dir); /* it was only read */
	return r;
}

static bool same(pid_t a, pid_t b, int type)
{
	return syscall(SYS_kcmp, a, b, type, 0, 0) == 0;
}

/* Does a thread stand in a call that makes a child? It waits there for a child of vfork(2) only */
static bool waits_in_vfork(pid_t pid, uint32_t tid)
{
	static const unsigned long calls[] = { SYS_vfork, SYS_clone, SYS_clone3 };
	unsigned long nr = 0;
	char path[64];
	FILE *f;
	int n;

	(void)snprintf(path, sizeof(path), "/proc/%d/task/%u/syscall", pid, tid);
	f = fopen(path, "re");
	n = f ? fscanf(f, "%lu", &nr) : 0; /* "running": it is on a CPU */
	if (f)
		(void)fclose(f); /* was only read */
	for (size_t i = 0; n == 1 && i < ARRAY_LEN(calls); i++)
		if (calls[i] == nr)
			return true;
	return false;
}

/* of one that is only about to wait, or has just done so, the kernel says that it runs: once more then */
static uint64_t why_shared(struct walk *w, uint32_t tid, pid_t child)
{
	for (int i = 0; same(w->pid, child, KCMP_VM); i++) {
		w->child = child;
		if (waits_in_vfork(w->pid, tid))
			return PREFLIGHT_BIT(VFORK);
		if (i == 2)
			return PREFLIGHT_BIT(SHARED_SPACE);
		(void)poll(NULL, 0, 1);
	}
	return 0;
}

static int check_children(struct walk *w, uint32_t tid, const char *children)
{
	char *end;

	for (const char *p = children; p && *p; p = end) {
		unsigned long child = strtoul(p, &end, 10);

		if (end == p)
			break; /* the blank at the end */
		w->reasons |= why_shared(w, tid, (pid_t)child);
	}
	return 0;
}

static int check_thread(struct walk *w, uint32_t tid)
{
	struct buf children;
	const char *text;
	char path[64];
	int policy = sched_getscheduler((pid_t)tid), r;

	policy &= policy < 0 ? -1 : ~SCHED_RESET;
	if (policy == SCHED_FIFO || policy == SCHED_RR || policy == SCHED_DEADLINE)
		w->reasons |= PREFLIGHT_BIT(REAL_TIME);
	(void)snprintf(path, sizeof(path), "/proc/%d/task/%u/children", w->pid, tid);
	buf_init(&children, CHILDREN_MAX);
	r = file_read(path, &children, w->e);
	text = r < 0 ? "" : buf_text(&children);
	if (!text)
		r = err_set(w->e, -ENOMEM, "no memory to look at process %d", w->pid);
	if (!r)
		r = check_children(w, tid, text);
	buf_done(&children);
	return r == -ENOENT || r == -ESRCH ? 0 : r; /* a thread that has ended meanwhile */
}

static int check_threads(struct walk *w)
{
	struct proc_stat stat;
	int r = proc_stat_read(w->pid, &stat, w->e);

	if (r < 0)
		return r;
	if (stat.ppid && same(w->pid, stat.ppid, KCMP_VM))
		w->reasons |= PREFLIGHT_BIT(SHARED_SPACE);
	return each_number(w, "task", check_thread);
}

bool preflight_vfork(pid_t pid)
{
	struct err e = { 0 };
	struct walk w = { .pid = pid, .e = &e };

	if (each_number(&w, "task", check_thread) < 0 || !(w.reasons & PREFLIGHT_BIT(VFORK)))
		return false; /* also when it has ended: whoever needs to know will see */
	for (int i = 0; i < VFORK_LOOKS && same(pid, w.child, KCMP_VM); i++)
		(void)poll(NULL, 0, VFORK_PAUSE_MS);
	return same(pid, w.child, KCMP_VM);
}

/* ---- timers ---- */

uint64_t preflight_timers(const char *timers)
{
	static const char key[] = "ClockID:";
	size_t n = 0;

	/* clocks of the CPU time of a process or thread have negative numbers; 2 and 3 are one's own */
	for (const char *line = timers; *line; line += strcspn(line, "\n"), line += *line == '\n') {
		long clock;

		if (!begins_with(line, key))
			continue;
		clock = strtol(line + sizeof(key) - 1, NULL, 10);
		n += clock < 0 || clock == CLOCK_PROCESS_CPUTIME_ID ||
		     clock == CLOCK_THREAD_CPUTIME_ID;
	}
	return n > IMAGE_TIMERS_MAX ? PREFLIGHT_BIT(CPU_TIMERS) : 0;
}

static int check_timers(struct walk *w)
{
	struct buf timers;
	char path[64];
	int r;

	(void)snprintf(path, sizeof(path), "/proc/%d/timers", w->pid);
	buf_init(&timers, TIMERS_MAX);
	r = file_read(path, &timers, w->e);
	if (!r && !buf_text(&timers))
		r = err_set(w->e, -ENOMEM, "no memory to look at process %d", w->pid);
	if (!r)
		w->reasons |= preflight_timers(buf_text(&timers));
	buf_done(&timers);
	return r == -ENOENT || r == -ESRCH ? 0 : r; /* not every kernel tells; or it has ended */
}

/* ---- descriptors ---- */

static const struct {
	const char *prefix; /* of the link in /proc/PID/fd */
	enum preflight_reason reason;
} fd_rows[] = {
	{ "anon_inode:[io_uring]", PREFLIGHT_IO_URING },
	{ "anon_inode:[userfaultfd]", PREFLIGHT_USERFAULTFD },
	{ "anon_inode:[perf_event]", PREFLIGHT_PERF },
	{ "anon_inode:bpf", PREFLIGHT_BPF },
	{ "anon_inode:[bpf", PREFLIGHT_BPF },
	{ "anon_inode:kvm-", PREFLIGHT_KVM },
	{ "anon_inode:[kvm", PREFLIGHT_KVM },
	{ "/dev/kvm", PREFLIGHT_KVM },
};

static int check_fd(struct walk *w, uint32_t fd)
{
	char path[64], to[128];
	ssize_t n;

	(void)snprintf(path, sizeof(path), "/proc/%d/fd/%u", w->pid, fd);
	n = readlink(path, to, sizeof(to) - 1);
	if (n < 0)
		return 0; /* it was closed meanwhile */
	to[n] = '\0';
	for (size_t i = 0; i < ARRAY_LEN(fd_rows); i++)
		if (begins_with(to, fd_rows[i].prefix))
			w->reasons |= 1ULL << fd_rows[i].reason;
	return 0;
}

/* a thread with descriptors of its own (unshare(CLONE_FILES)) */
static int check_own_fds(struct walk *w, uint32_t tid)
{
	struct walk thread = { .pid = (pid_t)tid, .e = w->e };
	int r = 0;

	if ((pid_t)tid != w->pid && !same(w->pid, (pid_t)tid, KCMP_FILES))
		r = each_number(&thread, "fd", check_fd);
	w->reasons |= thread.reasons;
	return r == -ESRCH ? 0 : r;
}

/* ---- memory ---- */

/* names behind which there may be something else than a file's pages */
static const char *const odd_names[] = {
	"/dev/", "/sys/", "/proc/", "anon_inode:", "/anon_hugepage", "/dmabuf",
};

/* must smaps be asked? It walks all page tables, so only for these */
static bool may_be_odd(const struct maps_entry *v)
{
	if (!v->inode && !begins_with(v->name, "anon_inode:"))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(odd_names); i++)
		if (begins_with(v->name, odd_names[i]) && !begins_with(v->name, "/dev/shm/"))
			return true;
	/* a file of hugetlbfs, wherever that is mounted: in whole huge pages, on no disk */
	return !v->major && !(v->start % HUGE_PAGE) && !(v->end % HUGE_PAGE) &&
	       !(v->offset % HUGE_PAGE);
}

static const struct {
	uint32_t flags;
	enum preflight_reason reason;
} flag_rows[] = {
	{ MAPS_IO, PREFLIGHT_DEVICE_MEMORY },
	{ MAPS_HUGETLB, PREFLIGHT_HUGETLB },
	{ MAPS_UFFD, PREFLIGHT_USERFAULTFD },
};

uint64_t preflight_flags(const struct maps *maps)
{
	uint64_t reasons = 0;

	for (size_t i = 0; i < maps->n; i++)
		for (size_t k = 0; k < ARRAY_LEN(flag_rows); k++)
			if (maps->entries[i].flags & flag_rows[k].flags &&
			    maps->entries[i].name[0] != '[') /* [vvar] is the kernel's */
				reasons |= 1ULL << flag_rows[k].reason;
	return reasons;
}

uint64_t preflight_maps(const struct maps *maps, bool *ret_odd)
{
	uint64_t reasons = maps->n > IMAGE_MAPPINGS_MAX ? PREFLIGHT_BIT(MAPPINGS) : 0;

	*ret_odd = false;
	for (size_t i = 0; i < maps->n; i++) {
		const struct maps_entry *v = &maps->entries[i];

		if (v->end > IMAGE_TOP && v->start != VSYSCALL)
			reasons |= PREFLIGHT_BIT(HIGH_MEMORY);
		if (begins_with(v->name, "/secretmem"))
			reasons |= PREFLIGHT_BIT(SECRET_MEMORY);
		*ret_odd |= may_be_odd(v);
	}
	return reasons;
}

static int check_sharing(pid_t pid, const struct maps *maps, struct sharing *sharing,
			 uint64_t *reasons, struct err *e)
{
	for (size_t i = 0; i < maps->n; i++) {
		int r = 0;

		if (!(maps->entries[i].flags & MAPS_SHARED))
			continue;
		if (!sharing->filled)
			r = sharing_fill(sharing, e);
		if (r < 0)
			return r;
		if (sharing_with_others(sharing, pid, &maps->entries[i]))
			*reasons |= PREFLIGHT_BIT(SHARED_MEMORY);
	}
	return 0;
}

static int check_memory(pid_t pid, struct sharing *sharing, uint64_t *reasons, struct err *e)
{
	struct maps maps;
	bool odd;
	int r = maps_read(pid, false, &maps, e);

	if (r < 0)
		return r;
	*reasons |= preflight_maps(&maps, &odd);
	r = check_sharing(pid, &maps, sharing, reasons, e);
	maps_done(&maps);
	if (r < 0 || !odd)
		return r;
	r = maps_read(pid, true, &maps, e);
	if (r < 0)
		return r;
	*reasons |= preflight_flags(&maps);
	maps_done(&maps);
	return 0;
}

/* ---- all ---- */

int preflight(pid_t pid, struct sharing *sharing, uint64_t *ret, struct err *e)
{
	struct walk w = { .pid = pid, .e = e };
	int r = preflight_quick(pid, &w.reasons, e);

	if (!r && !(w.reasons & NOTHING_TO_SEE)) {
		r = check_threads(&w);
		if (!r)
			r = check_timers(&w);
		if (!r)
			r = each_number(&w, "fd", check_fd);
		if (!r)
			r = each_number(&w, "task", check_own_fds);
		if (!r)
			r = check_memory(pid, sharing, &w.reasons, e);
	}
	r = forgive(r, w.reasons);
	if (!r)
		*ret = w.reasons;
	return r;
}

bool preflight_may_be_wall(pid_t pid)
{
	char path[64], line[256];
	bool privs = false, one = false;
	FILE *f;

	(void)snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f)) {
		privs |= !strcmp(line, "NoNewPrivs:\t1\n");
		one |= !strcmp(line, "Seccomp_filters:\t1\n");
	}
	if (f)
		(void)fclose(f); /* was only read */
	return privs && one;
}
