/* SPDX-License-Identifier: GPL-2.0-or-later */
/* opt.c - command line options from a table */
#include "base/opt.h"

#include <errno.h>

#include "base/parse.h"

static const struct opt_spec *find_long(const struct opt_command *cmd, const char *s, size_t len)
{
	for (size_t i = 0; i < cmd->n_specs; i++)
		if (strlen(cmd->specs[i].name) == len && !memcmp(cmd->specs[i].name, s, len))
			return &cmd->specs[i];
	return NULL;
}

static const struct opt_spec *find_letter(const struct opt_command *cmd, char c)
{
	for (size_t i = 0; i < cmd->n_specs; i++)
		if (cmd->specs[i].letter == c)
			return &cmd->specs[i];
	return NULL;
}

static int store(const struct opt_spec *s, const char *value, void *target, struct err *e)
{
	static const char *const wanted[] = {
		[OPT_FLAG] = "a flag",
		[OPT_STRING] = "a text",
		[OPT_U32] = "a whole number",
		[OPT_DOUBLE] = "a number such as 0.5 or 2",
		[OPT_SIZE] = "a size such as 512M or 2G",
		[OPT_DURATION] = "a duration such as 30s, 10m, 8h or 7d",
	};
	void *field = (char *)target + s->offset;
	int r = 0;

	switch (s->type) {
	case OPT_FLAG:
		*(bool *)field = true;
		break;
	case OPT_STRING:
		*(const char **)field = value;
		break;
	case OPT_U32:
		r = parse_u32(value, field);
		break;
	case OPT_DOUBLE:
		r = parse_double(value, field);
		break;
	case OPT_SIZE:
		r = parse_size(value, field);
		break;
	case OPT_DURATION:
		r = parse_duration(value, field);
		break;
	}
	if (r < 0)
		return err_set(e, -EINVAL, "--%s: '%s' is not %s", s->name, value, wanted[s->type]);
	return 0;
}

/* one option at argv[*i]; advances *i past its value */
static int take(const struct opt_command *cmd, int argc, char **argv, int *i, void *target,
		struct err *e)
{
	const char *a = argv[*i], *value = NULL;
	const struct opt_spec *s;

	if (a[1] == '-') {
		const char *eq = strchr(a, '=');
		size_t len = eq ? (size_t)(eq - a) - 2 : strlen(a) - 2;

		s = find_long(cmd, a + 2, len);
		value = eq ? eq + 1 : NULL;
	} else {
		s = find_letter(cmd, a[1]);
		if (a[2])
			value = a + 2;
	}
	if (!s)
		return err_set(e, -EINVAL, "unknown option '%s'; see '%s --help'", a, cmd->name);
	if (s->type == OPT_FLAG) {
		if (value)
			return err_set(e, -EINVAL, "option '%s' takes no value", a);
		return store(s, NULL, target, e);
	}
	if (!value) {
		if (*i + 1 >= argc)
			return err_set(e, -EINVAL, "option '%s' wants a value: %s", a, s->arg);
		value = argv[++*i];
	}
	return store(s, value, target, e);
}

int opt_parse(const struct opt_command *cmd, int argc, char **argv, void *target, int *ret_first,
	      struct err *e)
{
	int words = 0, i;

	/* argv[1 .. words] are the words met so far; options are read and moved out of the way */
	for (i = 1; i < argc; i++) {
		char *a = argv[i];

		if (!strcmp(a, "--")) {
			i++;
			break;
		}
		if (!strcmp(a, "--help") || (!strcmp(a, "-h") && !find_letter(cmd, 'h')))
			return -ECANCELED;
		if (a[0] != '-' || !a[1]) {
			if (cmd->stop_at_word)
				break;
			argv[1 + words++] = a;
			continue;
		}
		int r = take(cmd, argc, argv, &i, target, e);

		if (r < 0)
			return r;
	}
	/* close the gap: words met before "--" now stand just in front of the rest */
	for (int w = words; w > 0; w--)
		argv[i - words + w - 1] = argv[w];
	*ret_first = i - words;
	return 0;
}

int opt_help(const struct opt_command *cmd, struct buf *to)
{
	int r;

	r = buf_printf(to, "%s - %s\n\nUsage: %s%s%s%s\n", cmd->name, cmd->summary, cmd->name,
		       cmd->n_specs ? " [options]" : "", cmd->args ? " " : "",
		       cmd->args ? cmd->args : "");
	if (r < 0)
		return r;
	if (cmd->n_specs && (r = buf_printf(to, "\nOptions:\n")) < 0)
		return r;
	for (size_t i = 0; i < cmd->n_specs; i++) {
		const struct opt_spec *s = &cmd->specs[i];
		char left[64];

		(void)snprintf(left, sizeof(left), "%c%c%s--%s%s%s", s->letter ? '-' : ' ',
			       s->letter ? s->letter : ' ', s->letter ? ", " : "  ", s->name,
			       s->arg ? " " : "", s->arg ? s->arg : "");
		r = buf_printf(to, "  %-28s %s\n", left, s->help);
		if (r < 0)
			return r;
	}
	if (cmd->examples)
		return buf_printf(to, "\nExamples:\n%s", cmd->examples);
	return 0;
}
