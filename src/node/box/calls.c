/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * calls.c - the system calls a box may not make
 *
 * A list of what is denied, not of what is allowed: the programs are other people's and change with
 * Debian, and the uid, the namespaces and the missing capabilities stand behind it. What is denied
 * is what has opened kernels from inside such walls before, and what no program that computes
 * needs. All say EPERM, so that a program that merely tries goes on; clone3 says ENOSYS, for its
 * flags are in memory where no filter sees them, and the C library then takes clone.
 */
#include "node/box/wall.h"

#include <errno.h>
#include <linux/sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#define S(name) SCMP_SYS(name)

static const int denied[] = {
	/* file systems */
	S(mount),
	S(umount),
	S(umount2),
	S(pivot_root),
	S(chroot),
	S(open_tree),
	S(move_mount),
	S(fsopen),
	S(fsconfig),
	S(fsmount),
	S(fspick),
	S(mount_setattr),
	S(swapon),
	S(swapoff),
	S(quotactl),
	S(quotactl_fd),
	S(open_by_handle_at),
	S(name_to_handle_at),
	S(fanotify_init),
	S(acct),
	S(uselib),
	S(sysfs),
	/* other processes */
	S(ptrace),
	S(process_vm_readv),
	S(process_vm_writev),
	S(process_madvise),
	S(pidfd_getfd),
	S(kcmp),
	S(move_pages),
	S(migrate_pages),
	/* namespaces */
	S(unshare),
	S(setns),
	S(sethostname),
	S(setdomainname),
	/* parts of the kernel that are large and not needed */
	S(bpf),
	S(perf_event_open),
	S(userfaultfd),
	S(io_uring_setup),
	S(io_uring_enter),
	S(io_uring_register),
	S(keyctl),
	S(add_key),
	S(request_key),
	S(personality),
	S(lookup_dcookie),
	S(vhangup),
	S(nfsservctl),
	S(modify_ldt),
	S(vmsplice),
	/* the machine */
	S(init_module),
	S(finit_module),
	S(delete_module),
	S(create_module),
	S(query_module),
	S(kexec_load),
	S(kexec_file_load),
	S(reboot),
	S(iopl),
	S(ioperm),
	S(syslog),
	S(settimeofday),
	S(clock_settime),
	S(clock_adjtime),
	S(adjtimex),
	S(stime),
};

static const uint64_t namespace_flags[] = {
	CLONE_NEWNS,  CLONE_NEWPID,    CLONE_NEWNET,  CLONE_NEWIPC,
	CLONE_NEWUTS, CLONE_NEWCGROUP, CLONE_NEWUSER,
};

/* typing into a terminal from inside; there is none, and shall not be */
static const uint64_t denied_ioctls[] = { TIOCSTI, TIOCLINUX };

/* a call this architecture does not have is denied already */
static int known(int r)
{
	return r == -EDOM || r == -ENOSYS ? 0 : r;
}

static int deny(scmp_filter_ctx f, uint32_t action, int call)
{
	return call == __NR_SCMP_ERROR ? 0 : known(seccomp_rule_add(f, action, call, 0));
}

static int deny_all(scmp_filter_ctx f)
{
	int r = deny(f, SCMP_ACT_ERRNO(ENOSYS), S(clone3));

	for (size_t i = 0; !r && i < ARRAY_LEN(denied); i++)
		r = deny(f, SCMP_ACT_ERRNO(EPERM), denied[i]);
	for (size_t i = 0; !r && i < ARRAY_LEN(namespace_flags); i++)
		r = seccomp_rule_add(
			f, SCMP_ACT_ERRNO(EPERM), S(clone), 1,
			SCMP_A0(SCMP_CMP_MASKED_EQ, namespace_flags[i], namespace_flags[i]));
	for (size_t i = 0; !r && i < ARRAY_LEN(denied_ioctls); i++)
		r = seccomp_rule_add(f, SCMP_ACT_ERRNO(EPERM), S(ioctl), 1,
				     SCMP_A1(SCMP_CMP_MASKED_EQ, 0xffffffff, denied_ioctls[i]));
	if (!r)
		r = seccomp_rule_add(f, SCMP_ACT_ERRNO(EPERM), S(socket), 1,
				     SCMP_A0(SCMP_CMP_NE, AF_UNIX));
	if (!r)
		r = seccomp_rule_add(f, SCMP_ACT_ERRNO(EPERM), S(socketpair), 1,
				     SCMP_A0(SCMP_CMP_NE, AF_UNIX));
	return r;
}

int wall_calls(struct err *e)
{
	scmp_filter_ctx f = seccomp_init(SCMP_ACT_ALLOW);
	int r = f ? 0 : -ENOMEM;

	/* no_new_privs is set; calls of another architecture (int 0x80, x32) kill, as by default */
	if (!r)
		r = seccomp_attr_set(f, SCMP_FLTATR_CTL_NNP, 0);
	if (!r)
		r = deny_all(f);
	if (!r)
		r = seccomp_load(f);
	if (f)
		seccomp_release(f);
	return r < 0 ? err_set(e, r, "install the system-call filter: %s", strerror(-r)) : 0;
}
