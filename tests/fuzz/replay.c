/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * replay: main() of a fuzz target in a build without a fuzzer: runs the target once on each file
 * named on the command line, as libFuzzer's own main() does with files.  So every seed, and every
 * input that once crashed, is a regression test with any compiler.
 */
#include "fuzz.h"

#include <errno.h>

#define INPUT_MAX (1 << 20)

static int replay(const char *path)
{
	static uint8_t data[INPUT_MAX];
	FILE *file = fopen(path, "re");
	size_t size;

	if (!file) {
		fprintf(stderr, "replay: cannot open %s: %s\n", path, strerror(errno));
		return 1;
	}
	size = fread(data, 1, sizeof(data), file);
	fclose(file);
	if (size == sizeof(data)) {
		fprintf(stderr, "replay: %s is longer than %d bytes\n", path, INPUT_MAX - 1);
		return 1;
	}
	fprintf(stderr, "Running: %s\n", path);
	LLVMFuzzerTestOneInput(data, size);
	return 0;
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (replay(argv[i]) != 0)
			return 1;
	return 0;
}
