/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "migrate/rights.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "migrate/box.h"

/* above the uids of guests, below 2^31; a pid is below 2^22 */
#define PRIVATE_BASE (GUEST_BOX_UID_BASE + 2 * GUEST_BOX_SLOTS_MAX)

#define CAP(name) (1ULL << CAP_##name)
/* LEASE: of files that the user may read and does not own */
#define KEPT (CAP(SYS_PTRACE) | CAP(KILL) | CAP(LEASE))
#define HELD CAP(SYS_RESOURCE) /* if it has that; not in effect but where rlimits.c wants it */

static int drop_bounding_set(void)
{
	for (int cap = 0; cap <= 63; cap++) {
		if (prctl(PR_CAPBSET_READ, cap) < 0)
			return 0; /* the last one was the one before */
		if (prctl(PR_CAPBSET_DROP, cap) < 0)
			return -errno;
	}
	return 0;
}

static int set_capabilities(uint64_t keep, uint64_t hold)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = { 0 };

	if (syscall(SYS_capget, &head, data) < 0)
		return -errno;
	for (int i = 0; i < _LINUX_CAPABILITY_U32S_3; i++)
		data[i] = (struct __user_cap_data_struct){
			.effective = (uint32_t)(keep >> (32 * i)),
			.permitted = (uint32_t)(keep >> (32 * i)) |
				     (data[i].permitted & (uint32_t)(hold >> (32 * i))),
		};
	return syscall(SYS_capset, &head, data) < 0 ? -errno : 0;
}

int rights_shed(uid_t uid, gid_t gid, struct err *e)
{
	uid_t private_id = PRIVATE_BASE + (uid_t)getpid();
	int r = drop_bounding_set();

	if (!r && (setgroups(0, NULL) < 0 || setresgid(private_id, gid, private_id) < 0 ||
		   prctl(PR_SET_KEEPCAPS, 1) < 0 || setresuid(private_id, uid, private_id) < 0 ||
		   prctl(PR_SET_KEEPCAPS, 0) < 0))
		r = -errno;
	if (!r)
		r = set_capabilities(KEPT, HELD);
	if (!r && (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0) < 0))
		r = -errno;
	return r < 0 ? err_set(e, r, "give up the rights of root: %s", strerror(-r)) : 0;
}
