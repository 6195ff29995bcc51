/* SPDX-License-Identifier: GPL-2.0-or-later */
/* main.c - comosix: the operator's command */
#include <stdbool.h>

#include "base/attr.h"
#include "base/err.h"
#include "config.h"
#include "ctl/command.h"

static const struct command commands[] = {
#define COMMAND_ROW(words, summary, fn) { words, summary, fn },
	COMMANDS(COMMAND_ROW)
#undef COMMAND_ROW
		{ 0 },
};

static void usage(FILE *to)
{
	(void)fprintf(to,
		      "comosix - steer a CoMosix cluster\n\nUsage: comosix COMMAND [options]\n\n"
		      "Commands:\n");
	for (const struct command *c = commands; c->words; c++)
		(void)fprintf(to, "  %-16s %s\n", c->words, c->summary);
	(void)fprintf(to, "\n'comosix COMMAND --help' tells more, with examples.\n\nExamples:\n"
			  "  comosix lab up --nodes 4\n  comosix status\n"
			  "  comosix exec 'n[1-4]' -- uptime\n");
}

/* number of words of the command that are the first words of argv; 0: another command */
static int matches(const struct command *c, int argc, char **argv)
{
	const char *w = c->words;
	int n = 0;

	while (*w) {
		size_t len = strcspn(w, " ");

		if (n >= argc || strlen(argv[n]) != len || memcmp(argv[n], w, len) != 0)
			return 0;
		n++;
		w += len;
		while (*w == ' ')
			w++;
	}
	return n;
}

static bool starts_with_word(const struct command *c, const char *word)
{
	size_t len = strlen(word);

	return !strncmp(c->words, word, len) && (c->words[len] == ' ' || !c->words[len]);
}

static void list_verbs(FILE *to, const char *noun)
{
	(void)fprintf(to, "'comosix %s' wants one of:\n", noun);
	for (const struct command *c = commands; c->words; c++)
		if (starts_with_word(c, noun))
			(void)fprintf(to, "  comosix %-16s %s\n", c->words, c->summary);
	(void)fprintf(to, "\n'comosix %s VERB --help' tells more, with examples.\n", noun);
}

static bool is_help(const char *word)
{
	return !strcmp(word, "--help") || !strcmp(word, "-h") || !strcmp(word, "help");
}

int main(int argc, char **argv)
{
	bool noun = false;

	if (argc < 2) {
		usage(stderr);
		return EXIT_USAGE;
	}
	if (is_help(argv[1])) {
		usage(stdout);
		return EXIT_ALL_WELL;
	}
	if (!strcmp(argv[1], "--version")) {
		(void)printf("comosix %s\n", COMOSIX_VERSION);
		return EXIT_ALL_WELL;
	}
	for (const struct command *c = commands; c->words; c++) {
		int n = matches(c, argc - 1, argv + 1);

		if (n)
			return c->run(argc - n, argv + n);
		noun |= starts_with_word(c, argv[1]);
	}
	if (!noun) {
		(void)fprintf(stderr, "comosix: no command '%s'; see 'comosix --help'\n", argv[1]);
		return EXIT_USAGE;
	}
	if (argc > 2 && is_help(argv[2])) {
		list_verbs(stdout, argv[1]);
		return EXIT_ALL_WELL;
	}
	if (argc > 2)
		(void)fprintf(stderr, "comosix: '%s' has no '%s'\n", argv[1], argv[2]);
	list_verbs(stderr, argv[1]);
	return EXIT_USAGE;
}
