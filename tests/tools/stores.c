/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * stores: writes one file all the time, through a mapping and by pwrite(2), reads it both ways, and
 * knows of each store whether it was acknowledged.
 *
 *   stores make FILE CONTROL BLOCKS   a file of so many 4 KiB blocks; CONTROL has what is known of
 * it stores run FILE CONTROL           three processes, a mapper, a writer and a reader; until
 * "stop" stores hold|free|heat|lose CONTROL BLOCK nobody stores there (any more, once this
 * returns); everybody may; everybody likes to; it is bad for good: nobody stores there stores rest
 * CONTROL MSEC          so long a rest between bursts of stores stores stop CONTROL stores tell
 * CONTROL               a line "stores N failed N reads N errors N wrong N" stores check FILE
 * CONTROL         is every acknowledged store there?  Lost blocks may be errors
 *
 * A cell is half a block and has one owner: blocks 0, 3, 6… are the mapper's, 1, 4, 7… the
 * writer's, of 2, 5, 8… each has one half.  Each 8-byte word of a cell says which cell it is in,
 * where in it, and the number of its store: what is read is right when that lies between the last
 * store that was acknowledged before and the last that was begun afterwards.
 *
 * The surprise: words are stored whole, but the kernel copies bytes.  What one copies while the
 * other writes without a lock may be torn, so a reader looks again then; not where that cannot be:
 * own loads of stores through the mapping, and pread of pwrite.
 */
#include <err.h>
#include <fcntl.h>
#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define BLOCK 4096
#define CELL 2048
#define WORDS (CELL / 8)
#define BLOCKS_MAX 4096
#define BURST 64
#define LOOKS 20 /* at what may be torn */
#define WRONG 1
#define CANNOT 4
#define USAGE 8

enum state { FREE, HELD, LOST };
enum owner { MAPPER, WRITER };

struct cell {
	_Atomic uint64_t begun, acked;
};

struct control {
	uint64_t blocks;
	_Atomic uint32_t stop, rest_msec, hot; /* hot: a block + 1 */
	_Atomic uint32_t busy[2];	       /* the block + 1 that each is at */
	_Atomic uint64_t stores, failed, reads, errors, wrong;
	_Atomic uint8_t state[BLOCKS_MAX];
	struct cell cells[2 * BLOCKS_MAX];
	char first_wrong[256];
};

static struct control *control;
static _Atomic uint64_t *view; /* the file, mapped */
static int file;
static uint64_t random_state;
static sigjmp_buf after_signal;

static uint64_t below(uint64_t limit)
{
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return random_state * 0x2545f4914f6cdd1dULL % limit;
}

static void on_signal(int number)
{
	(void)number;
	siglongjmp(after_signal, 1);
}

static uint64_t word_of(uint64_t cell, uint64_t at, uint64_t number)
{
	return (cell + 1) << 48 | at << 40 | number;
}

static enum owner owner_of(uint64_t cell)
{
	return cell / 2 % 3 == 2 ? (enum owner)(cell % 2) : (enum owner)(cell / 2 % 3);
}

/* ---- storing ---- */

/* Word by word; false when it was stopped by SIGBUS. */
static bool store_mapped(uint64_t cell, uint64_t number)
{
	if (sigsetjmp(after_signal, 1))
		return false;
	for (uint64_t i = 0; i < WORDS; i++)
		atomic_store(&view[cell * WORDS + i], word_of(cell, i, number));
	return true;
}

static bool store_written(uint64_t cell, size_t cells, const uint64_t *numbers)
{
	uint64_t buf[2 * WORDS];
	ssize_t size = (ssize_t)(cells * CELL);

	for (size_t c = 0; c < cells; c++)
		for (uint64_t i = 0; i < WORDS; i++)
			buf[c * WORDS + i] = word_of(cell + c, i, numbers[c]);
	return pwrite(file, buf, (size_t)size, (off_t)(cell * CELL)) == size;
}

/* All cells of a block that are @owner's. */
static void store_block(enum owner owner, uint64_t block)
{
	uint64_t first = 2 * block + (owner_of(2 * block) != owner), numbers[2];
	size_t cells = owner_of(2 * block) == owner_of(2 * block + 1) ? 2 : 1;
	bool done = true;

	for (size_t c = 0; c < cells; c++)
		numbers[c] = atomic_fetch_add(&control->cells[first + c].begun, 1) + 1;
	if (owner == WRITER)
		done = store_written(first, cells, numbers);
	for (size_t c = 0; owner == MAPPER && done && c < cells; c++)
		done = store_mapped(first + c, numbers[c]);
	atomic_fetch_add(done ? &control->stores : &control->failed, 1);
	for (size_t c = 0; done && c < cells; c++)
		atomic_store(&control->cells[first + c].acked, numbers[c]);
}

static bool has_cell(enum owner owner, uint64_t block)
{
	return owner_of(2 * block) == owner || owner_of(2 * block + 1) == owner;
}

static void store_somewhere(enum owner owner)
{
	uint32_t hot = atomic_load(&control->hot);
	uint64_t block = hot && below(2) ? hot - 1 : below(control->blocks);

	if (!has_cell(owner, block))
		return;
	atomic_store(&control->busy[owner], (uint32_t)block + 1);
	if (atomic_load(&control->state[block]) == FREE)
		store_block(owner, block);
	atomic_store(&control->busy[owner], 0);
}

static void store_all_the_time(enum owner owner)
{
	while (!atomic_load(&control->stop)) {
		uint64_t usec = 1000ULL * atomic_load(&control->rest_msec);

		for (int i = 0; i < BURST && !atomic_load(&control->stop); i++)
			store_somewhere(owner);
		if (usec)
			usleep((useconds_t)(usec / 2 + below(usec)));
	}
}

/* ---- reading ---- */

static bool load(uint64_t cell, bool mapped, uint64_t *ret)
{
	if (!mapped)
		return pread(file, ret, CELL, (off_t)(cell * CELL)) == CELL;
	if (sigsetjmp(after_signal, 1))
		return false;
	for (uint64_t i = 0; i < WORDS; i++)
		ret[i] = atomic_load(&view[cell * WORDS + i]);
	return true;
}

/* The first word that is none of [@first, @last], or WORDS. */
static uint64_t first_wrong(uint64_t cell, const uint64_t *words, uint64_t first, uint64_t last)
{
	for (uint64_t i = 0; i < WORDS; i++)
		if (words[i] < word_of(cell, i, first) || words[i] > word_of(cell, i, last))
			return i;
	return WORDS;
}

/* 1 right, 0 an error, -1 wrong and told. */
static int look_at(uint64_t cell, bool mapped, const char *who)
{
	bool may_be_torn = mapped != (owner_of(cell) == MAPPER);
	_Alignas(BLOCK) uint64_t words[WORDS];
	uint64_t first = 0, last = 0, at = WORDS;

	for (int i = 0; i < (may_be_torn ? LOOKS : 1); i++) {
		first = atomic_load(&control->cells[cell].acked);
		if (!load(cell, mapped, words))
			return 0;
		last = atomic_load(&control->cells[cell].begun);
		at = first_wrong(cell, words, first, last);
		if (at == WORDS)
			return 1;
	}
	if (atomic_fetch_add(&control->wrong, 1) == 0)
		snprintf(control->first_wrong, sizeof(control->first_wrong),
			 "%s: block %" PRIu64 " half %" PRIu64 " word %" PRIu64 ": %016" PRIx64
			 " is none of %016" PRIx64 " to %016" PRIx64,
			 who, cell / 2, cell % 2, at, words[at], word_of(cell, at, first),
			 word_of(cell, at, last));
	return -1;
}

static void read_all_the_time(void)
{
	while (!atomic_load(&control->stop)) {
		uint32_t hot = atomic_load(&control->hot);
		uint64_t cell =
			hot && below(2) ? 2 * (hot - 1) + below(2) : below(2 * control->blocks);
		bool mapped = below(2);
		int r = look_at(cell, mapped, mapped ? "loaded" : "read");

		atomic_fetch_add(r == 0 ? &control->errors : &control->reads, 1);
		if (below(BURST) == 0)
			usleep(1000);
	}
}

/* ---- commands ---- */

static void open_control(const char *name, bool make)
{
	int fd = open(name, O_RDWR | O_CLOEXEC | (make ? O_CREAT | O_TRUNC : 0), 0600);

	if (fd < 0 || (make && ftruncate(fd, sizeof(*control))))
		err(CANNOT, "%s", name);
	control = mmap(NULL, sizeof(*control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (control == MAP_FAILED)
		err(CANNOT, "%s: cannot map", name);
	close(fd);
}

static void open_file(const char *name, int flags)
{
	file = open(name, O_RDWR | O_CLOEXEC | flags, 0600);
	if (file < 0)
		err(CANNOT, "%s", name);
}

static int make(const char *name)
{
	open_file(name, O_CREAT | O_EXCL);
	for (uint64_t cell = 0; cell < 2 * control->blocks; cell++)
		if (!store_written(cell, 1, (uint64_t[]){0}))
			err(CANNOT, "%s", name);
	if (fsync(file))
		err(CANNOT, "%s", name);
	return 0;
}

static pid_t start(void (*run)(enum owner owner), enum owner owner)
{
	pid_t parent = getpid(), child = fork();

	if (child < 0)
		err(CANNOT, "fork");
	if (child > 0)
		return child;
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) || getppid() != parent)
		_exit(CANNOT);
	random_state = (uint64_t)getpid() * 0x9e3779b97f4a7c15ULL | 1;
	run(owner);
	_exit(0);
}

static void read_for(enum owner owner)
{
	(void)owner;
	read_all_the_time();
}

static int run(const char *name)
{
	const struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_NODEFER};
	int status, worst = 0;

	open_file(name, 0);
	view = mmap(NULL, control->blocks * BLOCK, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	if (view == MAP_FAILED || sigaction(SIGBUS, &action, NULL))
		err(CANNOT, "%s: cannot map", name);
	start(store_all_the_time, MAPPER);
	start(store_all_the_time, WRITER);
	start(read_for, MAPPER);
	while (wait(&status) > 0)
		if (status)
			worst = status;
	if (worst)
		errx(CANNOT, "a process ended with status %d", worst);
	return 0;
}

/* Each cell by itself, from the media: an error in the page cache is one of all its neighbours. */
static int check(const char *name)
{
	uint64_t bad = 0, lost = 0;

	open_file(name, O_DIRECT);
	control->wrong = 0;
	for (uint64_t cell = 0; cell < 2 * control->blocks; cell++) {
		int r = look_at(cell, false, "at the end");

		lost += r == 0 && control->state[cell / 2] == LOST;
		bad += r < 0 || (r == 0 && control->state[cell / 2] != LOST);
		if (r == 0 && control->state[cell / 2] != LOST)
			printf("block %" PRIu64 " cannot be read\n", cell / 2);
	}
	printf("%" PRIu64 " wrong halves of blocks, %" PRIu64 " lost ones cannot be read %s\n", bad,
	       lost, control->wrong ? control->first_wrong : "");
	return bad ? WRONG : 0;
}

static void set_state(uint64_t block, enum state state, bool hot)
{
	if (block >= control->blocks)
		errx(USAGE, "no such block");
	atomic_store(&control->state[block], state);
	atomic_store(&control->hot, hot ? (uint32_t)block + 1 : 0);
	for (int i = 0; state != FREE && i < 2; i++)
		while (atomic_load(&control->busy[i]) == block + 1)
			usleep(100);
}

static int tell(void)
{
	printf("stores %" PRIu64 " failed %" PRIu64 " reads %" PRIu64 " errors %" PRIu64
	       " wrong %" PRIu64 "\n",
	       control->stores, control->failed, control->reads, control->errors, control->wrong);
	if (control->wrong)
		puts(control->first_wrong);
	return control->wrong ? WRONG : 0;
}

static void change(const char *command, uint64_t number)
{
	if (strcmp(command, "hold") == 0)
		set_state(number, HELD, false);
	else if (strcmp(command, "free") == 0)
		set_state(number, FREE, false);
	else if (strcmp(command, "heat") == 0)
		set_state(number, FREE, true);
	else if (strcmp(command, "lose") == 0)
		set_state(number, LOST, false);
	else
		control->rest_msec = (uint32_t)number;
}

static const struct {
	const char *name;
	int arguments;
	bool has_file;
} commands[] = {
	{"make", 3, true},  {"run", 2, true},	{"check", 2, true}, {"hold", 2, false},
	{"free", 2, false}, {"heat", 2, false}, {"lose", 2, false}, {"rest", 2, false},
	{"stop", 1, false}, {"tell", 1, false},
};

/* Its row, when there are as many arguments as it takes. */
static size_t find_command(int argc, char **argv)
{
	for (size_t i = 0; argc > 1 && i < sizeof(commands) / sizeof(*commands); i++)
		if (!strcmp(argv[1], commands[i].name) && argc - 2 == commands[i].arguments)
			return i;
	errx(USAGE, "usage: stores make FILE CONTROL BLOCKS | run|check FILE CONTROL | "
		    "hold|free|heat|lose|rest CONTROL NUMBER | stop|tell CONTROL");
}

int main(int argc, char **argv)
{
	size_t i = find_command(argc, argv);
	bool is_new = strcmp(argv[1], "make") == 0;

	open_control(argv[commands[i].has_file ? 3 : 2], is_new);
	if (is_new)
		control->blocks = strtoull(argv[4], NULL, 10);
	if (control->blocks == 0 || control->blocks > BLOCKS_MAX)
		errx(USAGE, "1 to %d blocks", BLOCKS_MAX);
	if (is_new)
		return make(argv[2]);
	if (strcmp(argv[1], "run") == 0)
		return run(argv[2]);
	if (strcmp(argv[1], "check") == 0)
		return check(argv[2]);
	if (strcmp(argv[1], "tell") == 0)
		return tell();
	if (strcmp(argv[1], "stop") == 0)
		control->stop = 1;
	else
		change(argv[1], strtoull(argv[3], NULL, 10));
	return 0;
}
