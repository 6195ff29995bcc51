/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * liar.c - the desktops that lie
 *
 * The last tenth of the nodes are liars. They run the honest code too, so that they are members,
 * and on top they say in turn, to a random core member or desktop each time: all others are dead;
 * all others have a high incarnation; all others are idle (with a load that nobody has); my own
 * incarnation rises; accusations as witness; nonsense pings, answers and requests. Together a
 * thousand packets a second.
 */
#include "liar.h"

#define LIARS_PART	10
#define LIE_EVERY_US	1000
#define LIE_LOAD	0xbeef /* run_centi that no honest node reports */
#define LIE_INCARNATION 5000   /* an incarnation that no honest node reaches */

enum lie {
	LIE_DEAD,
	LIE_INCARNATIONS,
	LIE_LOADS,
	LIE_WITNESS,
	LIE_OWN_INCARNATION,
	LIE_PINGS,
	LIE_ACKS,
	LIE_REQUESTS,
	N_LIES,
};

void liar_begin(struct run *r)
{
	struct sim *s = &r->sim;
	uint32_t liars = (s->cfg.nodes + LIARS_PART - 1) / LIARS_PART;

	for (uint32_t i = 1; i <= liars && i <= s->cfg.nodes - s->cfg.core; i++)
		s->nodes[s->cfg.nodes - i].liar = true;
	sim_at(&r->sim, 20 * SIM_SECOND, 1);
}

static void about_others(struct sim *s, uint32_t liar, enum lie lie, struct gossip_msg *m)
{
	uint32_t first = 1 + rng_below(&s->rng, s->cfg.nodes);

	for (uint32_t i = 0; i < 40 && first + i < s->cfg.nodes; i++) {
		struct cluster_view v;
		struct sim_node *n = &s->nodes[liar];
		struct gossip_entry *e = &m->entries[m->n_entries];

		if (first + i == n->id ||
		    cluster_view_id(n->cluster, sim_local_ms(s, n), first + i, &v) < 0)
			continue;
		*e = (struct gossip_entry){
			.id = v.id,
			.incarnation = v.incarnation ? v.incarnation : 1,
			.seq = v.seq + 10,
			.state = GOSSIP_ALIVE,
			.load = v.load,
		};
		if (lie == LIE_DEAD)
			e->state = GOSSIP_DEAD;
		if (lie == LIE_WITNESS) {
			e->state = GOSSIP_SUSPECT;
			e->witness = true;
		}
		if (lie == LIE_INCARNATIONS)
			e->incarnation = LIE_INCARNATION;
		if (lie == LIE_LOADS)
			e->load.run_centi = LIE_LOAD;
		m->n_entries++;
	}
}

void liar_speak(struct run *r, uint32_t liar, uint32_t number)
{
	struct sim *s = &r->sim;
	uint32_t to = rng_below(&s->rng, liar);
	enum lie lie = number % N_LIES;
	struct gossip_msg m = { .kind = GOSSIP_WORD };

	switch (lie) {
	case LIE_DEAD:
	case LIE_INCARNATIONS:
	case LIE_LOADS:
	case LIE_WITNESS:
		about_others(s, liar, lie, &m);
		break;
	case LIE_OWN_INCARNATION:
		m.n_entries = 1;
		m.entries[0] = (struct gossip_entry){ .id = liar + 1,
						      .incarnation = 2 + number,
						      .seq = 1 };
		break;
	case LIE_PINGS:
		m.kind = GOSSIP_PING;
		m.number = number;
		break;
	case LIE_ACKS:
		m.kind = GOSSIP_ACK;
		m.number = rng_below(&s->rng, 1000);
		m.subject = 1 + rng_below(&s->rng, liar);
		break;
	case LIE_REQUESTS:
	case N_LIES:
		m.kind = GOSSIP_PING_REQ;
		m.number = number;
		m.subject = 1 + rng_below(&s->rng, liar);
		break;
	}
	/* core members more often than others */
	sim_inject(s, liar, rng_below(&s->rng, 2) ? to % s->cfg.core : to, &m);
}

void liar_move(struct run *r, uint32_t number)
{
	uint32_t liar = r->sim.cfg.nodes - 1;

	/* they take turns; there may be none */
	liar -= number / N_LIES % ((r->sim.cfg.nodes + LIARS_PART - 1) / LIARS_PART);
	if (r->sim.nodes[liar].liar)
		liar_speak(r, liar, number);
	if (number % 1000 == 0)
		r->fig.lies_believed += liar_believed(&r->sim, true);
	sim_at(&r->sim, r->sim.now_us + LIE_EVERY_US, number + 1);
}

uint64_t liar_believed(struct sim *s, bool deaths)
{
	uint64_t n = 0;

	for (uint32_t i = 0; i < s->cfg.nodes; i++) {
		struct sim_node *o = &s->nodes[i];

		if (!o->cluster || o->liar)
			continue;
		for (uint32_t at = 0; at < cluster_count(o->cluster); at++) {
			struct cluster_view v;

			cluster_view_at(o->cluster, sim_local_ms(s, o), at, &v);
			if (v.id == 0 || v.id > s->cfg.nodes || s->nodes[v.id - 1].liar)
				continue;
			n += deaths && v.state != CLUSTER_ALIVE && v.state != CLUSTER_SUSPECT;
			n += v.incarnation >= LIE_INCARNATION;
			n += v.load.run_centi == LIE_LOAD;
		}
	}
	return n;
}
