/* SPDX-License-Identifier: GPL-2.0-or-later */
/* mem_dlopen.c - libraries are loaded, used and unloaded while the program runs */
#include "victim.h"

#include <dlfcn.h>

int main(void)
{
	victim_ready();
	while (victim_round()) {
		void *m = dlopen("libm.so.6", RTLD_NOW | RTLD_LOCAL);
		void *again = dlopen("libresolv.so.2", RTLD_LAZY | RTLD_LOCAL);
		double (*root)(double);
		const char *(*none)(void);

		NEED(m != NULL && again != NULL);
		root = (double (*)(double))dlsym(m, "sqrt");
		none = (const char *(*)(void))dlsym(m, "no_such_function");
		NEED(root != NULL);
		CHECK(root(1764) == 42);
		CHECK(none == NULL);
		CHECK_EQ(dlclose(m), 0);
		CHECK_EQ(dlclose(again), 0);
	}
	return victim_end();
}
