/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "image/files.h"

#include <errno.h>
#include <stdlib.h>

#include "base/le.h"

#define HEAD (8 + FILES_DIGEST + 2)

void files_init(struct image_files *f)
{
	*f = (struct image_files){ 0 };
}

void files_done(struct image_files *f)
{
	if (!f)
		return;
	for (size_t i = 0; i < f->n; i++)
		free(f->list[i].name);
	free(f->list);
	files_init(f);
}

bool files_is_name(const char *name, size_t len)
{
	if (!len || len > FILES_NAME_MAX || name[0] != '/' || memchr(name, '\0', len))
		return false;
	for (size_t at = 0; at < len;) {
		const char *end = memchr(name + at + 1, '/', len - at - 1);
		size_t part = (end ? (size_t)(end - name) : len) - at - 1;

		if (!part || (part <= 2 && !memcmp(name + at + 1, "..", part)))
			return false;
		at += part + 1;
	}
	return true;
}

static int add(struct image_files *f, const struct image_file *file, const char *name, size_t len)
{
	struct image_file *more;

	if (!files_is_name(name, len))
		return -EINVAL;
	if (f->n == IMAGE_FILES_MAX)
		return -E2BIG;
	more = reallocarray(f->list, f->n + 1, sizeof(*more));
	if (!more)
		return -ENOMEM;
	f->list = more;
	more += f->n;
	*more = *file;
	more->name = strndup(name, len);
	if (!more->name)
		return -ENOMEM;
	f->n++;
	return 0;
}

int files_add(struct image_files *f, const struct image_file *file)
{
	return add(f, file, file->name, strlen(file->name));
}

int files_put(struct buf *b, const struct image_files *f)
{
	size_t before = b->len;
	int r = 0;

	for (size_t i = 0; !r && i < f->n; i++) {
		size_t len = strlen(f->list[i].name);
		uint8_t *to;

		r = buf_room(b, HEAD + len, &to);
		if (r < 0)
			break;
		le64_put(to, f->list[i].size);
		memcpy(to + 8, f->list[i].digest, FILES_DIGEST);
		le16_put(to + 8 + FILES_DIGEST, (uint16_t)len);
		memcpy(to + HEAD, f->list[i].name, len);
		buf_grow(b, HEAD + len);
	}
	if (r < 0)
		b->len = before;
	return r;
}

/* one file off the front; Return: its bytes, -errno */
static int get_file(const uint8_t *p, size_t n, struct image_files *ret, struct err *e)
{
	struct image_file file = { 0 };
	size_t len;
	int r;

	if (n < HEAD)
		return err_set(e, -EPROTO, "a list of files that ends too early");
	len = le16_get(p + 8 + FILES_DIGEST);
	if (len > n - HEAD)
		return err_set(e, -EPROTO, "a list of files that ends within a name");
	file.size = le64_get(p);
	memcpy(file.digest, p + 8, FILES_DIGEST);
	if (file.size > INT64_MAX)
		return err_set(e, -EPROTO, "a file of a size that cannot be");
	r = add(ret, &file, (const char *)p + HEAD, len);
	if (r == -ENOMEM)
		return err_set(e, r, "no memory for a list of files");
	if (r < 0)
		return err_set(e, -EPROTO, "%s",
			       r == -E2BIG ? "a list of too many files"
					   : "a file whose name cannot be");
	return (int)(HEAD + len);
}

int files_get(const void *p, size_t n, struct image_files *ret, struct err *e)
{
	const uint8_t *at = p;
	int r = 0;

	if (n > FILES_BYTES_MAX)
		return err_set(e, -EPROTO, "a list of files of %zu bytes, more than %u", n,
			       FILES_BYTES_MAX);
	while (n && r >= 0) {
		r = get_file(at, n, ret, e);
		at += r > 0 ? r : 0;
		n -= r > 0 ? (size_t)r : 0;
	}
	if (r < 0)
		files_done(ret);
	return r < 0 ? r : 0;
}

size_t files_put_have(const struct image_files *f, uint8_t *to)
{
	memset(to, 0, FILES_HAVE_MAX);
	for (size_t i = 0; i < f->n; i++)
		if (f->list[i].have)
			to[i / 8] |= (uint8_t)(1U << i % 8);
	return (f->n + 7) / 8;
}

int files_get_have(const void *p, size_t n, struct image_files *f, struct err *e)
{
	const uint8_t *bits = p;

	if (n != (f->n + 7) / 8 || (f->n % 8 && bits[n - 1] >> f->n % 8))
		return err_set(e, -EPROTO, "the host has files that were not in the list");
	for (size_t i = 0; i < f->n; i++)
		f->list[i].have = bits[i / 8] >> i % 8 & 1;
	return 0;
}
