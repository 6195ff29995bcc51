/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ledger.c - what a moved process has changed at home since an image of it was taken */
#include "migrate/ledger.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#include "base/attr.h"
#include "base/restarts.h"
#include "forward/table/table.h"
#include "os/fd.h"

enum ledger_seen {
	SEEN_OFFSET = 1,     /* has an entry, or needs none */
	SEEN_DESCRIPTOR = 2, /* the same */
	SEEN_NEW = 4,	     /* opened since the image */
};

void ledger_init(struct ledger *l, pid_t pid, int (*fetch)(void *owner, int number), void *owner)
{
	l->pid = pid;
	l->fetch = fetch;
	l->owner = owner;
	l->n = 0;
	l->outside[0] = '\0';
	memset(l->seen, 0, sizeof(l->seen));
}

void ledger_reset(struct ledger *l)
{
	for (size_t i = 0; i < l->n; i++)
		fd_close(&l->entries[i].kept);
	ledger_init(l, l->pid, l->fetch, l->owner);
}

void ledger_done(struct ledger *l)
{
	ledger_reset(l);
}

void ledger_spoil(struct ledger *l, const char *why)
{
	if (!l->outside[0])
		(void)snprintf(l->outside, sizeof(l->outside), "%s", why);
}

const char *ledger_outside(const struct ledger *l)
{
	return l->outside[0] ? l->outside : NULL;
}

static void spoil_by(struct ledger *l, uint32_t nr, const char *of)
{
	char why[64];

	(void)snprintf(why, sizeof(why), "%s%s%s", table_name(nr), of ? " of " : "", of ? of : "");
	ledger_spoil(l, why);
}

/* ---------------------------------------------------------------- what files are */

static const char *kind_of(const struct stat *st)
{
	switch (st->st_mode & S_IFMT) {
	case S_IFIFO:
		return "a pipe";
	case S_IFSOCK:
		return "a socket";
	case S_IFCHR:
		return "a terminal or another device";
	case S_IFBLK:
		return "a disk";
	case S_IFREG:
	case S_IFDIR:
		return "a file";
	default:
		return "something that is no file";
	}
}

/* it has an offset, and who reads it changes nothing else */
static bool is_file(const struct stat *st)
{
	return S_ISREG(st->st_mode) || S_ISDIR(st->st_mode);
}

/* null, zero, full, random, urandom: the same whoever read or wrote before */
static bool is_nothing(const struct stat *st)
{
	unsigned int n = minor(st->st_rdev);

	return S_ISCHR(st->st_mode) && major(st->st_rdev) == 1 && (n == 3 || n == 5 || n >= 7) &&
	       n <= 9;
}

/* Return: a copy of it, and what it is; -errno */
static int look(const struct ledger *l, int number, struct stat *ret)
{
	int fd = number < 0 ? -EBADF : l->fetch(l->owner, number);

	if (fd >= 0 && fstat(fd, ret) < 0) {
		int r = -errno;

		(void)close(fd);
		return r;
	}
	return fd;
}

/* close-on-exec, and whether its end would give up a lock: proc(5), /proc/PID/fdinfo */
static void read_info(pid_t pid, int number, bool *ret_close_exec, bool *ret_locked)
{
	char path[64], line[128];
	unsigned int flags = 0;
	FILE *f;

	*ret_locked = false;
	(void)snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", (int)pid, number);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f)) {
		(void)sscanf(line, "flags: %o", &flags);
		*ret_locked |= !strncmp(line, "lock:", 5);
	}
	if (f)
		(void)fclose(f); /* was only read */
	*ret_close_exec = flags & O_CLOEXEC;
}

/* ---------------------------------------------------------------- entries */

/* takes kept over, also when there is no room */
static struct ledger_entry *add(struct ledger *l, enum ledger_kind kind, int number, int kept)
{
	struct ledger_entry *entry;

	if (l->n == LEDGER_ENTRIES_MAX) {
		ledger_spoil(l, "it has used too many files since");
		fd_close(&kept);
		return NULL;
	}
	entry = &l->entries[l->n++];
	*entry = (struct ledger_entry){ .kind = kind, .number = number, .kept = kept };
	return entry;
}

static bool is_known(struct ledger *l, int number)
{
	if (number >= 0 && number < LEDGER_NUMBERS)
		return true;
	ledger_spoil(l, "it uses descriptors of high numbers");
	return false;
}

/* the first time since the image that the offset of this file may change */
static void note_offset(struct ledger *l, int number, int fd)
{
	struct ledger_entry *entry;
	off_t at;
	int kept;

	if (!is_known(l, number) || l->seen[number] & (SEEN_OFFSET | SEEN_NEW))
		return;
	l->seen[number] |= SEEN_OFFSET;
	at = lseek(fd, 0, SEEK_CUR);
	if (at < 0)
		return; /* it has none */
	kept = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (kept < 0) {
		ledger_spoil(l, "it has used too many files since");
		return;
	}
	entry = add(l, LEDGER_OFFSET, number, kept);
	if (entry)
		entry->value = (uint64_t)at;
}

/* the number is another file from now on, or none; Return: its entry, NULL: it has one, or no room */
static struct ledger_entry *note_descriptor(struct ledger *l, int number, int kept)
{
	if (!is_known(l, number) || l->seen[number] & SEEN_DESCRIPTOR) {
		fd_close(&kept);
		return NULL;
	}
	l->seen[number] |= SEEN_DESCRIPTOR;
	return add(l, LEDGER_DESCRIPTOR, number, kept);
}

/* the file of a descriptor, not the open one; -errno: we may not open it again like that */
static int file_of(int fd, int flags)
{
	int mode = (flags & O_ACCMODE) == O_WRONLY ? W_OK : R_OK | W_OK, path;
	char link[32];

	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	path = open(link, O_PATH | O_CLOEXEC);
	if (path >= 0 && syscall(SYS_faccessat2, path, "", mode, AT_EMPTY_PATH | AT_EACCESS) < 0) {
		(void)close(path);
		return -EACCES;
	}
	return path < 0 ? -errno : path;
}

static int open_again(const struct ledger_entry *entry, int flags)
{
	char link[32];
	int fd;

	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", entry->kept);
	fd = open(link, flags | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/*
 * It can be written and goes: it is to be opened again, at the offset it had. What was noted of that
 * holds the open file, and may not any more. Return: false: it cannot be
 */
static bool note_writable(struct ledger *l, int number, int fd, int flags, bool close_exec)
{
	off_t at = lseek(fd, 0, SEEK_CUR);
	struct ledger_entry *entry;
	int file = file_of(fd, flags);

	if (file < 0 || at < 0) {
		fd_close(&file);
		return false;
	}
	for (size_t i = l->n; i-- > 0;)
		if (l->entries[i].kind == LEDGER_OFFSET && l->entries[i].number == number) {
			at = (off_t)l->entries[i].value;
			fd_close(&l->entries[i].kept);
		}
	entry = note_descriptor(l, number, file);
	if (!entry)
		return true; /* there is none to be given back; or no room, which is said */
	entry->by_path = true;
	entry->flags = flags & ~(O_CREAT | O_EXCL | O_TRUNC);
	entry->close_exec = close_exec;
	entry->value = (uint64_t)at;
	return true;
}

/* Return: the entry of this file's length, made if need be; -ENOSPC */
static int note_length(struct ledger *l, int fd, const struct stat *st, size_t *ret)
{
	struct ledger_entry *entry;
	int kept;

	for (size_t i = 0; i < l->n; i++)
		if (l->entries[i].kind == LEDGER_LENGTH && l->entries[i].inode == st->st_ino &&
		    l->entries[i].device == st->st_dev) {
			*ret = i;
			return 0;
		}
	kept = file_of(fd, O_WRONLY);
	entry = kept < 0 ? NULL : add(l, LEDGER_LENGTH, -1, kept);
	if (!entry)
		return -ENOSPC;
	entry->by_path = true;
	entry->value = entry->end = (uint64_t)st->st_size;
	entry->device = st->st_dev;
	entry->inode = st->st_ino;
	*ret = l->n - 1;
	return 0;
}

/* ---------------------------------------------------------------- before a call */

static void before_read(struct ledger *l, struct ledger_note *note)
{
	struct stat st;
	AUTO_CLOSE int fd = look(l, note->number, &st);

	if (fd < 0 || is_nothing(&st)) {
		note->effect = EFFECT_NONE; /* it fails, or there is nothing to be taken */
	} else if (is_file(&st)) {
		note_offset(l, note->number, fd);
		note->effect = EFFECT_NONE;
	}
	/* else: if it gets something, that is gone */
}

static void before_write(struct ledger *l, struct ledger_note *note, uint64_t at)
{
	struct stat st;
	AUTO_CLOSE int fd = look(l, note->number, &st);
	int flags = fd < 0 ? 0 : fcntl(fd, F_GETFL);

	if (fd < 0 || is_nothing(&st)) {
		note->effect = EFFECT_NONE;
		return;
	}
	if (!S_ISREG(st.st_mode) || flags < 0 || (flags & O_ACCMODE) == O_RDONLY)
		return;
	note_offset(l, note->number, fd);
	note->appends = flags & O_APPEND;
	note->offset = note->effect == EFFECT_PWRITE ? at : (uint64_t)lseek(fd, 0, SEEK_CUR);
	if (note_length(l, fd, &st, &note->entry) < 0)
		ledger_spoil(l, "it writes to more files, or others, than can be cut back");
	else
		note->kept = fd_take(&fd);
}

/* number is about to go; Return: it can be given back */
static bool before_end(struct ledger *l, uint32_t nr, int number)
{
	struct ledger_entry *entry;
	bool close_exec, locked;
	struct stat st;
	AUTO_CLOSE int fd = look(l, number, &st);
	int flags = fd < 0 ? 0 : fcntl(fd, F_GETFL);

	if (fd == -EBADF)
		return true; /* there is nothing */
	if (fd < 0 || !is_known(l, number))
		return false;
	read_info(l->pid, number, &close_exec, &locked);
	if (l->seen[number] & SEEN_DESCRIPTOR)
		return !locked; /* what it was at the image is kept already, or was nothing */
	if (!is_file(&st) || locked) {
		spoil_by(l, nr, locked ? "a file with locks" : kind_of(&st));
		return false;
	}
	if (flags & O_ACCMODE)
		return note_writable(l, number, fd, flags, close_exec);
	entry = note_descriptor(l, number, fd_take(&fd));
	if (entry)
		entry->close_exec = close_exec;
	return true;
}

/* whatever the number is after this, it is not what was looked at */
static void forget_number(struct ledger *l, int number)
{
	if (number >= 0 && number < LEDGER_NUMBERS)
		l->seen[number] &= (uint8_t) ~(SEEN_OFFSET | SEEN_NEW);
}

void ledger_before(struct ledger *l, uint32_t nr, const uint64_t args[6], struct ledger_note *note)
{
	ledger_forget(note);
	*note = (struct ledger_note){ .nr = nr, .under_way = true, .kept = -1 };
	note->effect = table_effect(nr, args);
	note->number = (int)(uint32_t)args[note->effect == EFFECT_REPLACE ? 1 : 0];
	switch (note->effect) {
	case EFFECT_READ:
		before_read(l, note);
		return;
	case EFFECT_WRITE:
	case EFFECT_PWRITE:
		before_write(l, note, args[3]);
		return;
	case EFFECT_OPEN:
		note->creates = args[nr == SYS_open ? 1 : 2] & O_CREAT;
		(void)clock_gettime(CLOCK_REALTIME_COARSE, &note->began); /* exists everywhere */
		return;
	case EFFECT_CLOSE:
		note->effect = before_end(l, nr, note->number) ? EFFECT_NONE : EFFECT_OUTSIDE;
		if (nr == SYS_close)
			forget_number(l, note->number);
		return;
	case EFFECT_REPLACE:
		if (args[0] == args[1])
			note->effect = EFFECT_NONE;
		else if (!before_end(l, nr, note->number))
			note->effect = EFFECT_OUTSIDE;
		else
			forget_number(l, note->number);
		return;
	case EFFECT_SELF:
		note->effect = (pid_t)args[0] == l->pid ? EFFECT_NONE : EFFECT_OUTSIDE;
		return;
	case EFFECT_OUTSIDE:
	case EFFECT_NONE:
	case EFFECT_NEW:
		return;
	}
}

/* ---------------------------------------------------------------- after a call */

/* it says that nothing was done */
static bool did_nothing(int64_t result)
{
	static const int16_t errors[] = { EPERM,  ENOENT, ESRCH,  EBADF,  EACCES,     EFAULT,
					  EINVAL, ENOTTY, EAGAIN, ENOSYS, EOPNOTSUPP, ENOTSOCK };

	for (size_t i = 0; i < ARRAY_LEN(errors); i++)
		if (result == -errors[i])
			return true;
	/* it was interrupted before it had begun, and is made again */
	return result <= -ERESTARTSYS && result >= -ERESTART_RESTARTBLOCK;
}

/* was the file there before the call? False when nobody can tell */
static bool was_there(int fd, const struct timespec *began)
{
	struct statfs fs;
	struct statx st;

	if (fstatfs(fd, &fs) < 0 || fs.f_type == NFS_SUPER_MAGIC)
		return false; /* its clock is another machine's */
	if (statx(fd, "", AT_EMPTY_PATH, STATX_BTIME, &st) < 0 || !(st.stx_mask & STATX_BTIME))
		return false;
	return st.stx_btime.tv_sec < began->tv_sec ||
	       (st.stx_btime.tv_sec == began->tv_sec && st.stx_btime.tv_nsec < began->tv_nsec);
}

static void after_open(struct ledger *l, const struct ledger_note *note, int number)
{
	struct stat st;
	AUTO_CLOSE int fd = look(l, number, &st);

	if (fd < 0 || (!is_file(&st) && !is_nothing(&st))) {
		spoil_by(l, note->nr, fd < 0 ? NULL : kind_of(&st));
		return;
	}
	if (note->creates && !was_there(fd, &note->began)) {
		spoil_by(l, note->nr, "a file that may be new");
		return;
	}
	(void)note_descriptor(l, number, -1);
	if (is_known(l, number))
		l->seen[number] |= SEEN_NEW;
}

static void after_write(struct ledger *l, const struct ledger_note *note, uint64_t n)
{
	struct ledger_entry *entry = &l->entries[note->entry];
	uint64_t start = note->offset;
	struct stat st;
	off_t at;

	if (note->kept < 0) {
		struct stat other;
		AUTO_CLOSE int fd = look(l, note->number, &other);

		spoil_by(l, note->nr, fd < 0 ? NULL : kind_of(&other));
		return;
	}
	if (note->effect == EFFECT_WRITE) {
		at = lseek(note->kept, 0, SEEK_CUR);
		start = at < 0 || (uint64_t)at < n ? 0 : (uint64_t)at - n;
	}
	if (note->appends && (note->effect == EFFECT_PWRITE || start != entry->end)) {
		spoil_by(l, note->nr, "a file that others append to");
		return;
	}
	if (start < entry->value) {
		spoil_by(l, note->nr, "a part of a file that was there");
		return;
	}
	if (start + n > entry->end)
		entry->end = start + n;
	if (fstat(note->kept, &st) < 0 || (uint64_t)st.st_size < entry->end)
		spoil_by(l, note->nr, "a file that keeps nothing"); /* of /proc, /sys ... */
}

void ledger_after(struct ledger *l, struct ledger_note *note, int64_t result)
{
	if (!note->under_way)
		return;
	switch (note->effect) {
	case EFFECT_OUTSIDE:
		if (!did_nothing(result))
			spoil_by(l, note->nr, NULL);
		break;
	case EFFECT_READ:
		if (result > 0)
			spoil_by(l, note->nr, "what comes once");
		break;
	case EFFECT_WRITE:
	case EFFECT_PWRITE:
		if (result > 0)
			after_write(l, note, (uint64_t)result);
		break;
	case EFFECT_OPEN:
		if (result >= 0)
			after_open(l, note, (int)result);
		break;
	case EFFECT_NEW:
	case EFFECT_REPLACE:
		if (result >= 0)
			(void)note_descriptor(l, (int)result, -1);
		break;
	case EFFECT_NONE:
	case EFFECT_CLOSE:
	case EFFECT_SELF:
		break;
	}
	ledger_forget(note);
}

void ledger_forget(struct ledger_note *note)
{
	if (note->under_way)
		fd_close(&note->kept);
	*note = (struct ledger_note){ .kept = -1 };
}

/* ---------------------------------------------------------------- back */

int ledger_check(const struct ledger *l, struct err *e)
{
	for (size_t i = 0; i < l->n; i++) {
		const struct ledger_entry *entry = &l->entries[i];
		struct stat st;

		if (entry->kind != LEDGER_LENGTH)
			continue;
		if (fstat(entry->kept, &st) < 0)
			return err_set(e, -errno, "look at a file: %s", strerror(errno));
		if ((uint64_t)st.st_size != entry->end)
			return err_set(e, -EBUSY, "others have written to a file that it wrote to");
	}
	return 0;
}

static int cut_back(const struct ledger_entry *entry)
{
	AUTO_CLOSE int fd = entry->end == entry->value ? -1 : open_again(entry, O_WRONLY);

	if (entry->end == entry->value)
		return 0;
	return fd < 0 ? fd : ftruncate(fd, (off_t)entry->value) < 0 ? -errno : 0;
}

int ledger_undo(struct ledger *l, struct err *e)
{
	for (size_t i = l->n; i-- > 0;) {
		struct ledger_entry *entry = &l->entries[i];
		int r = entry->kind == LEDGER_LENGTH ? cut_back(entry) : 0;

		if (r < 0)
			return err_set(e, r, "cut a file back to %llu bytes: %s",
				       (unsigned long long)entry->value, strerror(-r));
		if (entry->kind == LEDGER_OFFSET && entry->kept >= 0 &&
		    lseek(entry->kept, (off_t)entry->value, SEEK_SET) < 0)
			return err_set(e, -errno, "set the offset of a file: %s", strerror(errno));
	}
	return 0;
}

int ledger_descriptors(const struct ledger *l,
		       int (*put)(void *owner, int number, int kept, bool close_exec,
				  struct err *e),
		       void *owner, struct err *e)
{
	int r = 0;

	for (size_t i = 0; !r && i < l->n; i++) {
		const struct ledger_entry *entry = &l->entries[i];
		AUTO_CLOSE int again = -1;

		if (entry->kind != LEDGER_DESCRIPTOR)
			continue;
		if (entry->by_path) {
			again = open_again(entry, entry->flags);
			if (again < 0 || lseek(again, (off_t)entry->value, SEEK_SET) < 0)
				return err_set(e, again < 0 ? again : -errno,
					       "open a file again that it had closed: %s",
					       strerror(again < 0 ? -again : errno));
		}
		r = put(owner, entry->number, again >= 0 ? again : entry->kept, entry->close_exec,
			e);
	}
	return r;
}
