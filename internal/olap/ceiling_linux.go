package olap

/*
#cgo LDFLAGS: -Wl,--wrap=malloc -Wl,--wrap=realloc -Wl,--wrap=_Znwm -Wl,--wrap=duckdb_je_malloc -Wl,--wrap=duckdb_je_realloc
#include <stddef.h>
#include <stdint.h>
#include <stdatomic.h>
#include <stdio.h>
#include <fcntl.h>
#include <malloc.h>
#include <unistd.h>

void *__real_malloc(size_t);
void *__real_realloc(void *, size_t);
void *__real__Znwm(size_t);
void *__real_duckdb_je_malloc(size_t);
void *__real_duckdb_je_realloc(void *, size_t);
int duckdb_je_mallctl(const char *, void *, size_t *, void *, size_t);

enum { LARGE = 1 << 20, HUGE = 16 << 20 };

static _Atomic int64_t ceiling;  // bytes; 0 is none
static _Thread_local size_t since; // bytes that the thread was given since it last looked
static int statm = -1;

// anonymous is how many bytes of the process are in memory and of no file.
static int64_t anonymous(void) {
	char text[128];
	ssize_t n = pread(statm, text, sizeof text - 1, 0);
	if (n <= 0)
		return 0;
	text[n] = 0;
	long size = 0, resident = 0, shared = 0;
	if (sscanf(text, "%ld %ld %ld", &size, &resident, &shared) != 3)
		return 0;
	return (int64_t)(resident - shared) * sysconf(_SC_PAGESIZE);
}

static int beyond(size_t n, int64_t most) { return n > (uint64_t)most || anonymous() + (int64_t)n > most; }

// refused says whether n more bytes are too many, also after what was freed is given back
// to the system. It looks once for every LARGE bytes.
static int refused(size_t n) {
	int64_t most = atomic_load_explicit(&ceiling, memory_order_relaxed);
	if (most <= 0)
		return 0;
	since = n < LARGE ? since + n : LARGE;
	if (since < LARGE)
		return 0;
	since = 0;
	if (!beyond(n, most))
		return 0;
	duckdb_je_mallctl("arena.4096.purge", NULL, NULL, NULL, 0); // 4096 is all arenas
	malloc_trim(0);
	return beyond(n, most);
}

void *__wrap_duckdb_je_malloc(size_t n) { return refused(n) ? NULL : __real_duckdb_je_malloc(n); }
void *__wrap_duckdb_je_realloc(void *p, size_t n) { return refused(n) ? NULL : __real_duckdb_je_realloc(p, n); }
// PTRDIFF_MAX is more than there can be: it throws std::bad_alloc.
void *__wrap__Znwm(size_t n) { return __real__Znwm(refused(n) ? PTRDIFF_MAX : n); }
// Not all that calls these can do without: only what is huge is a statement's.
void *__wrap_malloc(size_t n) { return n >= HUGE && refused(n) ? NULL : __real_malloc(n); }
void *__wrap_realloc(void *p, size_t n) { return n >= HUGE && refused(n) ? NULL : __real_realloc(p, n); }

static void setCeiling(int64_t most) {
	if (statm < 0)
		statm = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
	if (statm >= 0)
		atomic_store(&ceiling, most);
}
*/
import "C"

// SetCeiling bounds what the engine may take of the machine's memory, all databases of
// the process together, whatever their own limits: those leave out what a function is at
// work on, and one call of repeat or range can ask for more than the machine has. Beyond
// it an allocation fails, and with it the statement that made it. 0 is no bound.
func SetCeiling(bytes int64) { C.setCeiling(C.int64_t(bytes)) }
