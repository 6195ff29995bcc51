/* SPDX-License-Identifier: GPL-2.0-or-later */
/* member.h - the table of members (internal to cluster/) */
#ifndef CLUSTER_MEMBER_H
#define CLUSTER_MEMBER_H

#include "cluster/cluster.h"

struct member {
	uint32_t id;
	uint32_t incarnation; /* 0: never heard of */
	uint32_t seq;	      /* of the newest load sample in this incarnation */
	uint32_t doubt;	      /* index + 1 in the doubts, 0: none */
	uint32_t mark;	      /* number of the packet it was last picked for */
	uint8_t role;	      /* enum cluster_role; an unlisted one is a desktop: no power */
	uint8_t state;	      /* enum cluster_state; set by state_set() only */
	uint8_t rumor;	      /* packets in which it still goes first */
	uint8_t profile_news; /* packets in which its profile still goes along */
	uint8_t flaps;	      /* suspicions and deaths of late; loses one each FLAP_DECAY_MS */
	uint8_t raise_credit; /* incarnations a desktop may still raise at once */
	uint8_t talk_credit;  /* packets a desktop may still send at once */
	bool listed, relayed, direct, has_load, has_profile;
	bool watched; /* core: we are one of its watchers; desktop: it is one of ours */
	bool deaf;    /* a core member that does not answer us (desktops only) */
	struct load load;
	struct load_profile profile;
	uint64_t heard_at;    /* newest sign of life, also by others */
	uint64_t direct_at;   /* newest packet from it, 0: none */
	uint64_t load_at;     /* when the load sample was taken, by our clock */
	uint64_t told_at;     /* newest packet of entries to it */
	uint64_t notice_at;   /* newest notice that it is thought dead; desktop: newest ping */
	uint64_t since;	      /* of the state */
	uint64_t watch_since; /* of watched */
	uint64_t raise_at;    /* raise_credit is counted up to here, 0: full */
	uint64_t talk_at;     /* talk_credit the same */
	uint64_t flap_at;     /* flaps are counted down to here */
	struct cluster_addr addr;
	char *name; /* owned; NULL when unlisted */
};

struct member_table {
	struct member
		*v; /* owned; v[0] is ourselves. Pointers into it die with each add or remove */
	uint32_t n, cap, max;
	uint32_t *slots; /* owned; open addressing, index + 1, 0: free */
	uint32_t n_slots;
};

void members_init(struct member_table *t, uint32_t max);
void members_done(struct member_table *t);

/** member_find() - Return: NULL when there is none */
struct member *member_find(const struct member_table *t, uint32_t id);

/**
 * member_add() - A zeroed member with this id, which must not be there yet
 *
 * Return: 0, -ENOSPC (max), -ENOMEM
 */
int member_add(struct member_table *t, uint32_t id, struct member **ret) MUST_CHECK;

/** member_remove() - The last one takes its place */
void member_remove(struct member_table *t, struct member *m);

size_t members_memory(const struct member_table *t);

static inline bool role_is_core(uint8_t role)
{
	return role != CLUSTER_DESKTOP;
}

static inline bool member_is_core(const struct member *m)
{
	return role_is_core(m->role);
}

/* thought to be there */
static inline bool member_is_up(const struct member *m)
{
	return m->state == CLUSTER_ALIVE || m->state == CLUSTER_SUSPECT;
}

#endif
