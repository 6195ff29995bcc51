/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vdso.c - what two processes have in common that can exchange their vdso
 *
 * The vdso is read from the memory of a process, which may have changed it: it is parsed as any
 * file that a stranger sent.
 */
#include <elf.h>
#include <errno.h>
#include <gnutls/crypto.h>

#include "base/le.h"
#include "migrate/cpu.h"
#include "tracee/maps.h"

#define VDSO_MAX  65536
#define NOTES_MAX 32

static const struct {
	const char *name;
	uint8_t tag; /* in the digest */
} parts[] = {
	{ "[vvar]", 1 },
	{ "[vvar_vclock]", 2 },
	{ "[vdso]", 3 },
};

static size_t round_up(size_t n)
{
	return (n + 3) & ~(size_t)3;
}

/* one note segment */
static const uint8_t *find_note(const uint8_t *p, size_t n, size_t *ret_len)
{
	for (int i = 0; i < NOTES_MAX && n >= sizeof(Elf64_Nhdr); i++) {
		Elf64_Nhdr h;
		size_t name, all;

		memcpy(&h, p, sizeof(h));
		if (h.n_namesz > n || h.n_descsz > n)
			return NULL;
		name = sizeof(h) + round_up(h.n_namesz);
		all = name + round_up(h.n_descsz);
		if (all > n)
			return NULL;
		if (h.n_type == NT_GNU_BUILD_ID && h.n_namesz == 4 && h.n_descsz &&
		    !memcmp(p + sizeof(h), "GNU", 4)) {
			*ret_len = h.n_descsz;
			return p + name;
		}
		p += all;
		n -= all;
	}
	return NULL;
}

const uint8_t *vdso_build_id(const uint8_t *elf, size_t n, size_t *ret_len)
{
	Elf64_Ehdr h;

	if (n < sizeof(h))
		return NULL;
	memcpy(&h, elf, sizeof(h));
	if (memcmp(h.e_ident, ELFMAG, SELFMAG) != 0 || h.e_phentsize != sizeof(Elf64_Phdr) ||
	    h.e_phoff > n || h.e_phnum > (n - h.e_phoff) / sizeof(Elf64_Phdr))
		return NULL;
	for (unsigned int i = 0; i < h.e_phnum; i++) {
		const uint8_t *id;
		Elf64_Phdr s;

		memcpy(&s, elf + h.e_phoff + i * sizeof(s), sizeof(s));
		if (s.p_type != PT_NOTE || s.p_offset > n || s.p_filesz > n - s.p_offset)
			continue;
		id = find_note(elf + s.p_offset, s.p_filesz, ret_len);
		if (id)
			return id;
	}
	return NULL;
}

static int add_content(gnutls_hash_hd_t hash, pid_t pid, const struct maps_entry *v, struct err *e)
{
	uint64_t len = v->end - v->start;
	AUTO_FREE uint8_t *bytes = NULL;
	const uint8_t *id;
	size_t n = 0;
	int r;

	if (len > VDSO_MAX)
		return err_set(e, -EPROTO, "process %d has a vdso of %llu bytes", pid,
			       (unsigned long long)len);
	bytes = malloc(len);
	if (!bytes)
		return err_set(e, -ENOMEM, "no memory for the vdso of process %d", pid);
	r = tracee_read(pid, v->start, bytes, len);
	if (r < 0)
		return err_set(e, r, "read the vdso of process %d: %s", pid, strerror(-r));
	id = vdso_build_id(bytes, len, &n);
	return gnutls_hash(hash, id ? id : bytes, id ? n : len) < 0 ? -EIO : 0;
}

static int add_part(gnutls_hash_hd_t hash, pid_t pid, const struct maps_entry *v, uint64_t lowest,
		    uint8_t tag, struct err *e)
{
	uint8_t place[17];

	place[0] = tag;
	le64_put(place + 1, v->start - lowest);
	le64_put(place + 9, v->end - v->start);
	if (gnutls_hash(hash, place, sizeof(place)) < 0)
		return err_set(e, -EIO, "SHA-256 is not to be had");
	return tag == parts[ARRAY_LEN(parts) - 1].tag ? add_content(hash, pid, v, e) : 0;
}

/* Return: 0, 1 there was none, -errno */
static int add_all(gnutls_hash_hd_t hash, pid_t pid, const struct maps *maps, struct err *e)
{
	uint64_t lowest = 0;
	int r = 1;

	for (size_t i = 0; r >= 0 && i < maps->n; i++)
		for (size_t k = 0; r >= 0 && k < ARRAY_LEN(parts); k++)
			if (!strcmp(maps->entries[i].name, parts[k].name)) {
				lowest = lowest ? lowest : maps->entries[i].start;
				r = add_part(hash, pid, &maps->entries[i], lowest, parts[k].tag, e);
			}
	return r;
}

int vdso_digest(pid_t pid, uint8_t ret[VDSO_DIGEST_BYTES], struct err *e)
{
	uint8_t digest[VDSO_DIGEST_BYTES];
	gnutls_hash_hd_t hash;
	struct maps maps;
	int r = maps_read(pid, false, &maps, e);

	if (r < 0)
		return r;
	if (gnutls_hash_init(&hash, GNUTLS_DIG_SHA256) < 0) {
		maps_done(&maps);
		return err_set(e, -EIO, "SHA-256 is not to be had");
	}
	r = add_all(hash, pid, &maps, e);
	maps_done(&maps);
	gnutls_hash_deinit(hash, digest);
	if (!r)
		memcpy(ret, digest, sizeof(digest));
	else if (r == 1)
		memset(ret, 0, VDSO_DIGEST_BYTES);
	return r;
}
