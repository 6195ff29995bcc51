/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * file_directory.c - a directory lists each of many names once, also when it is read over several
 * rounds
 */
#include "victim.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define N	200
#define AT_ONCE 30

int main(void)
{
	int seen[N] = { 0 }, n = 0;
	char name[32];
	DIR *d;

	victim_scratch();
	NEED(mkdir("dir", 0700) == 0);
	for (int i = 0; i < N; i++) {
		(void)snprintf(name, sizeof(name), "dir/name %d", i);
		NEED(i % 10 ? close(open(name, O_CREAT | O_WRONLY, 0600)) == 0
			    : mkdir(name, 0700) == 0);
	}
	d = opendir("dir");
	NEED(d != NULL);
	victim_ready();
	while (victim_round()) {
		struct dirent *e = NULL;

		for (int i = 0; i < AT_ONCE && (e = readdir(d)); i++) {
			long k;

			if (e->d_name[0] == '.')
				continue;
			k = strtol(e->d_name + 5, NULL, 10);
			CHECK(strncmp(e->d_name, "name ", 5) == 0 && k >= 0 && k < N);
			CHECK(e->d_type == (k % 10 ? DT_REG : DT_DIR) || e->d_type == DT_UNKNOWN);
			seen[k]++;
			n++;
		}
		if (e)
			continue;
		CHECK_EQ(n, N);
		for (int i = 0; i < N; i++)
			CHECK_EQ(seen[i], 1);
		memset(seen, 0, sizeof(seen));
		n = 0;
		rewinddir(d);
		CHECK_ERR(rmdir("dir"), ENOTEMPTY);
	}
	(void)closedir(d);
	return victim_end();
}
