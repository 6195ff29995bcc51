/* SPDX-License-Identifier: GPL-2.0-or-later */
/* netlink.c - make and set up network links (rtnetlink(7)) */
#include "os/netlink.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <linux/if_bridge.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sys/socket.h>

#include "os/fd.h"

#define REQUEST_MAX 1024
#define ANSWER_MAX  8192

struct request {
	union {
		struct nlmsghdr h;
		char room[REQUEST_MAX];
	};
};

int netlink_open(struct netlink *ret, struct err *e)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	if (fd < 0)
		return err_set(e, -errno, "rtnetlink socket: %s", strerror(errno));
	*ret = (struct netlink){ .fd = fd };
	return 0;
}

void netlink_close(struct netlink *n)
{
	fd_close(&n->fd);
}

/* a request of this type with its fixed part zeroed; flags beside REQUEST and ACK */
static void *begin(struct request *q, uint16_t type, uint16_t flags, size_t fixed)
{
	memset(q, 0, sizeof(*q));
	q->h.nlmsg_type = type;
	q->h.nlmsg_flags = (uint16_t)(NLM_F_REQUEST | NLM_F_ACK | flags);
	q->h.nlmsg_len = (uint32_t)NLMSG_LENGTH(fixed);
	return NLMSG_DATA(&q->h);
}

static void *grow(struct request *q, size_t n)
{
	char *at = q->room + NLMSG_ALIGN(q->h.nlmsg_len);

	/* all that is put in has a fixed or checked length */
	assert(NLMSG_ALIGN(q->h.nlmsg_len) + n <= REQUEST_MAX);
	q->h.nlmsg_len = (uint32_t)(NLMSG_ALIGN(q->h.nlmsg_len) + n);
	return at;
}

static void put(struct request *q, uint16_t type, const void *p, size_t len)
{
	struct rtattr *a = grow(q, RTA_ALIGN(RTA_LENGTH(len)));

	a->rta_type = type;
	a->rta_len = (unsigned short)RTA_LENGTH(len);
	if (len)
		memcpy(RTA_DATA(a), p, len);
}

static void put_u32(struct request *q, uint16_t type, uint32_t v)
{
	put(q, type, &v, sizeof(v));
}

static void put_name(struct request *q, uint16_t type, const char *s)
{
	put(q, type, s, strlen(s) + 1);
}

/* what is put between nest() and unnest() lies inside the attribute */
static struct rtattr *nest(struct request *q, uint16_t type)
{
	struct rtattr *a = grow(q, RTA_LENGTH(0));

	a->rta_type = type;
	return a;
}

static void unnest(struct request *q, struct rtattr *a)
{
	a->rta_len = (unsigned short)(q->room + q->h.nlmsg_len - (char *)a);
}

/* send, and wait for the answer to this request; its first message is left in answer */
static int ask(struct netlink *n, struct request *q, void *answer, size_t max)
{
	struct nlmsghdr *h = answer;

	q->h.nlmsg_seq = ++n->seq;
	if (send(n->fd, q, q->h.nlmsg_len, 0) < 0)
		return -errno;
	for (;;) {
		ssize_t len = recv(n->fd, answer, max, 0);

		if (len < 0 && errno == EINTR)
			continue;
		if (len < 0)
			return -errno;
		if (!NLMSG_OK(h, (size_t)len))
			return -EBADMSG;
		if (h->nlmsg_seq != n->seq)
			continue;
		if (h->nlmsg_type == NLMSG_ERROR)
			return ((struct nlmsgerr *)NLMSG_DATA(h))->error;
		return 0;
	}
}

static int tell(struct netlink *n, struct request *q)
{
	_Alignas(struct nlmsghdr) char answer[ANSWER_MAX];

	return ask(n, q, answer, sizeof(answer));
}

static bool name_fits(const char *name)
{
	return *name && strlen(name) < IFNAMSIZ;
}

static int index_of(struct netlink *n, const char *name, uint32_t *ret)
{
	_Alignas(struct nlmsghdr) char answer[ANSWER_MAX];
	struct request q;
	int r;

	if (!name_fits(name))
		return -EINVAL;
	begin(&q, RTM_GETLINK, 0, sizeof(struct ifinfomsg));
	q.h.nlmsg_flags = NLM_F_REQUEST; /* the link itself is the answer, or an error */
	put_name(&q, IFLA_IFNAME, name);
	r = ask(n, &q, answer, sizeof(answer));
	if (!r)
		*ret = (uint32_t)((struct ifinfomsg *)NLMSG_DATA((struct nlmsghdr *)answer))
			       ->ifi_index;
	return r;
}

int netlink_bridge(struct netlink *n, const char *name, struct err *e)
{
	struct request q;
	struct ifinfomsg *i;
	struct rtattr *info;
	int r;

	if (!name_fits(name))
		return err_set(e, -EINVAL, "'%s' is no name for a bridge", name);
	i = begin(&q, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, sizeof(*i));
	i->ifi_flags = i->ifi_change = IFF_UP;
	put_name(&q, IFLA_IFNAME, name);
	info = nest(&q, IFLA_LINKINFO);
	put(&q, IFLA_INFO_KIND, "bridge", strlen("bridge"));
	unnest(&q, info);
	r = tell(n, &q);
	return r < 0 ? err_set(e, r, "make bridge %s: %s", name, strerror(-r)) : 0;
}

int netlink_veth(struct netlink *n, const struct netlink_veth *v, struct err *e)
{
	struct rtattr *info, *data, *peer;
	struct ifinfomsg *i;
	struct request q;
	uint32_t bridge;
	int r;

	if (!name_fits(v->name) || !name_fits(v->peer_name))
		return err_set(e, -EINVAL, "'%s' is no name for a link", v->name);
	r = index_of(n, v->bridge, &bridge);
	if (r < 0)
		return err_set(e, r, "bridge %s: %s", v->bridge, strerror(-r));
	i = begin(&q, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, sizeof(*i));
	i->ifi_flags = i->ifi_change = IFF_UP;
	put_name(&q, IFLA_IFNAME, v->name);
	put_u32(&q, IFLA_MASTER, bridge);
	info = nest(&q, IFLA_LINKINFO);
	put(&q, IFLA_INFO_KIND, "veth", strlen("veth"));
	data = nest(&q, IFLA_INFO_DATA);
	peer = nest(&q, VETH_INFO_PEER);
	memset(grow(&q, sizeof(struct ifinfomsg)), 0, sizeof(struct ifinfomsg));
	put_name(&q, IFLA_IFNAME, v->peer_name);
	if (v->peer_mac)
		put(&q, IFLA_ADDRESS, v->peer_mac, ETH_ALEN);
	if (v->peer_ns >= 0)
		put_u32(&q, IFLA_NET_NS_FD, (uint32_t)v->peer_ns);
	unnest(&q, peer);
	unnest(&q, data);
	unnest(&q, info);
	r = tell(n, &q);
	return r < 0 ? err_set(e, r, "make link %s: %s", v->name, strerror(-r)) : 0;
}

int netlink_isolate(struct netlink *n, const char *port, struct err *e)
{
	struct ifinfomsg *i;
	struct rtattr *p;
	struct request q;
	uint8_t on = 1;
	uint32_t index;
	int r = index_of(n, port, &index);

	if (!r) {
		i = begin(&q, RTM_SETLINK, 0, sizeof(*i));
		i->ifi_family = AF_BRIDGE;
		i->ifi_index = (int)index;
		p = nest(&q, IFLA_PROTINFO | NLA_F_NESTED);
		put(&q, IFLA_BRPORT_ISOLATED, &on, sizeof(on));
		unnest(&q, p);
		r = tell(n, &q);
	}
	return r < 0 ? err_set(e, r, "isolate port %s: %s", port, strerror(-r)) : 0;
}

int netlink_set_up(struct netlink *n, const char *name, bool up, struct err *e)
{
	struct ifinfomsg *i;
	struct request q;
	int r = -EINVAL;

	if (name_fits(name)) {
		i = begin(&q, RTM_NEWLINK, 0, sizeof(*i));
		i->ifi_change = IFF_UP;
		i->ifi_flags = up ? IFF_UP : 0;
		put_name(&q, IFLA_IFNAME, name);
		r = tell(n, &q);
	}
	return r < 0 ? err_set(e, r, "link %s %s: %s", name, up ? "up" : "down", strerror(-r)) : 0;
}

int netlink_delete(struct netlink *n, const char *name, struct err *e)
{
	struct request q;
	int r = -EINVAL;

	if (name_fits(name)) {
		begin(&q, RTM_DELLINK, 0, sizeof(struct ifinfomsg));
		put_name(&q, IFLA_IFNAME, name);
		r = tell(n, &q);
	}
	if (r < 0 && r != -ENODEV)
		return err_set(e, r, "delete link %s: %s", name, strerror(-r));
	return 0;
}

int netlink_address(struct netlink *n, const char *name, uint32_t address, unsigned int prefix,
		    struct err *e)
{
	uint32_t index, be = htonl(address), broadcast;
	struct ifaddrmsg *a;
	struct request q;
	int r = prefix && prefix <= 32 ? index_of(n, name, &index) : -EINVAL;

	if (!r) {
		broadcast = prefix == 32 ? be : htonl(address | (UINT32_MAX >> prefix));
		a = begin(&q, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, sizeof(*a));
		a->ifa_family = AF_INET;
		a->ifa_prefixlen = (uint8_t)prefix;
		a->ifa_index = index;
		put_u32(&q, IFA_LOCAL, be);
		put_u32(&q, IFA_ADDRESS, be);
		put_u32(&q, IFA_BROADCAST, broadcast);
		r = tell(n, &q);
	}
	return r < 0 ? err_set(e, r, "address of link %s: %s", name, strerror(-r)) : 0;
}

int netlink_route(struct netlink *n, uint32_t to, unsigned int prefix, uint32_t gateway,
		  struct err *e)
{
	struct request q;
	struct rtmsg *m;
	int r;

	m = begin(&q, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, sizeof(*m));
	m->rtm_family = AF_INET;
	m->rtm_dst_len = (uint8_t)prefix;
	m->rtm_table = RT_TABLE_MAIN;
	m->rtm_protocol = RTPROT_STATIC;
	m->rtm_scope = RT_SCOPE_UNIVERSE;
	m->rtm_type = RTN_UNICAST;
	put_u32(&q, RTA_DST, htonl(to));
	put_u32(&q, RTA_GATEWAY, htonl(gateway));
	r = tell(n, &q);
	return r < 0 ? err_set(e, r, "route: %s", strerror(-r)) : 0;
}
