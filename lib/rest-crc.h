/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * CRC-32 (IEEE 802.3, reflected, polynomial 0xedb88320) without any inversion: LVM starts with
 * 0xf597a6cf and keeps what comes out; GPT starts with all ones and inverts the result.
 */
#ifndef PME_REST_CRC_H
#define PME_REST_CRC_H

#include "base.h"

uint32_t pme_rest_crc(uint32_t crc, const void *data, size_t len);

#endif
