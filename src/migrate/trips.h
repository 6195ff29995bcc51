/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * trips.h - one child for each trip of a process that is moved by hand
 *
 * Theory of operation. A deputy gives up the rights of root for good when it has its process
 * (rights.h), and the next deputy of the same process needs them again. With comosixd each is
 * started by that. By hand (`comosix-deputy --local --again') this process stays what it is, does
 * nothing but pass SIGINT and SIGTERM on, and forks the deputies. It lives as long as the moving
 * does: what it is sent is sent to the deputy of the moment, and a SIGKILL ends that too.
 */
#ifndef MIGRATE_TRIPS_H
#define MIGRATE_TRIPS_H

#define TRIPS_AGAIN 64 /* exit status of a trip: it goes out again */

/**
 * trips_run() - Make trips until one says another status than TRIPS_AGAIN
 * @trip:	Called in a child; n counts from 1; returns its exit status
 *
 * Return: the last status; 0 also when it came home too often (again.h), or was called home between
 * two trips; 1 for a trip that was killed
 */
int trips_run(int (*trip)(void *owner, unsigned int n), void *owner);

/** trips_bind() - When a trip has given up its rights: it ends with who has forked it. No trip: nothing */
void trips_bind(void);

#endif
