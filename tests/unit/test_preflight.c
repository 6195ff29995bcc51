/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_preflight.c - processes that cannot move, each for one reason, and those that just can
 *
 * A row is a process: what it does before it gives up root, and after. The reasons that are found
 * must be exactly those of the row. Wants root; a row that this kernel cannot make says so.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <linux/bpf.h>
#include <linux/filter.h>
#include <linux/io_uring.h>
#include <linux/perf_event.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "image/image.h"
#include "migrate/preflight.h"
#include "migrate/sharing.h"
#include "test.h"

#define USER	    12345
#define PAGE	    4096
#define STACK_BYTES 65536

#define SKIPPED 's'
#define READY	'r'

/* ---- what a process does; false: this kernel cannot ---- */

static bool open_harmless(void)
{
	int p[2];

	return eventfd(0, 0) >= 0 && epoll_create1(0) >= 0 &&
	       timerfd_create(CLOCK_MONOTONIC, 0) >= 0 && pipe(p) == 0 &&
	       socket(AF_UNIX, SOCK_STREAM, 0) >= 0 && memfd_create("x", 0) >= 0;
}

static bool open_uring(void)
{
	struct io_uring_params p = { 0 };

	return syscall(SYS_io_uring_setup, 1, &p) >= 0;
}

static bool open_uffd(void)
{
	return syscall(SYS_userfaultfd, O_CLOEXEC) >= 0;
}

static bool open_perf(void)
{
	struct perf_event_attr a = { .type = PERF_TYPE_SOFTWARE,
				     .size = sizeof(a),
				     .config = PERF_COUNT_SW_TASK_CLOCK };

	return syscall(SYS_perf_event_open, &a, 0, -1, -1, 0) >= 0;
}

static bool open_bpf(void)
{
	union bpf_attr a = {
		.map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4, .max_entries = 1
	};

	return syscall(SYS_bpf, BPF_MAP_CREATE, &a, sizeof(a)) >= 0;
}

static bool open_kvm(void)
{
	return open("/dev/kvm", O_RDWR) >= 0;
}

/* a thread with its own table of descriptors, and an io_uring in it alone */
static void *hide_uring(void *ok)
{
	*(volatile int *)ok = !unshare(CLONE_FILES) && open_uring() ? 1 : -1;
	for (;;)
		(void)pause();
	return NULL;
}

static bool hidden_uring(void)
{
	static volatile int ok;
	pthread_t t;

	if (pthread_create(&t, NULL, hide_uring, (void *)&ok) != 0)
		return false;
	while (!ok)
		(void)sched_yield();
	return ok > 0;
}

static bool take_caps(void)
{
	return prctl(PR_SET_KEEPCAPS, 1) == 0;
}

static bool other_saved_id(void)
{
	return setresuid(USER, USER, USER + 1) == 0;
}

static bool filter_self(void)
{
	struct sock_filter all = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	struct sock_fprog f = { 1, &all };

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	       prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &f) == 0;
}

static bool no_new_privs(void)
{
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
}

static bool be_real_time(void)
{
	return sched_setscheduler(0, SCHED_RR | SCHED_RESET_ON_FORK, &(struct sched_param){ 1 }) ==
	       0;
}

static bool be_batch(void)
{
	return sched_setscheduler(0, SCHED_BATCH, &(struct sched_param){ 0 }) == 0;
}

static void *wait_here(void *unused)
{
	for (;;)
		(void)pause();
	return unused;
}

static void *be_real_time_here(void *ok)
{
	atomic_store((atomic_int *)ok, be_real_time() ? 1 : -1);
	return wait_here(NULL);
}

static bool real_time_thread(void)
{
	static atomic_int ok;
	pthread_t t;

	if (pthread_create(&t, NULL, be_real_time_here, &ok) != 0)
		return false;
	while (!atomic_load(&ok))
		(void)sched_yield();
	return atomic_load(&ok) > 0;
}

static bool make_threads(int n)
{
	pthread_attr_t a;
	pthread_t t;

	(void)pthread_attr_init(&a);
	(void)pthread_attr_setstacksize(&a, STACK_BYTES);
	while (--n > 0)
		if (pthread_create(&t, &a, wait_here, NULL) != 0)
			return false;
	return true;
}

static bool most_threads(void)
{
	return make_threads(IMAGE_THREADS_MAX);
}

static bool too_many_threads(void)
{
	return make_threads(IMAGE_THREADS_MAX + 1);
}

static int ready_to;

static void *outlive_the_first(void *unused)
{
	char state = 0;

	while (state != 'Z') {
		FILE *f = fopen("/proc/self/stat", "r");

		if (!f || fscanf(f, "%*d (%*[^)]) %c", &state) != 1)
			_exit(1);
		(void)fclose(f);
	}
	if (write(ready_to, "r", 1) != 1)
		_exit(1);
	return wait_here(unused);
}

static bool lose_the_first_thread(void)
{
	pthread_t t;

	if (pthread_create(&t, NULL, outlive_the_first, NULL) != 0)
		return false;
	(void)syscall(SYS_exit, 0);
	return false;
}

static bool time_itself(clockid_t clock)
{
	struct sigevent event = { .sigev_notify = SIGEV_NONE };
	timer_t timer;

	/* some kernels do not say which timers there are */
	return timer_create(clock, &event, &timer) == 0 && access("/proc/self/timers", R_OK) == 0;
}

static bool time_its_work(void)
{
	return time_itself(CLOCK_PROCESS_CPUTIME_ID);
}

static bool time_a_threads_work(void)
{
	return time_itself(CLOCK_THREAD_CPUTIME_ID);
}

static bool time_the_day(void)
{
	return time_itself(CLOCK_REALTIME);
}

static int wait_until_killed(void *unused)
{
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;)
		(void)pause();
	return 0;
}

static bool child_in_our_memory(void)
{
	static char stack[STACK_BYTES] __attribute__((aligned(16)));

	return clone(wait_until_killed, stack + sizeof(stack), CLONE_VM | SIGCHLD, NULL) > 0;
}

/* the child says that all is ready when its parent waits for it */
static bool wait_in_vfork(void)
{
	char path[32], state = 0;

	(void)snprintf(path, sizeof(path), "/proc/%d/stat", getpid());
	if (vfork() == 0) {
		while (state != 'D') {
			FILE *f = fopen(path, "r");

			if (!f || fscanf(f, "%*d (%*[^)]) %c", &state) != 1)
				_exit(1);
			(void)fclose(f);
		}
		if (write(ready_to, "r", 1) == 1)
			(void)wait_until_killed(NULL);
		_exit(1);
	}
	return false;
}

static bool child_of_its_own(void)
{
	pid_t pid = fork();

	if (!pid)
		(void)wait_until_killed(NULL);
	return pid > 0;
}

static bool map_shared(void)
{
	return mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0) !=
	       MAP_FAILED;
}

static bool share_with_child(void)
{
	return map_shared() && child_of_its_own();
}

static bool share_segment(void)
{
	int id = shmget(IPC_PRIVATE, PAGE, IPC_CREAT | 0600);
	void *p = id < 0 ? (void *)-1 : shmat(id, NULL, 0);

	if (id >= 0)
		(void)shmctl(id, IPC_RMID, NULL); /* it goes with its last user */
	return p != (void *)-1 && child_of_its_own();
}

/* a file of one page, mapped so here and so in a child */
static bool map_file(int prot, int flags, int child_prot, int child_flags)
{
	int fd = memfd_create("file", MFD_CLOEXEC), p[2];
	char byte;
	pid_t pid;

	if (fd < 0 || ftruncate(fd, PAGE) < 0 || pipe(p) < 0)
		return false;
	pid = fork();
	if (!pid) {
		if (mmap(NULL, PAGE, child_prot, child_flags, fd, 0) != MAP_FAILED &&
		    write(p[1], "", 1) == 1)
			(void)wait_until_killed(NULL);
		_exit(1);
	}
	(void)close(p[1]);
	return pid > 0 && read(p[0], &byte, 1) == 1 &&
	       mmap(NULL, PAGE, prot, flags, fd, 0) != MAP_FAILED;
}

static bool both_read(void)
{
	return map_file(PROT_READ, MAP_SHARED, PROT_READ, MAP_SHARED);
}

static bool the_other_writes(void)
{
	return map_file(PROT_READ, MAP_SHARED, PROT_READ | PROT_WRITE, MAP_SHARED);
}

static bool we_write(void)
{
	return map_file(PROT_READ | PROT_WRITE, MAP_SHARED, PROT_READ, MAP_SHARED);
}

static bool private_copies(void)
{
	return map_file(PROT_READ | PROT_WRITE, MAP_PRIVATE, PROT_READ | PROT_WRITE, MAP_PRIVATE);
}

static bool map_huge(void)
{
	return mmap(NULL, 2 << 20, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | MAP_NORESERVE, -1, 0) != MAP_FAILED;
}

static bool map_transparent(void)
{
	void *p = mmap(NULL, 4 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p != MAP_FAILED && madvise(p, 4 << 20, MADV_HUGEPAGE) == 0;
}

static bool map_zero_device(void)
{
	int fd = open("/dev/zero", O_RDWR | O_CLOEXEC);

	return fd >= 0 &&
	       mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0) != MAP_FAILED &&
	       mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) != MAP_FAILED;
}

static bool map_secret(void)
{
	int fd = (int)syscall(SYS_memfd_secret, 0);

	return fd >= 0 && ftruncate(fd, PAGE) == 0 &&
	       mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) != MAP_FAILED;
}

static bool be_closed(void)
{
	return prctl(PR_SET_DUMPABLE, 0) == 0;
}

static bool map_device(void)
{
	bool done = false;
	glob_t g = { 0 };

	(void)glob("/sys/bus/pci/devices/*/resource[0-9]", 0, NULL, &g);
	for (size_t i = 0; !done && i < g.gl_pathc; i++) {
		int fd = open(g.gl_pathv[i], O_RDONLY | O_CLOEXEC);

		done = fd >= 0 && mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0) != MAP_FAILED;
	}
	globfree(&g);
	return done;
}

static bool map_high(void)
{
	void *hint = (void *)(1ULL << 50);
	void *p = mmap(hint, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p != MAP_FAILED && (uint64_t)p >= IMAGE_TOP;
}

static bool new_ipc(void)
{
	return unshare(CLONE_NEWIPC) == 0;
}

static bool new_time(void)
{
	return unshare(CLONE_NEWTIME) == 0;
}

static bool new_net(void)
{
	return unshare(CLONE_NEWNET) == 0;
}

/* i386: "mov $29, %eax; int $0x80; jmp back": pause(2) for ever */
static bool be_32_bit(void)
{
	struct {
		Elf32_Ehdr head;
		Elf32_Phdr segment;
		uint8_t code[9];
	} program = {
		.head = { .e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS32, ELFDATA2LSB, EV_CURRENT },
			  .e_type = ET_EXEC,
			  .e_machine = EM_386,
			  .e_version = EV_CURRENT,
			  .e_entry = 0x08048000 + sizeof(Elf32_Ehdr) + sizeof(Elf32_Phdr),
			  .e_phoff = sizeof(Elf32_Ehdr),
			  .e_ehsize = sizeof(Elf32_Ehdr),
			  .e_phentsize = sizeof(Elf32_Phdr),
			  .e_phnum = 1 },
		.segment = { .p_type = PT_LOAD,
			     .p_vaddr = 0x08048000,
			     .p_filesz = sizeof(program),
			     .p_memsz = sizeof(program),
			     .p_flags = PF_R | PF_X,
			     .p_align = PAGE },
		.code = { 0xb8, 29, 0, 0, 0, 0xcd, 0x80, 0xeb, 0xf7 },
	};
	char *const none[] = { NULL };
	int fd = memfd_create("program", MFD_CLOEXEC);

	if (fd < 0 || write(fd, &program, sizeof(program)) != sizeof(program))
		return false;
	(void)fexecve(fd, none, none);
	return false;
}

#define BIT PREFLIGHT_BIT

static const struct {
	const char *name;
	bool (*as_root)(void), (*as_user)(void);
	uint64_t want;
	bool stays_root;
} rows[] = {
	{ "a plain one", NULL, NULL, 0 },
	{ "with harmless descriptors", NULL, open_harmless, 0 },
	{ "root's", NULL, NULL, BIT(SYSTEM_USER) | BIT(PRIVILEGED), true },
	{ "with capabilities", take_caps, NULL, BIT(PRIVILEGED) },
	{ "of two users", other_saved_id, NULL, BIT(PRIVILEGED), true },
	{ "with a filter", NULL, filter_self, BIT(SECCOMP) },
	{ "without new rights", NULL, no_new_privs, 0 },
	{ "in real time", be_real_time, NULL, BIT(REAL_TIME) },
	{ "with a thread in real time", real_time_thread, NULL, BIT(REAL_TIME) },
	{ "in the background", NULL, be_batch, 0 },
	{ "with as many threads as may be", NULL, most_threads, 0 },
	{ "with one more", NULL, too_many_threads, BIT(THREADS) },
	{ "without its first thread", NULL, lose_the_first_thread, BIT(LEADER_GONE) },
	{ "with a timer of its CPU time", NULL, time_its_work, 0 },
	{ "with a timer of a thread's CPU time", NULL, time_a_threads_work, 0 },
	{ "with a timer of the day", NULL, time_the_day, 0 },
	{ "with a child in its memory", NULL, child_in_our_memory, BIT(SHARED_SPACE) },
	{ "in vfork", NULL, wait_in_vfork, BIT(VFORK) },
	{ "with a child", NULL, child_of_its_own, 0 },
	{ "with memory it could share", NULL, map_shared, 0 },
	{ "with memory it shares", NULL, share_with_child, BIT(SHARED_MEMORY) },
	{ "with a segment it shares", NULL, share_segment, BIT(SHARED_MEMORY) },
	{ "with a file that two read", NULL, both_read, 0 },
	{ "with a file that the other writes", NULL, the_other_writes, BIT(SHARED_MEMORY) },
	{ "with a file that it writes", NULL, we_write, BIT(SHARED_MEMORY) },
	{ "with a file of which both have copies", NULL, private_copies, 0 },
	{ "with huge pages", NULL, map_huge, BIT(HUGETLB) },
	{ "with transparent huge pages", NULL, map_transparent, 0 },
	{ "with /dev/zero", NULL, map_zero_device, 0 },
	{ "with secrets", NULL, map_secret, BIT(SECRET_MEMORY) },
	{ "that nobody may look into", NULL, be_closed, BIT(NOT_DUMPABLE) },
	{ "with a device", map_device, NULL, BIT(DEVICE_MEMORY) },
	{ "with memory high up", NULL, map_high, BIT(HIGH_MEMORY) },
	{ "with io_uring", open_uring, NULL, BIT(IO_URING) },
	{ "with io_uring in one thread only", hidden_uring, NULL, BIT(IO_URING) },
	{ "with userfaultfd", open_uffd, NULL, BIT(USERFAULTFD) },
	{ "with perf events", open_perf, NULL, BIT(PERF) },
	{ "with a BPF map", open_bpf, NULL, BIT(BPF) },
	{ "with KVM", open_kvm, NULL, BIT(KVM) },
	{ "in another IPC namespace", new_ipc, NULL, BIT(CONTAINER) },
	{ "whose children have other clocks", new_time, NULL, BIT(CONTAINER) },
	{ "in another network", new_net, NULL, 0 },
};

static void NORETURN run(size_t i, int to)
{
	bool ok = !rows[i].as_root || rows[i].as_root();

	ready_to = to;
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (ok && !rows[i].stays_root)
		ok = setresgid(USER, USER, USER) == 0 && setresuid(USER, USER, USER) == 0;
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* cleared by the change */
	(void)prctl(PR_SET_DUMPABLE, 1);	/* likewise */
	if (ok && rows[i].as_user)
		ok = rows[i].as_user();
	if (write(to, ok ? "r" : "s", 1) != 1)
		_exit(1);
	for (;;)
		(void)pause();
}

/* the process and all it has made */
static void end(pid_t pid)
{
	assert_int_equal(kill(-pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void assert_reasons(pid_t pid, uint64_t want, const char *name)
{
	struct buf found, wanted;
	struct sharing sharing;
	struct err e = { 0 };
	uint64_t got = 0;

	sharing_init(&sharing);
	if (preflight(pid, &sharing, &got, &e) < 0)
		fail_msg("a process %s: %s", name, e.text);
	sharing_done(&sharing);
	if (got == want)
		return;
	buf_init(&found, 4096);
	buf_init(&wanted, 4096);
	assert_int_equal(preflight_words(got, &found), 0);
	assert_int_equal(preflight_words(want, &wanted), 0);
	fail_msg("a process %s: found '%s', not '%s'", name, buf_text(&found), buf_text(&wanted));
}

static void each_process_has_its_reasons(void **state)
{
	if (geteuid() != 0)
		skip();
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char byte = 0;
		pid_t pid;
		int p[2];

		assert_int_equal(pipe2(p, O_CLOEXEC), 0);
		pid = fork();
		assert_true(pid >= 0);
		if (!pid) {
			(void)setpgid(0, 0);
			run(i, p[1]);
		}
		(void)close(p[1]);
		assert_int_equal(read(p[0], &byte, 1), 1);
		(void)close(p[0]);
		if (byte == READY)
			assert_reasons(pid, rows[i].want, rows[i].name);
		else
			print_message("this machine makes no process %s\n", rows[i].name);
		end(pid);
	}
}

/* both ends of a clone() are found */
static void a_guest_in_memory_is_found_too(void **state)
{
	uint64_t got = 0;
	struct sharing sharing;
	pid_t pid;

	if (geteuid() != 0)
		skip();
	sharing_init(&sharing);
	assert_true(child_in_our_memory());
	pid = 0;
	char path[64];
	FILE *f;

	(void)snprintf(path, sizeof(path), "/proc/%d/task/%d/children", getpid(), getpid());
	f = fopen(path, "r");
	assert_non_null(f);
	assert_int_equal(fscanf(f, "%d", &pid), 1);
	(void)fclose(f);
	assert_int_equal(preflight(pid, &sharing, &got, NULL), 0);
	assert_true(got & BIT(SHARED_SPACE));
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	sharing_done(&sharing);
}

static void a_32_bit_program_is_found(void **state)
{
	uint64_t got = 0;
	pid_t pid;
	int p[2];
	char byte;

	if (geteuid() != 0)
		skip();
	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void)be_32_bit();
		_exit(write(p[1], "s", 1) == 1 ? 0 : 1);
	}
	(void)close(p[1]);
	/* exec closes the pipe */
	if (read(p[0], &byte, 1) == 1)
		print_message("this machine has no 32-bit programs\n");
	else if (preflight_quick(pid, &got, NULL) < 0)
		fail_msg("cannot look at it");
	else
		assert_true(got & BIT(NOT_64_BIT));
	(void)close(p[0]);
	(void)kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void one_that_is_traced_is_found(void **state)
{
	uint64_t got = 0;
	int p[2];
	char byte;
	pid_t pid, tracer;

	pid = fork();
	assert_true(pid >= 0);
	if (!pid)
		(void)wait_until_killed(NULL);
	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	tracer = fork();
	assert_true(tracer >= 0);
	if (!tracer) {
		if (ptrace(PTRACE_SEIZE, pid, NULL, NULL) < 0 || write(p[1], "", 1) != 1)
			_exit(1);
		(void)wait_until_killed(NULL);
	}
	(void)close(p[1]);
	if (read(p[0], &byte, 1) == 1) {
		assert_int_equal(preflight_quick(pid, &got, NULL), 0);
		assert_true(got & BIT(TRACED));
	} else {
		print_message("tracing is not allowed here\n");
	}
	(void)close(p[0]);
	(void)kill(tracer, SIGKILL);
	assert_int_equal(waitpid(tracer, NULL, 0), tracer);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void one_that_has_ended_is_found(void **state)
{
	struct sharing sharing;
	struct err e = { 0 };
	uint64_t got = 0;
	siginfo_t info;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (!pid)
		_exit(0);
	sharing_init(&sharing);
	assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
	assert_int_equal(preflight(pid, &sharing, &got, &e), 0);
	assert_true(got & BIT(ENDING));
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(preflight(pid, &sharing, &got, &e), -ESRCH);
	assert_non_null(strstr(e.text, "has ended"));
	sharing_done(&sharing);
}

static void the_first_and_we_ourselves_stay(void **state)
{
	struct sharing sharing;
	uint64_t got = 0;

	sharing_init(&sharing);
	assert_int_equal(preflight_quick(getpid(), &got, NULL), 0);
	assert_true(got & BIT(INIT));
	/* it may have more rights than we have, and its namespaces be hidden from us */
	assert_int_equal(preflight(1, &sharing, &got, NULL), 0);
	assert_true(got & BIT(INIT) && got & BIT(SYSTEM_USER));
	sharing_done(&sharing);
}

static void threads_of_the_kernel_stay(void **state)
{
	uint64_t got = 0;
	char name[32] = "";
	FILE *f = fopen("/proc/2/comm", "r");

	if (f) {
		(void)!fgets(name, sizeof(name), f);
		(void)fclose(f);
	}
	if (strcmp(name, "kthreadd\n") != 0)
		skip(); /* a pid namespace without them */
	assert_int_equal(preflight_quick(2, &got, NULL), 0);
	assert_int_equal(got, BIT(KERNEL_THREAD));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_process_has_its_reasons),
		cmocka_unit_test(a_guest_in_memory_is_found_too),
		cmocka_unit_test(a_32_bit_program_is_found),
		cmocka_unit_test(one_that_is_traced_is_found),
		cmocka_unit_test(one_that_has_ended_is_found),
		cmocka_unit_test(the_first_and_we_ourselves_stay),
		cmocka_unit_test(threads_of_the_kernel_stay),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
