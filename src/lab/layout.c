/* SPDX-License-Identifier: GPL-2.0-or-later */
/* layout.c - the names, places and addresses of a lab */
#include "lab/layout.h"

#include <ctype.h>
#include <errno.h>

#define INNER_NET   0x0a4e0000U /* 10.78.0.0/16 */
#define NODES_A_ROW 250

int lab_paths(const char *name, struct lab_paths *ret, struct err *e)
{
	size_t len = strlen(name);
	struct lab_paths p = { 0 };

	if (!len || len > LAB_NAME_MAX || !isalnum((unsigned char)name[0]))
		return err_set(e, -EINVAL, "'%s' is no name for a lab: 1 to %d letters and digits",
			       name, LAB_NAME_MAX);
	for (size_t i = 0; i < len; i++)
		if (!isalnum((unsigned char)name[i]) && !strchr("-_", name[i]))
			return err_set(e, -EINVAL,
				       "'%s' is no name for a lab: only letters, digits, - and _",
				       name);
	(void)snprintf(p.name, sizeof(p.name), "%s", name);
	(void)snprintf(p.dir, sizeof(p.dir), LAB_ROOT "/%s", name);
	(void)snprintf(p.record, sizeof(p.record), LAB_ROOT "/%s/record", name);
	(void)snprintf(p.control, sizeof(p.control), LAB_ROOT "/%s/control", name);
	(void)snprintf(p.log, sizeof(p.log), LAB_ROOT "/%s/log", name);
	(void)snprintf(p.stage, sizeof(p.stage), LAB_ROOT "/%s/stage", name);
	(void)snprintf(p.cgroup, sizeof(p.cgroup), "comosix-lab.%s", name);
	*ret = p;
	return 0;
}

uint32_t lab_node_address(uint32_t number, bool behind_nat)
{
	uint32_t row = (number - 1) / NODES_A_ROW + 1, place = (number - 1) % NODES_A_ROW + 1;

	return (behind_nat ? INNER_NET : LAB_NET) | row << 8 | place;
}

void lab_address_format(uint32_t a, char *to)
{
	(void)snprintf(to, LAB_ADDRESS_TEXT, "%u.%u.%u.%u", a >> 24, a >> 16 & 255, a >> 8 & 255,
		       a & 255);
}
