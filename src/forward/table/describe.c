/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * describe.c - print the table of calls: docs/SYSCALLS.md, or with --coverage how many of each
 * class
 *
 * Usage: describe-syscalls [--coverage]
 */
#include <stdio.h>

#include "base/attr.h"
#include "base/banned.h"
#include "forward/table/table.h"

static const char head[] = "# System calls of a process that is away\n"
			   "\n"
			   "Made from `src/forward/table/syscalls.def` and `cases.def` by "
			   "`build/src/forward/describe-syscalls`;\n"
			   "do not edit. Classes: docs/MIGRATION.md section 2.\n"
			   "\n"
			   "A word for each argument: `i` value, `f` descriptor, `s` string, `<` "
			   "read, `>` written, `=` both, `%`\n"
			   "as much as the result says, `aN` length in argument N, `!` a function "
			   "of `src/forward/away`; the rest is\n"
			   "at the top of `syscalls.def`.\n"
			   "\n"
			   "| number | call | class | arguments | why |\n"
			   "| --- | --- | --- | --- | --- |\n";

static void print_spec(const char *spec)
{
	if (spec && spec[0])
		(void)printf("`%s`", spec);
}

static void print_row(uint32_t nr, const struct table_row *row)
{
	const struct table_case *c;

	for (size_t i = 0; i < row->n_cases; i++) {
		c = &row->cases[i];
		(void)printf("| %u | %s: %s | %s | ", nr, row->name, c->what,
			     table_class_name(c->class));
		print_spec(c->spec);
		(void)printf(" | %s |\n", c->why);
	}
	(void)printf("| %u | %s%s | %s | ", nr, row->name, row->n_cases ? ": others" : "",
		     table_class_name(row->class));
	print_spec(row->spec);
	(void)printf(" | %s |\n", row->why);
}

static void print_coverage(void)
{
	size_t rows[TABLE_REFUSED + 1] = { 0 }, cases[TABLE_REFUSED + 1] = { 0 };
	struct table_row row;

	for (uint32_t nr = 0; nr < table_end(); nr++) {
		if (!table_row(nr, &row))
			continue;
		rows[row.class]++;
		for (size_t i = 0; i < row.n_cases; i++)
			cases[row.cases[i].class]++;
	}
	(void)printf("%-8s %5s %5s  %s\n", "class", "calls", "cases", "what happens");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		(void)printf("%-8s %5zu %5zu  %s\n", table_class_name(i), rows[i], cases[i],
			     table_class_what(i));
}

int main(int argc, char **argv)
{
	struct table_row row;

	if (argc == 2 && strcmp(argv[1], "--coverage") == 0) {
		print_coverage();
		return 0;
	}
	if (argc != 1) {
		(void)fprintf(stderr, "usage: describe-syscalls [--coverage]\n");
		return 2;
	}
	(void)fputs(head, stdout);
	for (uint32_t nr = 0; nr < table_end(); nr++)
		if (table_row(nr, &row))
			print_row(nr, &row);
	return fflush(stdout) ? 1 : 0;
}
