/* SPDX-License-Identifier: GPL-2.0-or-later */
/* bringup.c - switch pods on: the head first, then tokens, then nodes, a few at a time */
#include "lab/bringup.h"

#include <assert.h>
#include <errno.h>

#include "log/log.h"

/* joining is CPU work at both ends: more at a time is not faster, only less fair */
#define NODES_AT_ONCE 4
#define TOKEN_PREFIX  "cmx-"
#define TOKEN_LIFE    "1h"

static const unsigned int moves[] = {
	[BRINGUP_IDLE] = 1U << BRINGUP_HEAD,
	[BRINGUP_HEAD] = 1U << BRINGUP_TOKENS | 1U << BRINGUP_IDLE,
	[BRINGUP_TOKENS] = 1U << BRINGUP_NODES | 1U << BRINGUP_IDLE,
	[BRINGUP_NODES] = 1U << BRINGUP_IDLE,
};

static void set_phase(struct bringup *b, enum bringup_phase to)
{
	assert(moves[b->phase] & 1U << to);
	log_debug("bring-up phase %d -> %d", b->phase, to);
	b->phase = to;
}

static void finish(struct bringup *b, const char *why)
{
	set_phase(b, BRINGUP_IDLE);
	b->done(b->owner, why);
}

static bool has_joined(const struct bringup *b, const struct pod *p)
{
	return b->lab->plan->bare || p->joined;
}

/* switch on what may be switched on now; true when all are ready */
static bool boot_more(struct bringup *b)
{
	struct err e;

	while (b->next < b->last && b->next - b->first < b->ready + NODES_AT_ONCE) {
		struct pod *p = b->pods[b->next++];

		if (p->state == POD_READY) {
			b->ready++;
		} else if (p->state == POD_OFF && pod_boot(p, b->tokens[p->role], &e) < 0) {
			char why[ERR_TEXT_MAX + 32];

			(void)snprintf(why, sizeof(why), "%s: %s", p->name, e.text);
			finish(b, why);
			return false;
		}
	}
	return b->ready == b->last - b->first;
}

static void nodes(struct bringup *b)
{
	set_phase(b, BRINGUP_NODES);
	b->next = b->first;
	b->ready = 0;
	if (boot_more(b))
		finish(b, NULL);
}

static uint32_t joining(const struct bringup *b, enum lab_role role)
{
	uint32_t n = 0;

	for (uint32_t i = b->first; i < b->last; i++)
		n += b->pods[i]->role == role && !has_joined(b, b->pods[i]);
	return n;
}

/* ask for the next role's token; nodes come when no role is left */
static void tokens(struct bringup *b)
{
	char count[16];
	struct err e;

	for (; b->asked <= LAB_DESKTOP; b->asked++) {
		const char *argv[] = {
			"comosix", "token", "create",	 "--role",   lab_role_name(b->asked),
			"--count", count,   "--expires", TOKEN_LIFE, NULL
		};
		uint32_t n = joining(b, b->asked);

		if (!n)
			continue;
		(void)snprintf(count, sizeof(count), "%u", n);
		if (headcmd_run(&b->cmd, b->head, (char *const *)argv, &e) < 0)
			finish(b, e.text);
		return;
	}
	nodes(b);
}

static void on_token(void *owner, int status, char *output)
{
	struct bringup *b = owner;
	char why[HEADCMD_OUTPUT_MAX + 64];
	char *at = strstr(output, TOKEN_PREFIX);
	size_t len = at ? strcspn(at, " \t\r\n\"") : 0;

	if (b->phase != BRINGUP_TOKENS)
		return; /* given up meanwhile */
	if (status || !len || len >= BRINGUP_TOKEN_MAX) {
		(void)snprintf(why, sizeof(why), "comosix token create: %s", output);
		finish(b, why);
		return;
	}
	memcpy(b->tokens[b->asked], at, len);
	b->tokens[b->asked][len] = '\0';
	b->asked++;
	tokens(b);
}

static void head_ready(struct bringup *b)
{
	b->progress(b->owner, "head", 1);
	set_phase(b, BRINGUP_TOKENS);
	b->asked = LAB_SERVER;
	memset(b->tokens, 0, sizeof(b->tokens));
	tokens(b);
}

void bringup_init(struct bringup *b, struct pod_lab *lab, struct pod **pods, bringup_done_fn *done,
		  bringup_progress_fn *progress, void *owner)
{
	*b = (struct bringup){
		.lab = lab, .pods = pods, .done = done, .progress = progress, .owner = owner
	};
	headcmd_init(&b->cmd, lab->loop, on_token, b);
}

/* a node that has joined comes back by itself, whatever the head does */
static bool wants_head(const struct bringup *b)
{
	bool wants = b->first == 0;

	for (uint32_t i = b->first; i < b->last; i++)
		wants |= !b->pods[i]->joined;
	return wants;
}

void bringup_begin(struct bringup *b, uint32_t first, uint32_t last)
{
	char why[ERR_TEXT_MAX + 32];
	struct err e;

	b->head = b->pods[0];
	b->first = first;
	b->last = last;
	set_phase(b, BRINGUP_HEAD);
	if (!wants_head(b)) {
		set_phase(b, BRINGUP_TOKENS);
		nodes(b);
	} else if (b->head->state == POD_READY) {
		head_ready(b);
	} else if (b->head->state == POD_OFF && pod_boot(b->head, "", &e) < 0) {
		(void)snprintf(why, sizeof(why), "head: %s", e.text);
		finish(b, why);
	}
}

void bringup_pod_changed(struct bringup *b, struct pod *p)
{
	char why[ERR_TEXT_MAX];
	bool ours = p->number >= b->first && p->number < b->last;

	if (b->phase == BRINGUP_IDLE || (!ours && p != b->head) || p->state == POD_BOOTING)
		return;
	if (p->state != POD_READY) {
		(void)snprintf(why, sizeof(why), "%s: %s", p->name,
			       p->failure[0] ? p->failure : "was switched off");
		finish(b, why);
		return;
	}
	if (b->phase == BRINGUP_HEAD && p == b->head) {
		head_ready(b);
	} else if (b->phase == BRINGUP_NODES && ours) {
		b->ready++;
		b->progress(b->owner, "nodes", b->ready);
		if (boot_more(b))
			finish(b, NULL);
	}
}
