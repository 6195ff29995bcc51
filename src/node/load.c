/* SPDX-License-Identifier: GPL-2.0-or-later */
/* load.c - how busy this node is, within the limits of its cgroup */
#include "node/load.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>

#include "base/parse.h"
#include "log/log.h"
#include "node/cgroup.h"
#include "os/clock.h"
#include "os/fd.h"
#include "os/file.h"

#define SPEED_ROUNDS	4000000
#define SPEED_YARDSTICK 5000 /* us that SPEED_ROUNDS take on the reference CPU (speed 1000) */
#define NO_LIMIT	UINT64_MAX
#define PROC_MAX	262144

struct load_sampler {
	/* our own groups, "": none */
	char cpu_dir[CGROUP_PATH_MAX], memory_dir[CGROUP_PATH_MAX], acct_dir[CGROUP_PATH_MAX];
	bool v2;
	uint32_t cpus;	       /* whole ones that we may use */
	double cpu_limit;      /* CPUs, may be a fraction; 0: no limit */
	uint64_t memory_limit; /* NO_LIMIT: none */
	int stat_fd, meminfo_fd, usage_fd;
	uint64_t busy, total; /* of /proc/stat, in ticks */
	uint64_t usage_us, at_ms;
};

/* "" when it cannot be read */
static void read_text(int fd, char *to, size_t len)
{
	ssize_t n = fd >= 0 ? pread(fd, to, len - 1, 0) : 0;

	to[n > 0 ? n : 0] = '\0';
}

static void read_path(const char *dir, const char *name, char *to, size_t len)
{
	char path[PATH_MAX + 64];

	to[0] = '\0';
	if (!dir[0])
		return;
	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);

	read_text(fd, to, len);
}

static uint64_t number_after(const char *text, const char *key)
{
	const char *p = strstr(text, key);

	return p ? strtoull(p + strlen(key), NULL, 10) : 0;
}

/* ---- limits ---- */

/* "" when there is none */
static void find_dir(const struct buf *mounts, const struct buf *own, const char *controller,
		     char *ret)
{
	if (cgroup_own_dir((const char *)buf_bytes(mounts), (const char *)buf_bytes(own),
			   controller, ret) < 0)
		ret[0] = '\0';
}

static void find_groups(struct load_sampler *s)
{
	struct buf mounts, own;

	buf_init(&mounts, PROC_MAX);
	buf_init(&own, PROC_MAX);
	if (file_read("/proc/self/mountinfo", &mounts, NULL) == 0 &&
	    file_read("/proc/self/cgroup", &own, NULL) == 0 && buf_put_u8(&mounts, 0) == 0 &&
	    buf_put_u8(&own, 0) == 0) {
		find_dir(&mounts, &own, "cpu", s->cpu_dir);
		find_dir(&mounts, &own, "cpuacct", s->acct_dir);
		find_dir(&mounts, &own, "memory", s->memory_dir);
		if (!s->cpu_dir[0] && !s->memory_dir[0]) {
			find_dir(&mounts, &own, "", s->cpu_dir);
			memcpy(s->memory_dir, s->cpu_dir, sizeof(s->memory_dir));
			s->v2 = s->cpu_dir[0];
		}
	}
	buf_done(&mounts);
	buf_done(&own);
}

static void read_limits(struct load_sampler *s)
{
	char text[128], period[64];
	cpu_set_t set;
	double quota = 0;

	s->cpus = sched_getaffinity(0, sizeof(set), &set) == 0 ? (uint32_t)CPU_COUNT(&set) : 1;
	s->memory_limit = NO_LIMIT;
	if (s->v2) {
		read_path(s->cpu_dir, "cpu.max", text, sizeof(text)); /* "max 100000" */
		if (text[0] && text[0] != 'm' && strchr(text, ' '))
			quota = strtod(text, NULL) / strtod(strchr(text, ' '), NULL);
		read_path(s->memory_dir, "memory.max", text, sizeof(text));
		if (text[0] && text[0] != 'm')
			s->memory_limit = strtoull(text, NULL, 10);
	} else {
		read_path(s->cpu_dir, "cpu.cfs_quota_us", text, sizeof(text)); /* -1: none */
		read_path(s->cpu_dir, "cpu.cfs_period_us", period, sizeof(period));
		if (text[0] && text[0] != '-' && strtod(period, NULL) > 0)
			quota = strtod(text, NULL) / strtod(period, NULL);
		read_path(s->memory_dir, "memory.limit_in_bytes", text, sizeof(text));
		if (text[0])
			s->memory_limit = strtoull(text, NULL, 10);
		if (s->memory_limit > 1ULL << 60)
			s->memory_limit = NO_LIMIT; /* v1's way to say so */
	}
	s->cpu_limit = quota > 0 && quota < s->cpus ? quota : 0;
	if (s->cpu_limit > 0)
		s->cpus = (uint32_t)(s->cpu_limit + 0.5) ? (uint32_t)(s->cpu_limit + 0.5) : 1;
}

/* ---- hardware ---- */

/* a fixed amount of integer work; other programs only make it slower, so the best of four counts */
static uint64_t speed_round_us(void)
{
	volatile uint64_t sink;
	uint64_t x = 88172645463325252ULL, t = clock_boot_us();

	for (int i = 0; i < SPEED_ROUNDS / 4; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
	}
	sink = x;
	(void)sink;
	return (clock_boot_us() - t) * 4;
}

static uint64_t meminfo(const struct load_sampler *s, const char *key)
{
	char text[4096];

	read_text(s->meminfo_fd, text, sizeof(text));
	return number_after(text, key) << 10;
}

static uint16_t units_16mib(uint64_t bytes)
{
	bytes >>= 24;
	return bytes < UINT16_MAX ? (uint16_t)bytes : UINT16_MAX;
}

void load_profile_of(struct load_sampler *s, struct load_profile *ret)
{
	uint64_t best = UINT64_MAX, mem = meminfo(s, "MemTotal:");
	uint64_t speed;

	for (int i = 0; i < 4; i++) {
		uint64_t us = speed_round_us();

		best = us < best ? us : best;
	}
	speed = best ? SPEED_YARDSTICK * 1000 / best : 1000;
	if (s->cpu_limit > 0 && s->cpu_limit < 1)
		speed = (uint64_t)((double)speed * s->cpu_limit);
	*ret = (struct load_profile){
		.cpus = (uint16_t)s->cpus,
		.speed = (uint16_t)(speed < 1		 ? 1
				    : speed < UINT16_MAX ? speed
							 : UINT16_MAX),
		.mem_16mib = units_16mib(mem < s->memory_limit ? mem : s->memory_limit),
	};
}

/* ---- load ---- */

/* share of the machine that was busy since the last time, 0..1 */
static double machine_busy(struct load_sampler *s, uint32_t *ret_running)
{
	char text[8192];
	uint64_t v[8] = { 0 }, total = 0, idle, busy, d_total;
	char *p = text + 3;
	double r;

	read_text(s->stat_fd, text, sizeof(text));
	if (strncmp(text, "cpu", 3) != 0)
		return 0;
	for (int i = 0; i < 8; i++) {
		v[i] = strtoull(p, &p, 10);
		total += v[i];
	}
	idle = v[3] + v[4];
	busy = total - idle;
	d_total = total - s->total;
	r = d_total && s->total ? (double)(busy - s->busy) / (double)d_total : 0;
	s->busy = busy;
	s->total = total;
	*ret_running = (uint32_t)number_after(text, "procs_running ");
	return r < 0 ? 0 : r > 1 ? 1 : r;
}

/* CPUs used by our cgroup since the last time */
static double group_busy(struct load_sampler *s, uint64_t now_ms)
{
	char text[512];
	uint64_t us, dt = now_ms - s->at_ms;
	double r;

	read_text(s->usage_fd, text, sizeof(text));
	us = s->v2 ? number_after(text, "usage_usec ") : strtoull(text, NULL, 10) / 1000;
	r = s->usage_us && dt ? (double)(us - s->usage_us) / 1000 / (double)dt : 0;
	s->usage_us = us;
	s->at_ms = now_ms;
	return r < 0 ? 0 : r;
}

static uint64_t memory_free(const struct load_sampler *s)
{
	uint64_t avail = meminfo(s, "MemAvailable:"), used;
	char text[128];

	if (s->memory_limit == NO_LIMIT)
		return avail;
	read_path(s->memory_dir, s->v2 ? "memory.current" : "memory.usage_in_bytes", text,
		  sizeof(text));
	used = strtoull(text, NULL, 10);
	used = used < s->memory_limit ? s->memory_limit - used : 0;
	return used < avail ? used : avail;
}

void load_sample(struct load_sampler *s, uint64_t now_ms, struct load *ret)
{
	uint32_t running = 0;
	double busy, tasks;

	if (s->cpu_limit > 0 && s->usage_fd >= 0) {
		tasks = group_busy(s, now_ms) / s->cpu_limit;
		busy = tasks < 1 ? tasks : 1;
	} else {
		busy = machine_busy(s, &running);
		/* the one that runs just now is us, reading this */
		tasks = running > 1 ? (double)(running - 1) / s->cpus : 0;
		tasks = tasks > busy ? tasks : busy;
	}
	*ret = (struct load){
		.run_centi = (uint16_t)(tasks * 100 < UINT16_MAX ? tasks * 100 : UINT16_MAX),
		.free_16mib = units_16mib(memory_free(s)),
		.util_pct = (uint8_t)(busy * 100 + 0.5),
		.flags = LOAD_ACCEPTS,
	};
}

int load_sampler_new(struct load_sampler **ret)
{
	struct load_sampler *s = calloc(1, sizeof(*s));
	char path[PATH_MAX + 64];

	if (!s)
		return -ENOMEM;
	find_groups(s);
	read_limits(s);
	s->stat_fd = open("/proc/stat", O_RDONLY | O_CLOEXEC);
	s->meminfo_fd = open("/proc/meminfo", O_RDONLY | O_CLOEXEC);
	(void)snprintf(path, sizeof(path), "%s/%s", s->v2 ? s->cpu_dir : s->acct_dir,
		       s->v2 ? "cpu.stat" : "cpuacct.usage");
	s->usage_fd = open(path, O_RDONLY | O_CLOEXEC);
	log_debug("load: %u CPUs, limit %.2f, groups '%s' '%s'", s->cpus, s->cpu_limit, s->cpu_dir,
		  s->memory_dir);
	*ret = s;
	return 0;
}

void load_sampler_free(struct load_sampler *s)
{
	if (!s)
		return;
	fd_close(&s->stat_fd);
	fd_close(&s->meminfo_fd);
	fd_close(&s->usage_fd);
	free(s);
}
