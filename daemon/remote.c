/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Connections to the launcher; see remote.h.
 */
#include "remote.h"

#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#define FLAGS (MSG_DONTWAIT | MSG_NOSIGNAL)

union control {
	struct cmsghdr header;
	char bytes[CMSG_SPACE(sizeof(int) * PMED_ORDER_FDS)];
};

int pmed_message_send(int connection, const void *data, size_t size, const int *fds, size_t count)
{
	struct iovec iov = {(void *)data, size};
	union control control = {0};
	struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};
	ssize_t n;

	if (count > 0) {
		message.msg_control = &control;
		message.msg_controllen = CMSG_SPACE(sizeof(int) * count);
		control.header = (struct cmsghdr){.cmsg_level = SOL_SOCKET,
						  .cmsg_type = SCM_RIGHTS,
						  .cmsg_len = CMSG_LEN(sizeof(int) * count)};
		memcpy(CMSG_DATA(&control.header), fds, sizeof(int) * count);
	}
	do
		n = sendmsg(connection, &message, FLAGS);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

/* All that came, so that none stays open: at most PMED_ORDER_FDS, for which there is room. */
static size_t take_fds(struct msghdr *message, int fds[PMED_ORDER_FDS])
{
	size_t count = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
		size_t more = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS ||
		    more > PMED_ORDER_FDS - count)
			continue;
		memcpy(fds + count, CMSG_DATA(c), more * sizeof(int));
		count += more;
	}
	return count;
}

ssize_t pmed_message_receive(int connection, void *data, size_t size, int fds[PMED_ORDER_FDS],
			     size_t *ret_count)
{
	struct iovec iov = {data, size};
	union control control = {0};
	struct msghdr message = {.msg_iov = &iov,
				 .msg_iovlen = 1,
				 .msg_control = &control,
				 .msg_controllen = sizeof(control)};
	ssize_t n;

	*ret_count = 0;
	do
		n = recvmsg(connection, &message, FLAGS | MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	*ret_count = take_fds(&message, fds);
	return message.msg_flags & (MSG_TRUNC | MSG_CTRUNC) ? -EPROTO : n;
}

int pmed_message_check_peer(int connection)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	if (getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
		return -errno;
	return peer.uid == geteuid() ? 0 : -EPERM;
}

int pmed_remote_connect(const char *path)
{
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int r;

	if (fd < 0)
		return -errno;
	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	memcpy(address.sun_path, path, strlen(path));
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	r = pmed_message_check_peer(fd);
	return r < 0 ? r : pme_take_fd(&fd);
}

int pmed_remote_order(int connection, char *const *args, uint64_t memory,
		      const int fds[PMED_ORDER_FDS])
{
	char text[PMED_ORDER_MAX];
	ssize_t n = pmed_order_make((const char *const *)args, memory, text);

	return n < 0 ? (int)n : pmed_message_send(connection, text, (size_t)n, fds, PMED_ORDER_FDS);
}

int pmed_remote_hear(int connection, struct pmed_report *ret, int *ret_pidfd)
{
	char data[sizeof(struct pmed_report)];
	int fds[PMED_ORDER_FDS] = {-1, -1, -1};
	size_t count;
	ssize_t n = pmed_message_receive(connection, data, sizeof(data), fds, &count);
	int r = n < 0 ? (int)n : n == 0 ? -ECONNRESET : 0;

	if (r == 0)
		r = count > 1 ? -EPROTO : pmed_report_parse(data, (size_t)n, count == 1, ret);
	if (r == 0 && count == 1)
		*ret_pidfd = pme_take_fd(&fds[0]);
	for (size_t i = 0; i < count; i++)
		pme_close_fd(&fds[i]);
	return r == 0 || r == -EAGAIN || r == -EPROTO ? r : -ECONNRESET;
}
