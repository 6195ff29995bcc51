/* SPDX-License-Identifier: GPL-2.0-or-later */
/* network.c - the wires of a lab */
#include "lab/network.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/wait.h>

#include "lab/layout.h"
#include "os/fd.h"

#define BRIDGE_LAB "lab"
#define BRIDGE_IN  "in"

/* out: as the router itself; in: only answers */
static const char ruleset[] = "table ip lab {\n"
			      "	chain out {\n"
			      "		type nat hook postrouting priority 100;\n"
			      "		oifname \"out\" masquerade\n"
			      "	}\n"
			      "	chain through {\n"
			      "		type filter hook forward priority 0; policy drop;\n"
			      "		ct state established,related accept\n"
			      "		iifname \"in\" oifname \"out\" accept\n"
			      "	}\n"
			      "	chain to_router {\n"
			      "		type filter hook input priority 0; policy drop;\n"
			      "		iifname \"in\" meta l4proto icmp accept\n"
			      "	}\n"
			      "}\n";

int network_init(struct network *n, struct err *e)
{
	int r;

	*n = (struct network){ .lab.fd = -1, .router.fd = -1, .router_ns = -1 };
	r = netlink_open(&n->lab, e);
	if (!r)
		r = netlink_set_up(&n->lab, "lo", true, e);
	if (!r)
		r = netlink_bridge(&n->lab, BRIDGE_LAB, e);
	if (r < 0)
		network_done(n);
	return r;
}

void network_done(struct network *n)
{
	netlink_close(&n->lab);
	netlink_close(&n->router);
	fd_close(&n->router_ns);
}

/* the child's part: feed the rules to nft(8) */
static NORETURN void nft_exec(void)
{
	int p[2];

	if (pipe(p) < 0 || fd_write_all(p[1], ruleset, sizeof(ruleset) - 1) < 0 ||
	    dup2(p[0], STDIN_FILENO) < 0)
		_exit(1);
	(void)close_range(3, ~0U, 0); /* else nft waits for the end of its own input */
	(void)execlp("nft", "nft", "-f", "-", (char *)NULL);
	_exit(127);
}

static int set_rules(struct err *e)
{
	pid_t pid = fork();
	int status = 0;

	if (!pid)
		nft_exec();
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		return err_set(e, -errno, "run nft: %s", strerror(errno));
	if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
		return err_set(e, -ENOENT, "nft is missing, --nat wants it: apt install nftables");
	if (status)
		return err_set(e, -EIO,
			       "nft does not take the router's rules (kernel without NAT?)");
	return 0;
}

static int forwarding_on(struct err *e)
{
	AUTO_CLOSE int fd = open("/proc/sys/net/ipv4/ip_forward", O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, "1", 1) < 0)
		return err_set(e, -errno, "ip_forward: %s", strerror(errno));
	return 0;
}

/* inside the router's namespace */
static int router_inside(struct network *n, struct err *e)
{
	int r = netlink_open(&n->router, e);

	if (!r)
		r = netlink_set_up(&n->router, "lo", true, e);
	if (!r)
		r = netlink_bridge(&n->router, BRIDGE_IN, e);
	if (!r)
		r = netlink_address(&n->router, BRIDGE_IN, LAB_ROUTER_INSIDE, LAB_PREFIX, e);
	if (!r)
		r = forwarding_on(e);
	if (!r)
		r = set_rules(e);
	return r;
}

int network_router(struct network *n, struct err *e)
{
	struct netlink_veth v = { .name = "router", .bridge = BRIDGE_LAB, .peer_name = "out" };
	AUTO_CLOSE int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	AUTO_CLOSE int ns = -1;
	int r, back;

	if (n->router_ns >= 0)
		return 0;
	if (home < 0 || unshare(CLONE_NEWNET) < 0)
		return err_set(e, -errno, "make the router's namespace: %s", strerror(errno));
	ns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	r = ns < 0 ? err_set(e, -errno, "router's namespace: %s", strerror(errno))
		   : router_inside(n, e);
	back = setns(home, CLONE_NEWNET) < 0 ? -errno : 0;
	if (back < 0)
		return err_set(e, back, "leave the router's namespace: %s", strerror(-back));
	v.peer_ns = ns;
	if (!r)
		r = netlink_veth(&n->lab, &v, e);
	if (!r)
		r = netlink_address(&n->router, "out", LAB_ROUTER_OUTSIDE, LAB_PREFIX, e);
	if (!r)
		r = netlink_set_up(&n->router, "out", true, e);
	if (r < 0) {
		netlink_close(&n->router);
		return r;
	}
	n->router_ns = fd_take(&ns);
	return 0;
}

/*
 * A machine keeps its network card when its power comes back: else its neighbours would send to the
 * old one until their ARP entries are stale, half a minute. Locally administered, by name (FNV-1a).
 */
static void mac_of(const char *pod, uint8_t *ret)
{
	uint32_t h = 2166136261U;

	for (; *pod; pod++)
		h = (h ^ (uint8_t)*pod) * 16777619U;
	memcpy(ret,
	       (const uint8_t[]){ 0x02, 0xc0, h >> 24 & 255, h >> 16 & 255, h >> 8 & 255, h & 255 },
	       6);
}

int network_plug(struct network *n, const char *pod, pid_t pid, bool behind_nat, struct err *e)
{
	struct netlink *at = behind_nat ? &n->router : &n->lab;
	struct netlink_veth v = { .name = pod,
				  .bridge = behind_nat ? BRIDGE_IN : BRIDGE_LAB,
				  .peer_name = "eth0" };
	char path[64];
	uint8_t mac[6];
	int r = behind_nat ? network_router(n, e) : 0;

	if (r < 0)
		return r;
	mac_of(pod, mac);
	v.peer_mac = mac;
	(void)snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)pid);
	AUTO_CLOSE int ns = open(path, O_RDONLY | O_CLOEXEC);

	if (ns < 0)
		return err_set(e, -errno, "open '%s': %s", path, strerror(errno));
	v.peer_ns = ns;
	r = netlink_veth(at, &v, e);
	if (!r && behind_nat)
		r = netlink_isolate(at, pod, e);
	return r;
}

int network_unplug(struct network *n, const char *pod, bool behind_nat, struct err *e)
{
	return netlink_delete(behind_nat ? &n->router : &n->lab, pod, e);
}

int network_cut(struct network *n, const char *pod, bool behind_nat, bool cut, struct err *e)
{
	return netlink_set_up(behind_nat ? &n->router : &n->lab, pod, !cut, e);
}
