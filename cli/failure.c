/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The document that is left when there is no memory for another: fixed text, the same top level.
 * pmemctl-json(7) promises a document for every run.
 */
#include <string.h>

#include "cli.h"

int cli_print_failure(int error, int exit_status)
{
	int n = printf("{\n"
		       "  \"format\": \"pmemctl.error\",\n"
		       "  \"format_version\": [1, 0],\n"
		       "  \"pmemctl\": {\"version\": \"%s\", \"argv\": [], \"exit_status\": %d},\n"
		       "  \"host\": {\"name\": null, \"boot_id\": null, \"kernel\": null},\n"
		       "  \"time\": null,\n"
		       "  \"coverage\": \"incomplete\",\n"
		       "  \"messages\": [{\"severity\": \"error\", \"subject\": \"pmemctl\", "
		       "\"text\": \"cannot answer: %s\"}]\n"
		       "}\n",
		       PACKAGE_VERSION, exit_status, strerror(-error));

	return n < 0 ? -EIO : 0;
}
