/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a scan reads beside other work, as nobody waits for it yet: overlay mounts while the devices
 * are read, and the devices once more, to see whether they changed under it, while processes are.
 */
#ifndef PME_SCAN_ASIDE_H
#define PME_SCAN_ASIDE_H

#include "scan.h"

/* Begin with the overlay mounts, which the scan will most likely need. */
void pme_scan_overlays_begin(const struct pme_os *os, struct pme_scan *scan);
/* Into scan->topo, also when they were not begun with: 0 or -ENOMEM. */
int pme_scan_overlays_end(struct pme_scan *scan);

/* Filesystems were asked: begin to read the devices again, where that is most likely enough. */
void pme_scan_again_begin(struct pme_scan *scan);
/*
 * Has the stack that findings stand on changed since scan->topo was taken?  1 it has, and @log says
 * so; 0; -errno.
 */
int pme_scan_has_changed(struct pme_scan *scan, struct pme_log *log);

/* Whatever was begun ends. */
void pme_scan_aside_done(struct pme_scan *scan);

#endif
