/* SPDX-License-Identifier: GPL-2.0-or-later */
/* confine_calls.c - the seccomp filter of a job: calls it can never make again */
#include "migrate/confine_calls.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/ioprio.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "forward/table/table.h"

/* numbers that the C library of Debian 12 may not have yet */
#define CALL_FCHMODAT2	    452
#define CALL_SETXATTRAT	    463
#define CALL_REMOVEXATTRAT  466
#define CALL_OPEN_TREE_ATTR 467
#define CALL_FILE_SETATTR   469

#define NAMESPACES                                                                                 \
	(CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS |                 \
	 CLONE_NEWCGROUP | CLONE_NEWUSER)

/* denied whatever its arguments are, with EPERM */
static const uint16_t denied[] = {
	/* other processes: Landlock holds for signals */
	SYS_ptrace,
	SYS_process_vm_writev,
	SYS_process_madvise,
	SYS_process_mrelease,
	SYS_pidfd_getfd,
	SYS_kcmp,
	SYS_move_pages,
	SYS_migrate_pages,
	SYS_perf_event_open,
	/* other rights */
	SYS_setuid,
	SYS_setgid,
	SYS_setreuid,
	SYS_setregid,
	SYS_setresuid,
	SYS_setresgid,
	SYS_setfsuid,
	SYS_setfsgid,
	SYS_setgroups,
	SYS_capset,
	/* another view of the machine */
	SYS_unshare,
	SYS_setns,
	SYS_mount,
	SYS_umount2,
	SYS_pivot_root,
	SYS_chroot,
	SYS_open_tree,
	SYS_move_mount,
	SYS_fsopen,
	SYS_fsconfig,
	SYS_fsmount,
	SYS_fspick,
	SYS_mount_setattr,
	CALL_OPEN_TREE_ATTR,
	SYS_open_by_handle_at,
	SYS_swapon,
	SYS_swapoff,
	SYS_quotactl,
	SYS_quotactl_fd,
	SYS_acct,
	SYS_fanotify_init,
	SYS_fanotify_mark,
	/* files by their names, and not their bytes: Landlock does not look at these */
	SYS_chmod,
	SYS_fchmodat,
	CALL_FCHMODAT2,
	SYS_chown,
	SYS_lchown,
	SYS_fchownat,
	SYS_setxattr,
	SYS_lsetxattr,
	CALL_SETXATTRAT,
	SYS_removexattr,
	SYS_lremovexattr,
	CALL_REMOVEXATTRAT,
	SYS_utime,
	SYS_utimes,
	SYS_futimesat,
	CALL_FILE_SETATTR,
	SYS_inotify_add_watch,
	/* names that are no files, by which others can be reached */
	SYS_bind,
	SYS_listen,
	SYS_shmget,
	SYS_shmat,
	SYS_shmctl,
	SYS_msgget,
	SYS_msgsnd,
	SYS_msgrcv,
	SYS_msgctl,
	SYS_semget,
	SYS_semop,
	SYS_semtimedop,
	SYS_semctl,
	SYS_mq_open,
	SYS_mq_unlink,
	/* kernel that a job does not need */
	SYS_bpf,
	SYS_io_uring_setup,
	SYS_io_uring_enter,
	SYS_io_uring_register,
	SYS_userfaultfd,
	SYS_keyctl,
	SYS_add_key,
	SYS_request_key,
	SYS_memfd_secret,
	SYS_lookup_dcookie,
	SYS_modify_ldt,
	SYS_vhangup,
	SYS_vmsplice,
	/* the machine */
	SYS_init_module,
	SYS_finit_module,
	SYS_delete_module,
	SYS_create_module,
	SYS_query_module,
	SYS_kexec_load,
	SYS_kexec_file_load,
	SYS_reboot,
	SYS_iopl,
	SYS_ioperm,
	SYS_syslog,
	SYS_settimeofday,
	SYS_clock_settime,
	SYS_clock_adjtime,
	SYS_adjtimex,
	SYS_sethostname,
	SYS_setdomainname,
	SYS_nfsservctl,
	SYS__sysctl,
};

enum test {
	IF_IS,	   /* denied when (argument & mask) == value */
	IF_IS_NOT, /* when it is another value */
	IF_HAS,	   /* when one of these bits is set */
};

/* denied by an argument; the kernel reads these as 32 bits, so does the filter */
static const struct rule {
	uint16_t nr;
	uint8_t arg;
	enum test test;
	uint32_t mask, value;
} rules[] = {
	/* typing into the terminal that the user's shell reads, too */
	{ SYS_ioctl, 1, IF_IS, UINT32_MAX, TIOCSTI },
	{ SYS_ioctl, 1, IF_IS, UINT32_MAX, TIOCLINUX },
	{ SYS_clone, 0, IF_HAS, UINT32_MAX, NAMESPACES },
	/* AF_INET 2 or AF_INET6 10; a local socket would reach any program of the user's */
	{ SYS_socket, 0, IF_IS_NOT, ~8U, AF_INET },
	{ SYS_socketpair, 0, IF_IS_NOT, UINT32_MAX, AF_UNIX },
	/* SOCK_STREAM 1 or SOCK_SEQPACKET 5: a datagram socket could still be sent from to a name
	 */
	{ SYS_socketpair, 1, IF_IS_NOT, 0xb, SOCK_STREAM },
	/* of oneself only; 0 is oneself */
	{ SYS_prlimit64, 0, IF_IS_NOT, UINT32_MAX, 0 },
	{ SYS_setpriority, 0, IF_IS, UINT32_MAX, PRIO_USER },
	{ SYS_setpriority, 1, IF_IS_NOT, UINT32_MAX, 0 },
	{ SYS_ioprio_set, 0, IF_IS, UINT32_MAX, IOPRIO_WHO_USER },
	{ SYS_ioprio_set, 1, IF_IS_NOT, UINT32_MAX, 0 },
	{ SYS_sched_setscheduler, 0, IF_IS_NOT, UINT32_MAX, 0 },
	{ SYS_sched_setparam, 0, IF_IS_NOT, UINT32_MAX, 0 },
	{ SYS_sched_setattr, 0, IF_IS_NOT, UINT32_MAX, 0 },
};

_Static_assert((AF_INET & ~8U) == AF_INET && (AF_INET6 & ~8U) == AF_INET, "one bit apart");
_Static_assert((SOCK_SEQPACKET & 0xb) == SOCK_STREAM, "one bit apart");

struct program {
	struct sock_filter *insns;
	size_t n;
	bool full;
};

static void emit(struct program *p, uint16_t code, uint32_t k, uint8_t yes, uint8_t no)
{
	p->full = p->full || p->n == CONFINE_INSNS_MAX;
	if (!p->full)
		p->insns[p->n++] = (struct sock_filter){ code, yes, no, k };
}

static void load(struct program *p, size_t offset)
{
	emit(p, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0, 0);
}

static void answer(struct program *p, uint32_t error)
{
	emit(p, BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error, 0, 0);
}

/* the number is in A, and is again behind it */
static void emit_rule(struct program *p, const struct rule *r)
{
	emit(p, BPF_JMP | BPF_JEQ | BPF_K, r->nr, 0, 5);
	load(p, offsetof(struct seccomp_data, args) + 8 * (size_t)r->arg);
	emit(p, BPF_ALU | BPF_AND | BPF_K, r->mask, 0, 0);
	if (r->test == IF_HAS)
		emit(p, BPF_JMP | BPF_JSET | BPF_K, r->value, 0, 1);
	else
		emit(p, BPF_JMP | BPF_JEQ | BPF_K, r->value, r->test == IF_IS ? 0 : 1,
		     r->test == IF_IS ? 1 : 0);
	answer(p, EPERM);
	load(p, offsetof(struct seccomp_data, nr));
}

int confine_calls_build(pid_t pid, struct sock_filter *to, size_t *ret_n)
{
	const struct rule own_memory = { SYS_process_vm_readv, 0, IF_IS_NOT, UINT32_MAX,
					 (uint32_t)pid };
	struct program p = { .insns = to };

	load(&p, offsetof(struct seccomp_data, arch));
	emit(&p, BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0);
	answer(&p, ENOSYS);
	load(&p, offsetof(struct seccomp_data, nr));
	emit(&p, BPF_JMP | BPF_JEQ | BPF_K, CONFINE_MARK, 0, 1);
	answer(&p, CONFINE_MARK_ERRNO);
	emit(&p, BPF_JMP | BPF_JGE | BPF_K, table_end(), 0, 1); /* x32 as well: its bit is above */
	answer(&p, ENOSYS);
	/* its flags are in memory: the C library then makes a clone(2), whose flags can be seen */
	emit(&p, BPF_JMP | BPF_JEQ | BPF_K, SYS_clone3, 0, 1);
	answer(&p, ENOSYS);
	for (size_t i = 0; i < ARRAY_LEN(denied); i++) {
		emit(&p, BPF_JMP | BPF_JEQ | BPF_K, denied[i], 0, 1);
		answer(&p, EPERM);
	}
	for (size_t i = 0; i < ARRAY_LEN(rules); i++)
		emit_rule(&p, &rules[i]);
	emit_rule(&p, &own_memory);
	/* a name, or none: futimens(3) has none, its file is open */
	emit(&p, BPF_JMP | BPF_JEQ | BPF_K, SYS_utimensat, 0, 5);
	load(&p, offsetof(struct seccomp_data, args[1]));
	emit(&p, BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 2);
	load(&p, offsetof(struct seccomp_data, args[1]) + 4);
	emit(&p, BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0);
	answer(&p, EPERM);
	emit(&p, BPF_RET | BPF_K, SECCOMP_RET_ALLOW, 0, 0);
	if (p.full)
		return -E2BIG;
	*ret_n = p.n;
	return 0;
}
