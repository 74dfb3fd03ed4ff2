/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Is a file one of a database?  A server has it open, and its name is one that this server gives
 * such files: that also tells logs and programs apart.  SQLite has no server: its files say it.
 */
#include <fnmatch.h>
#include <string.h>

#include "use-file.h"
#include "use.h"

struct row {
	const char *servers; /* names of the process, with a blank behind each */
	const char *pattern; /* fnmatch(3) of the path; * goes over slashes */
	const char *what, *advice;
};

#define POSTGRES "postgres "
#define MYSQL "mysqld mariadbd "
#define MONGO "mongod "
#define REDIS "redis-server valkey-server "
#define MSSQL "sqlservr "

#define POSTGRES_ADVICE                                                                            \
	"Restore the cluster from a base backup and its log, or fail over to a standby; an index " \
	"that is hit can be made anew with REINDEX."
#define MYSQL_ADVICE                                                                            \
	"Restore from a backup and the binary log, or from a replica; CHECK TABLE tells which " \
	"tables are hit."
#define MONGO_ADVICE "Resync this member from the replica set, or restore it from a backup."
#define REDIS_ADVICE                                                                      \
	"Let the running server write the file anew (BGREWRITEAOF, BGSAVE) before it is " \
	"restarted."
#define MSSQL_ADVICE "Restore the page or file from a backup; DBCC CHECKDB tells what is hit."

static const struct row rows[] = {
	{POSTGRES, "*/pg_wal/*", "write-ahead log of PostgreSQL", POSTGRES_ADVICE},
	{POSTGRES, "*/pg_xact/*", "transaction status of PostgreSQL", POSTGRES_ADVICE},
	{POSTGRES, "*/pg_multixact/*", "transaction status of PostgreSQL", POSTGRES_ADVICE},
	{POSTGRES, "*/global/pg_control", "control file of PostgreSQL", POSTGRES_ADVICE},
	{POSTGRES, "*/global/[0-9]*", "shared system table of PostgreSQL", POSTGRES_ADVICE},
	{POSTGRES, "*/base/[0-9]*/[0-9]*", "table or index of PostgreSQL", POSTGRES_ADVICE},
	{POSTGRES, "*/PG_[0-9]*/[0-9]*/[0-9]*", "table or index of PostgreSQL", POSTGRES_ADVICE},
	{MYSQL, "*.ibd", "InnoDB tablespace of MySQL or MariaDB", MYSQL_ADVICE},
	{MYSQL, "*/ibdata[0-9]*", "InnoDB system tablespace of MySQL or MariaDB", MYSQL_ADVICE},
	{MYSQL, "*/ib_logfile[0-9]*", "InnoDB log of MySQL or MariaDB", MYSQL_ADVICE},
	{MYSQL, "*/#innodb_redo/*", "InnoDB log of MySQL", MYSQL_ADVICE},
	{MYSQL, "*/undo_[0-9]*", "InnoDB undo log of MySQL", MYSQL_ADVICE},
	{MYSQL, "*/undo[0-9]*", "InnoDB undo log of MariaDB", MYSQL_ADVICE},
	{MYSQL, "*.M[AY][DI]", "table or index of MySQL or MariaDB", MYSQL_ADVICE},
	{MYSQL, "*/aria_log*", "Aria log of MariaDB", MYSQL_ADVICE},
	{MONGO, "*.wt", "collection or index of MongoDB", MONGO_ADVICE},
	{MONGO, "*/journal/WiredTiger*", "journal of MongoDB", MONGO_ADVICE},
	{REDIS, "*.aof", "append-only file of Redis", REDIS_ADVICE},
	{REDIS, "*.rdb", "snapshot of Redis", REDIS_ADVICE},
	{MSSQL, "*.[mn]df", "data file of SQL Server", MSSQL_ADVICE},
	{MSSQL, "*.ldf", "log of SQL Server", MSSQL_ADVICE},
};

static const char sqlite_advice[] =
	"Restore the file from a backup, or repair these bytes before the database reads them, and "
	"run PRAGMA integrity_check.";

/* Is @command one of the words of @servers? */
static bool is_server(const char *servers, const char *command)
{
	size_t len = strlen(command);

	for (const char *blank; (blank = strchr(servers, ' ')); servers = blank + 1)
		if (pme_word_is(servers, (size_t)(blank - servers), command))
			return len > 0;
	return false;
}

static const struct pme_holder *holder_of(const struct pme_file *file, const struct row *row)
{
	for (size_t i = 0; i < file->n_holders; i++)
		if ((file->holders[i].open || file->holders[i].mapped) &&
		    file->holders[i].command && is_server(row->servers, file->holders[i].command))
			return &file->holders[i];
	return NULL;
}

static bool is_called(const struct pme_file *file, const char *pattern)
{
	for (size_t i = 0; i < file->n_paths; i++)
		if (fnmatch(pattern, file->paths[i], 0) == 0)
			return true;
	return false;
}

int pme_use_server(const struct pme_use_facts *facts, struct pme_use **ret)
{
	for (size_t i = 0; i < PME_ARRAY_SIZE(rows); i++) {
		const struct pme_holder *holder = holder_of(facts->file, &rows[i]);

		if (!holder || !is_called(facts->file, rows[i].pattern))
			continue;
		*ret = pme_use_new(&(struct pme_use){
			.kind = PME_USE_DATABASE,
			.source = PME_USE_BY_HOLDER,
			.what = strdup(rows[i].what),
			.advice = rows[i].advice,
			.pid = holder->pid,
		});
		return *ret ? 1 : -ENOMEM;
	}
	return 0;
}

int pme_use_sqlite(const struct pme_use_facts *facts, struct pme_use **ret)
{
	if (!facts->head || !pme_sqlite_parse(facts->head, facts->head_size))
		return 0;
	*ret = pme_use_new(&(struct pme_use){
		.kind = PME_USE_DATABASE,
		.source = PME_USE_BY_HEADER,
		.what = strdup("database of SQLite"),
		.advice = sqlite_advice,
	});
	return *ret ? 1 : -ENOMEM;
}
