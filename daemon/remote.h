/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The daemon's side of a connection to the launcher; order.h says what is said there.
 */
#ifndef PMED_REMOTE_H
#define PMED_REMOTE_H

#include "order.h"

/* A connection to the launcher at @path, whose other side is of our own user: its descriptor, which
 * does not block, or -errno; -EPERM: of somebody else. */
int pmed_remote_connect(const char *path);
/* The order, with the three descriptors of the worker: 0 or -errno. */
int pmed_remote_order(int connection, char *const *args, uint64_t memory,
		      const int fds[PMED_ORDER_FDS]);
/* One report: 0; -EAGAIN: none yet; -ECONNRESET: no more will come; -EPROTO: not one.  With one
 * that it began *@ret_pidfd is set. */
int pmed_remote_hear(int connection, struct pmed_report *ret, int *ret_pidfd);

/* For both sides: a message with @count descriptors (0 to PMED_ORDER_FDS), at once.  0 or -errno.
 */
int pmed_message_send(int connection, const void *data, size_t size, const int *fds, size_t count);
/*
 * And one that came: its bytes (0: end of the stream), -EPROTO when it or its descriptors are too
 * many, -errno.  *@ret_count descriptors are in @fds, to be closed by the caller.
 */
ssize_t pmed_message_receive(int connection, void *data, size_t size, int fds[PMED_ORDER_FDS],
			     size_t *ret_count);
/* Is the other side of our own user?  0, -EPERM, -errno. */
int pmed_message_check_peer(int connection);

#endif
