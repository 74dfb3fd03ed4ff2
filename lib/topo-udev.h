/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What udev has found out about a block device, without touching the device: its database below
 * /run/udev/data, lines "E:KEY=VALUE" (systemd: src/libsystemd/sd-device, which shows them as
 * properties).
 */
#ifndef PME_TOPO_UDEV_H
#define PME_TOPO_UDEV_H

#include "topo.h"

/* The property @key ("ID_FS_UUID"), allocated: 1, 0 not known, -ENOMEM. */
int pme_udev_property(const struct pme_os *os, dev_t devno, const char *key, char **ret);
/* From the text of the database: 1, 0, -ENOMEM. */
int pme_udev_property_parse(const char *text, size_t len, const char *key, char **ret);

#endif
