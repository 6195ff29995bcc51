/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dirty.c - which pages a running process has changed since they were last sent
 *
 * Theory of operation. For each private mapping, a round goes through these steps:
 *
 *	NEWS	PAGEMAP_SCAN names pages that are there, belong to the process (not to a file) and
 *		are not write-protected, and protects them in the same breath. It is asked about the
 *		few places only where a cheaper question finds that something is not protected: 0.3 ms
 *		for each GiB instead of 10, and in the last round the process waits for it. EPERM says
 *		that the mapping is not (wholly) registered with our userfaultfd:
 *	TAKE	register it, and take away all marks in it. They are of another tracking, or of before
 *		the kernel forgot that this one is registered: it does for memory that is moved, and
 *		for all that this is joined with where it comes to (mremap(2) there and back again).
 *		Then a page is written without a fault, and looks protected.
 *		It may be another mapping than before, though /proc/PID/maps says the same: of a file
 *		all is named (DIRTY_FILE), also what is not there
 *	FRESH	name and protect every page that is there
 *	LOST	pages that were named and are there no more (MADV_DONTNEED, another mapping in
 *		the same place): PAGEMAP_SCAN for what is not write-protected says so for pages that
 *		do not exist too, and is the cheap question
 *	BACK	the same for a mapping of a file, where pages not there keep the mark
 *	WHOLE	what cannot be registered, in the last round
 *
 * Nothing is protected that does not exist: marks for that would cost page tables for the holes
 * of huge sparse mappings, and look like pages in /proc/PID/pagemap.
 *
 * What was named stays known for ever, and is named again in each round in which it does not exist:
 * the caller has something in that place, and who knows what will be mapped there. LOST pages are
 * zeroes and cost nothing to send; they are never to be read, as that would make them exist. BACK
 * pages have the file's content, which the caller reads.
 */
#include "tracee/dirty.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "os/fd.h"
#include "tracee/pagemap.h"

#define PAGE	      4096
#define REGIONS_STEP  256
#define PROC_PATH_MAX 32
#define STACK_ROOM    (64ULL << 20) /* below a stack, for it to grow */

/* of linux/userfaultfd.h of Linux 6.7 */
#define FEATURE_WP_ASYNC (1 << 15)
#define USER_MODE_ONLY	 1 /* all that a process without rights may make, and enough here */

#define EVENTS (UFFD_FEATURE_EVENT_REMAP | UFFD_FEATURE_EVENT_REMOVE | UFFD_FEATURE_EVENT_UNMAP)

enum dirty_step {
	STEP_NEWS,
	STEP_TAKE,
	STEP_FRESH,
	STEP_LOST,
	STEP_BACK,
	STEP_WHOLE,
	STEP_NEXT, /* of this mapping nothing is left to do */
};

/* what PAGEMAP_SCAN is asked for; a page fits when, its categories XOR inverted, all of mask and
 * one of any are set */
struct ask {
	uint64_t flags, inverted, mask, any;
};

#define OWN	   PAGEMAP_FILE /* inverted */
#define THERE	   (PAGEMAP_PRESENT | PAGEMAP_SWAPPED)
#define PROTECTING (PAGEMAP_WP_MATCHING | PAGEMAP_CHECK_WPASYNC)

static const struct ask asks[] = {
	[STEP_NEWS] = { PROTECTING, OWN, OWN | PAGEMAP_WRITTEN, THERE }, /* where suspected */
	[STEP_FRESH] = { PROTECTING, OWN, OWN, THERE },
	[STEP_LOST] = { PAGEMAP_CHECK_WPASYNC, 0, PAGEMAP_WRITTEN,
			0 }, /* cheap in just this form */
	[STEP_BACK] = { 0, PAGEMAP_PRESENT, 0, PAGEMAP_PRESENT | PAGEMAP_FILE },
	[STEP_WHOLE] = { 0, OWN, OWN, THERE },
};

static const struct ask does_not_exist = { 0, THERE, THERE, 0 };

struct out {
	struct dirty_run *run;
	size_t n, max;
};

/* Return: number of regions from *from on, -errno; *from moves to where it stopped */
static int scan(const struct dirty *d, const struct ask *ask, uint64_t *from, uint64_t end,
		struct pagemap_region *region, size_t max)
{
	struct pagemap_scan a = {
		.size = sizeof(a),
		.flags = ask->flags,
		.start = *from,
		.end = end,
		.vec = (uint64_t)(uintptr_t)region,
		.vec_len = max,
		.category_inverted = ask->inverted,
		.category_mask = ask->mask,
		.category_anyof_mask = ask->any,
		.return_mask = ask->mask & PAGEMAP_WRITTEN,
	};
	int n = ioctl(d->pagemap, PAGEMAP_SCAN_IOCTL, &a);

	if (n < 0)
		return -errno;
	if (a.walk_end <= *from && n == 0)
		return -EAGAIN; /* mappings change under its hands */
	*from = a.walk_end;
	return n;
}

static void name(struct out *o, uint64_t start, uint64_t n, enum dirty_kind kind)
{
	o->run[o->n++] = (struct dirty_run){ .start = start, .n = n, .kind = kind };
}

/* FRESH, WHOLE: what is found is named; Return: 0, -errno */
static int find(struct dirty *d, uint64_t end, struct out *o)
{
	struct pagemap_region region[REGIONS_STEP];
	size_t room = o->max - o->n;
	int n = scan(d, &asks[d->step], &d->from, end, region,
		     room < REGIONS_STEP ? room : REGIONS_STEP);

	for (int i = 0; i < n; i++) {
		uint64_t pages = (region[i].end - region[i].start) / PAGE;
		int r = pageset_add(&d->known, region[i].start, pages);

		if (r < 0)
			return r;
		name(o, region[i].start, pages, DIRTY_DATA);
	}
	return n < 0 ? n : 0;
}

/* The next places that are not protected: written, or not there; Return: number, 0 none, -errno */
static int suspect(struct dirty *d, uint64_t end)
{
	struct pagemap_region region[DIRTY_SUSPECTS];
	int n = scan(d, &asks[STEP_LOST], &d->from, end, region, DIRTY_SUSPECTS);

	for (int i = 0; i < n; i++)
		d->suspect[i] = (struct dirty_span){ region[i].start, region[i].end };
	d->n_suspects = n < 0 ? 0 : (size_t)n;
	d->at_suspect = 0;
	return n;
}

/* NEWS: the same, but only where something is suspected; Return: 0, -errno */
static int find_news(struct dirty *d, uint64_t end, struct out *o)
{
	struct dirty_span *s = &d->suspect[d->at_suspect];
	uint64_t from = d->from;
	int r;

	if (d->at_suspect == d->n_suspects) {
		r = suspect(d, end);
		return r < 0 ? r : 0;
	}
	d->from = s->start;
	r = find(d, s->end, o);
	s->start = d->from;
	d->from = from;
	if (s->start >= s->end)
		d->at_suspect++;
	return r;
}

/* Pages of one run that were named and do not exist; Return: 0, 1 no room for more, -errno */
static int lose(struct dirty *d, uint64_t from, uint64_t end, struct out *o)
{
	while (from < end) {
		struct pagemap_region region;
		int n;

		if (o->n == o->max)
			return 1;
		n = scan(d, &does_not_exist, &from, end, &region, 1);
		if (n < 0)
			return n;
		if (n == 0)
			return 0;
		name(o, region.start, (region.end - region.start) / PAGE, DIRTY_ZERO);
	}
	return 0;
}

/* LOST, BACK: of what is found, name what was named before; Return: 0, 1 no room, -errno */
static int compare(struct dirty *d, uint64_t end, struct out *o)
{
	struct pagemap_region region;
	uint64_t next = d->from, start, pages;
	int n = scan(d, &asks[d->step], &next, end, &region, 1);

	if (n < 0)
		return n;
	if (n == 0) {
		d->from = next;
		return 0;
	}
	d->from = region.start > d->from ? region.start : d->from;
	while (pageset_next(&d->known, d->from, region.end, &start, &pages)) {
		int r = 0;

		if (o->n == o->max)
			return 1;
		if (d->step == STEP_LOST)
			r = lose(d, start, start + pages * PAGE, o);
		else
			name(o, start, pages, DIRTY_DATA);
		if (r != 0)
			return r;
		d->from = start + pages * PAGE;
	}
	d->from = region.end;
	return 0;
}

static int enroll_range(const struct dirty *d, uint64_t start, uint64_t end, uint64_t mode)
{
	struct uffdio_register r = {
		.range = { .start = start, .len = end - start },
		.mode = UFFDIO_REGISTER_MODE_WP | mode,
	};

	return ioctl(d->uffd, UFFDIO_REGISTER, &r) < 0 ? -errno : 0;
}

/*
 * The stack may have grown since the list was read, and a mapping of which only a part is tracked is
 * two mappings to the kernel: each would have a limit (RLIMIT_STACK) of its own. Nothing else is there.
 */
static int enroll(const struct dirty *d, const struct maps_entry *m, uint64_t mode)
{
	if (!mode && !strcmp(m->name, "[stack]") && m->start > STACK_ROOM &&
	    enroll_range(d, m->start - STACK_ROOM, m->end, mode) == 0)
		return 0;
	return enroll_range(d, m->start, m->end, mode);
}

/* Return: 0, -EAGAIN it is enrolled, but changed meanwhile: some may still have marks; -errno */
static int enroll_unmarked(const struct dirty *d, const struct maps_entry *m)
{
	struct uffdio_writeprotect none = { .range = { m->start, m->end - m->start } };
	int r = enroll(d, m, 0);

	if (r == 0 && ioctl(d->uffd, UFFDIO_WRITEPROTECT, &none) < 0)
		r = -EAGAIN;
	return r;
}

int dirty_know(struct dirty *d, uint64_t start, uint64_t n)
{
	return pageset_add(&d->known, start, n);
}

int dirty_name_again(struct dirty *d, uint64_t start, uint64_t end)
{
	struct dirty_span *more = reallocarray(d->owed, d->n_owed + 1, sizeof(*more));

	if (!more)
		return -ENOMEM;
	d->owed = more;
	d->owed[d->n_owed++] = (struct dirty_span){ start, end };
	return 0;
}

static void go_to(struct dirty *d, enum dirty_step step)
{
	d->step = step;
	d->n_suspects = d->at_suspect = 0;
	d->from = d->maps.entries[d->at].start;
}

/*
 * The mapping changes under our hands. PAGEMAP_SCAN may have protected pages before it came to where
 * it failed, and does not say which: so all that is there then is named in the next round.
 */
static int owe(struct dirty *d)
{
	const struct maps_entry *m = &d->maps.entries[d->at];
	int r = dirty_name_again(d, m->start, m->end);

	if (!r)
		go_to(d, STEP_NEXT);
	return r;
}

static bool is_due(const struct dirty *d, const struct maps_entry *m)
{
	for (size_t i = 0; i < d->n_due; i++)
		if (m->start < d->due[i].end && m->end > d->due[i].start)
			return true;
	return false;
}

static void begin_mapping(struct dirty *d)
{
	d->enrolled = false;
	go_to(d, is_due(d, &d->maps.entries[d->at]) ? STEP_TAKE : STEP_NEWS);
}

/* TAKE: it is not ours yet, or not as a whole, or nobody knows; Return: 0, -ESRCH, -ENOMEM */
static int take_in(struct dirty *d, struct out *o)
{
	const struct maps_entry *m = &d->maps.entries[d->at];
	int r = d->closed && !d->last ? -EBUSY : enroll_unmarked(d, m);

	if (m->inode && (r == 0 || d->last))
		name(o, m->start, (m->end - m->start) / PAGE, DIRTY_FILE);
	if (r == 0) {
		d->enrolled = true;
		go_to(d, STEP_FRESH);
		return 0;
	}
	/* it is no more, or is another one: the next round will see */
	if (!d->last)
		return owe(d);
	/* nothing comes or goes in the last round: what we hold is of a program before an exec */
	if (r == -ENOMEM)
		return -ESRCH;
	go_to(d, STEP_WHOLE);
	return 0;
}

static void step_on(struct dirty *d, bool of_a_file)
{
	switch ((enum dirty_step)d->step) {
	case STEP_NEWS:
	case STEP_FRESH:
		go_to(d, of_a_file ? STEP_BACK : STEP_LOST);
		break;
	case STEP_WHOLE: /* its holes are not known: named before only if it was tracked once */
		go_to(d, STEP_BACK);
		break;
	case STEP_LOST:
	case STEP_BACK:
		go_to(d, STEP_NEXT);
		break;
	case STEP_TAKE:
	case STEP_NEXT:
		break;
	}
}

/* shared mappings are the file's; the kernel's own have no pages of the process */
static bool is_tracked(const struct maps_entry *m)
{
	return !(m->flags & MAPS_SHARED) && strcmp(m->name, "[vsyscall]") != 0 &&
	       strcmp(m->name, "[vdso]") != 0 && strncmp(m->name, "[vvar", 5) != 0;
}

/* Return: 0, 1 no room for more, -errno */
static int work(struct dirty *d, const struct maps_entry *m, struct out *o)
{
	int r = 0;

	switch ((enum dirty_step)d->step) {
	case STEP_NEWS:
		r = find_news(d, m->end, o);
		break;
	case STEP_TAKE:
		return take_in(d, o);
	case STEP_FRESH:
	case STEP_WHOLE:
		r = find(d, m->end, o);
		break;
	case STEP_LOST:
	case STEP_BACK:
		r = compare(d, m->end, o);
		break;
	case STEP_NEXT:
		return 0;
	}
	if (r == -EPERM && !d->enrolled && (d->step == STEP_NEWS || d->step == STEP_FRESH))
		return take_in(d, o);
	if ((r == -EPERM || r == -EAGAIN) && !d->last) /* it runs */
		return owe(d);
	if (r == 0 && d->from >= m->end && d->at_suspect == d->n_suspects)
		step_on(d, m->inode != 0);
	return r;
}

ssize_t dirty_next(struct dirty *d, struct dirty_run *runs, size_t max)
{
	struct out o = { .run = runs, .max = max };

	while (d->at < d->maps.n && o.n < o.max) {
		const struct maps_entry *m = &d->maps.entries[d->at];
		int r = is_tracked(m) && d->step != STEP_NEXT ? work(d, m, &o) : 0;

		if (r < 0)
			return r;
		if (r > 0)
			break;
		if (!is_tracked(m) || d->step == STEP_NEXT) {
			if (++d->at < d->maps.n)
				begin_mapping(d);
		}
	}
	return (ssize_t)o.n;
}

void dirty_init(struct dirty *d)
{
	*d = (struct dirty){ .uffd = -1, .pagemap = -1 };
	pageset_init(&d->known);
}

/* what is asked of the tracee to make one */
struct making {
	long nr;
	uint64_t args[6];
};

/* Have the tracee make a userfaultfd, take it, have it close its own; Return: fd, -errno */
static int fetch_uffd(pid_t pid, pid_t tid, uint64_t insn, const struct making *m)
{
	uint64_t args[6] = { 0 };
	int64_t theirs, closed;
	AUTO_CLOSE int ours = -1, pidfd = -1;
	int r = tracee_inject(tid, insn, m->nr, m->args, &theirs);

	if (r < 0 || theirs < 0)
		return r < 0 ? r : (int)theirs;
	pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (pidfd >= 0)
		ours = (int)syscall(SYS_pidfd_getfd, pidfd, (int)theirs, 0);
	r = ours < 0 ? -errno : 0;

	args[0] = (uint64_t)theirs;
	if (tracee_inject(tid, insn, SYS_close, args, &closed) < 0)
		return -ESRCH;
	return r < 0 ? r : fd_take(&ours);
}

static int begin(struct dirty *d, pid_t pid, pid_t tid, uint64_t insn, const struct making *m,
		 uint64_t features, struct err *e)
{
	struct uffdio_api api = { .api = UFFD_API,
				  .features = FEATURE_WP_ASYNC | UFFD_FEATURE_PAGEFAULT_FLAG_WP |
					      features };
	struct proc_stat st;
	AUTO_CLOSE int uffd = -1;
	int r = proc_stat_read(pid, &st, e);

	if (r < 0)
		return r;
	if (st.seccomp)
		return err_set(
			e, -EOPNOTSUPP,
			"process %d has a seccomp filter, which might kill it for userfaultfd",
			pid);
	uffd = fetch_uffd(pid, tid, insn, m);
	if (uffd == -ENOSYS || uffd == -EPERM)
		return err_set(e, -EOPNOTSUPP, "process %d cannot make a userfaultfd: %s", pid,
			       strerror(-uffd));
	if (uffd < 0)
		return err_set(e, uffd, "make a userfaultfd in process %d: %s", pid,
			       strerror(-uffd));
	if (ioctl(uffd, UFFDIO_API, &api) < 0)
		return err_set(
			e, errno == EINVAL ? -EOPNOTSUPP : -errno,
			"this kernel does not track written pages (that begins with 6.7): %s",
			strerror(errno));
	d->pid = pid;
	d->uffd = fd_take(&uffd);
	return 0;
}

int dirty_begin(struct dirty *d, pid_t pid, pid_t tid, uint64_t insn, struct err *e)
{
	const struct making m = { .nr = SYS_userfaultfd,
				  .args = { O_CLOEXEC | O_NONBLOCK | USER_MODE_ONLY } };

	return begin(d, pid, tid, insn, &m, 0, e);
}

int dirty_begin_fill(struct dirty *d, pid_t pid, pid_t tid, uint64_t insn, int dev, struct err *e)
{
	struct making m = { .nr = SYS_userfaultfd, .args = { O_CLOEXEC | O_NONBLOCK } };

	if (dev >= 0)
		m = (struct making){ .nr = SYS_ioctl,
				     .args = { (uint64_t)dev, USERFAULTFD_IOC_NEW,
					       O_CLOEXEC | O_NONBLOCK } };
	return begin(d, pid, tid, insn, &m, EVENTS, e);
}

int dirty_enroll(struct dirty *d, bool missing, struct err *e)
{
	const uint64_t mode = missing ? UFFDIO_REGISTER_MODE_MISSING : 0;
	struct maps maps;
	int r = maps_read(d->pid, false, &maps, e);

	if (r < 0)
		return r;
	for (size_t i = 0; i < maps.n; i++)
		if (is_tracked(&maps.entries[i]))
			/* a file's pages are not missed; what cannot be at all is found by a round */
			if (enroll(d, &maps.entries[i], mode) < 0 && mode)
				(void)enroll(d, &maps.entries[i], 0);
	d->all_enrolled = true;
	maps_done(&maps);
	return 0;
}

/* Before the caller reads any page: who is not enrolled from then on was not there; 0, -ENOMEM */
static int enroll_all(struct dirty *d)
{
	int r = 0;

	for (size_t i = 0; !r && i < d->maps.n; i++)
		if (is_tracked(&d->maps.entries[i]) &&
		    enroll_unmarked(d, &d->maps.entries[i]) == -EAGAIN)
			r = dirty_name_again(d, d->maps.entries[i].start, d->maps.entries[i].end);
	d->all_enrolled = true;
	return r;
}

bool dirty_is_void(const struct dirty *d)
{
	/* taking away a protection that is not there: where nothing is mapped the kernel looks no further */
	struct uffdio_writeprotect nothing = { .range = { .start = PAGE * 16, .len = PAGE } };

	return d->uffd >= 0 && ioctl(d->uffd, UFFDIO_WRITEPROTECT, &nothing) < 0 && errno == ESRCH;
}

int dirty_round(struct dirty *d, bool last, struct err *e)
{
	char path[PROC_PATH_MAX];
	int r;

	/* anew each time: after an exec it is of another memory, and not to be taken for the old */
	fd_close(&d->pagemap);
	(void)snprintf(path, sizeof(path), "/proc/%d/pagemap", d->pid);
	d->pagemap = open(path, O_RDONLY | O_CLOEXEC);
	if (d->pagemap < 0)
		return err_set(e, errno == ENOENT ? -ESRCH : -errno, "open '%s': %s", path,
			       strerror(errno));

	maps_done(&d->maps);
	r = maps_read(d->pid, false, &d->maps, e);
	if (r < 0)
		return r;
	if (!d->all_enrolled && enroll_all(d) < 0)
		return err_set(e, -ENOMEM, "no memory for a list of its mappings");
	d->last = last;
	d->at = 0;
	free(d->due);
	d->due = d->owed;
	d->n_due = d->n_owed;
	d->owed = NULL;
	d->n_owed = 0;
	begin_mapping(d);
	return 0;
}

void dirty_end(struct dirty *d)
{
	/* the last descriptor: the kernel unregisters all, and takes the protection away */
	fd_close(&d->uffd);
	fd_close(&d->pagemap);
	pageset_done(&d->known);
	maps_done(&d->maps);
	free(d->owed);
	free(d->due);
	d->owed = d->due = NULL;
	d->n_owed = d->n_due = 0;
}
