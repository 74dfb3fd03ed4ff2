/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The rate limit of a sink; see sink-gate.h.
 *
 * The surprise: an interval begins with the first event of its type, not with the clock, and ends
 * when its count is told; so a sink gets at most twice the burst, and one count, in any interval,
 * besides what is worse than all that passed before it: once for each severity at most.
 */
#include "sink-gate.h"

static uint64_t end_of(const struct pmed_gate *gate, const struct pmed_gate_type *type)
{
	uint64_t end;

	return pme_add(type->begun, gate->interval, &end) == 0 ? end : UINT64_MAX;
}

bool pmed_gate_pass(struct pmed_gate *gate, enum pme_event_type type,
		    enum pme_event_severity severity, uint64_t now)
{
	struct pmed_gate_type *t = &gate->types[type];

	if (gate->burst == 0)
		return true;
	if (t->passed == 0 || (t->suppressed == 0 && now >= end_of(gate, t))) {
		t->begun = now;
		t->passed = 0;
	}
	/* Severities are those of syslog: the smaller, the worse. */
	if (t->passed < gate->burst || severity < t->passed_worst) {
		if (t->passed == 0 || severity < t->passed_worst)
			t->passed_worst = severity;
		t->passed++;
		return true;
	}
	if (t->suppressed == 0 || severity < t->worst)
		t->worst = severity;
	t->suppressed++;
	return false;
}

uint64_t pmed_gate_due(const struct pmed_gate *gate)
{
	uint64_t due = 0;

	for (size_t i = 0; i < PME_ARRAY_SIZE(gate->types); i++) {
		const struct pmed_gate_type *t = &gate->types[i];

		if (t->suppressed > 0 && (due == 0 || end_of(gate, t) < due))
			due = end_of(gate, t);
	}
	return due;
}

bool pmed_gate_take(struct pmed_gate *gate, uint64_t now, enum pme_event_type *ret_type,
		    struct pmed_gate_type *ret)
{
	for (size_t i = 0; i < PME_ARRAY_SIZE(gate->types); i++) {
		struct pmed_gate_type *t = &gate->types[i];

		if (t->suppressed == 0 || now < end_of(gate, t))
			continue;
		*ret_type = i;
		*ret = *t;
		*t = (struct pmed_gate_type){0};
		return true;
	}
	return false;
}

uint64_t pmed_gate_take_all(struct pmed_gate *gate)
{
	enum pme_event_type type;
	struct pmed_gate_type counted;
	uint64_t sum = 0;

	while (pmed_gate_take(gate, UINT64_MAX, &type, &counted))
		sum += counted.suppressed;
	return sum;
}
