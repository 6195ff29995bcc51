/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * list.h - intrusive doubly linked list
 *
 * A struct list is both head and link. A link that is in no list points to itself, so that
 * list_del() twice does no harm.
 */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include "base/attr.h"

struct list {
	struct list *prev, *next;
};

static inline void list_init(struct list *l)
{
	l->prev = l;
	l->next = l;
}

/* at the end of @head */
static inline void list_add(struct list *head, struct list *l)
{
	l->prev = head->prev;
	l->next = head;
	head->prev->next = l;
	head->prev = l;
}

static inline void list_del(struct list *l)
{
	l->prev->next = l->next;
	l->next->prev = l->prev;
	list_init(l);
}

#define list_entry(l, type, member) CONTAINER_OF(l, type, member)

#define list_for_each(l, head) for (struct list *l = (head)->next; (l) != (head); (l) = (l)->next)

/* the current link may be deleted inside */
#define list_for_each_safe(l, head)                                                                \
	for (struct list *l = (head)->next, *l##_next_ = l->next; (l) != (head);                   \
	     (l) = l##_next_, l##_next_ = (l)->next)

#endif
