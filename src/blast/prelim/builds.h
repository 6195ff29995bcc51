/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * builds.h - the BLAST+ builds whose memory layout is known (layout.h)
 *
 * Build ids (NT_GNU_BUILD_ID) of the program and of the two libraries whose functions are
 * interposed. A build that is not listed is refused: the search then runs unsplit. To add one, read
 * its headers against layout.h, run tests/system/blast_matrix.py with it, and add a row.
 */
#ifndef PRELIM_BUILDS_H
#define PRELIM_BUILDS_H

#define PRELIM_ID_HEX 40 /* digits of a SHA-1 build id */

/* one file of one package: package version, what it is, file name, build id */
#define PRELIM_BUILDS(X)                                                                           \
	X("2.12.0+ds-3+b1", PROGRAM, "blastp", "9c5ffb5038cdc13dd7c8b1573377d3687ed2c0d9")         \
	X("2.12.0+ds-3+b1", LIBBLAST, "libblast.so", "3cf62050b308e61d093a8eecc9cfdb59c17df2f5")   \
	X("2.12.0+ds-3+b1", LIBXBLAST, "libxblast.so", "2dbb291274fd78251feb97bad49a44c18ebee79c")

enum prelim_part {
	PRELIM_PROGRAM,
	PRELIM_LIBBLAST,
	PRELIM_LIBXBLAST,
	PRELIM_PARTS,
};

#endif
