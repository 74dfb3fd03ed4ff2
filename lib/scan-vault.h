/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Files that are pmemctl's own: bad blocks in its vault are nobody's loss.
 */
#ifndef PME_SCAN_VAULT_H
#define PME_SCAN_VAULT_H

#include "finding.h"

/*
 * Mark those of @files, which are on @fs, that lie in its vault (pme_file.vault), where the vault
 * is believed.  A directory of that name that is not believed is said in @log, once, and only when
 * it matters.
 */
void pme_scan_note_vault(const struct pme_topo *topo, const struct pme_fs *fs,
			 struct pme_file *const *files, size_t n_files, struct pme_log *log);

/* What a claim on bytes of @file is, allocated; NULL: the file is not in a vault, or no memory. */
char *pme_scan_vault_detail(const struct pme_file *file);

#endif
