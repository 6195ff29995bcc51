/* SPDX-License-Identifier: GPL-2.0-or-later */
/* user.c - the people of this machine, and becoming one of them */
#include "os/user.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdbool.h>
#include <unistd.h>

#define ENTRY_MAX 65536 /* a passwd line with all it has */

static bool copy(char *to, size_t len, const char *from)
{
	int n = snprintf(to, len, "%s", from);

	return n >= 0 && (size_t)n < len;
}

static int fill(const struct passwd *pw, struct user *ret, struct err *e)
{
	struct user u = { .uid = pw->pw_uid, .gid = pw->pw_gid };

	if (!copy(u.name, sizeof(u.name), pw->pw_name) ||
	    !copy(u.home, sizeof(u.home), pw->pw_dir) ||
	    !copy(u.shell, sizeof(u.shell), pw->pw_shell))
		return err_set(e, -ENAMETOOLONG, "the passwd entry of uid %u is too long",
			       pw->pw_uid);
	*ret = u;
	return 0;
}

int user_by_uid(uid_t uid, struct user *ret, struct err *e)
{
	AUTO_FREE char *buf = malloc(ENTRY_MAX);
	struct passwd pw, *found = NULL;
	int r;

	if (!buf)
		return err_set(e, -ENOMEM, "out of memory");
	r = getpwuid_r(uid, &pw, buf, ENTRY_MAX, &found);
	if (r)
		return err_set(e, -r, "look up uid %u: %s", uid, strerror(r));
	if (!found)
		return err_set(e, -ENOENT, "no user has uid %u here", uid);
	return fill(found, ret, e);
}

/* what the kernel says, not what was asked for */
static bool is_user(const struct user *u)
{
	uid_t ru, eu, su;
	gid_t rg, eg, sg;

	return !getresuid(&ru, &eu, &su) && !getresgid(&rg, &eg, &sg) && ru == u->uid &&
	       eu == u->uid && su == u->uid && rg == u->gid && eg == u->gid && sg == u->gid;
}

int user_become(const struct user *u, struct err *e)
{
	if (geteuid() != 0 && is_user(u))
		return 0;
	if (initgroups(u->name, u->gid) < 0)
		return err_set(e, -errno, "take the groups of '%s': %s", u->name, strerror(errno));
	if (setresgid(u->gid, u->gid, u->gid) < 0)
		return err_set(e, -errno, "become group %u: %s", u->gid, strerror(errno));
	if (setresuid(u->uid, u->uid, u->uid) < 0)
		return err_set(e, -errno, "become user %u: %s", u->uid, strerror(errno));
	/* a way back would be the worst of all failures */
	if (!is_user(u) || (u->uid != 0 && setuid(0) == 0))
		return err_set(e, -EPERM, "the kernel did not make this process user %u", u->uid);
	return 0;
}
