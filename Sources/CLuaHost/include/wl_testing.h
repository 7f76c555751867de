#ifndef WEFT_WL_TESTING_H
#define WEFT_WL_TESTING_H
// What a test runner builds into a state: a clock that it sets, counters of the lines that run, and a way for Lua code
// of its own to ask Swift. Nothing of it is there in a proxy.

// How often each line of a file has run: line n at hits[n]. A NULL `hits`: the file is not counted.
typedef struct {
  uint32_t *hits;
  // Elements of `hits`.
  size_t count;
} wl_line_counts;

// Asks Swift for something. arguments: a tape. The answer is a tape as well or, with `*failed`, the text of an error that
// is raised in Lua. Valid until the next call. May run other states, but not this one.
typedef wl_text (*wl_bridge)(void *context, wl_text operation, wl_text arguments, int *failed);

// All of these before `wl_load`, and at most once.

// Time since 1970 in nanoseconds, as scripts see it, instead of the system's. The memory must outlive the host.
void wl_set_clock(wl_host *host, const uint64_t *nanoseconds);
// Counts lines, in the order of the sources that `wl_load` is given. The memory must outlive the host.
void wl_count_lines(wl_host *host, const wl_line_counts *counts, size_t files);
// Puts a table `native` into the globals, for the code that is loaded: call(operation, value), place(), traceback(),
// load(path) and drive(functions). Returns 0 when there is no memory.
int wl_add_bridge(wl_host *host, wl_bridge bridge, void *context);

// Calls one of the functions that the loaded code has given to `native.drive`, with one value.
// cpu_nanoseconds: processor time, not counting what Swift does in between. result: valid until the next call.
// Returns WL_DONE or why not.
int wl_drive(wl_host *host, const char *function, wl_text argument, uint64_t cpu_nanoseconds, wl_text *result);

// Marks the lines of a file that hold code: active[n] for line n, below `count`.
// Returns WL_DONE or why not, as `wl_check`.
int wl_code_lines(wl_host *host, const wl_source *source, uint8_t *active, size_t count);

// Collects all garbage. go_on: as it was; otherwise nothing is collected until the next call.
void wl_collect(wl_host *host, int go_on);
// Lists what scripts find: a tape of a table with `classes`, the names of methods by class, and `globals`, the paths of what
// is in the globals and in tables there: `weft.json.decode`; what is no function has its value or type behind it.
// Returns WL_DONE or why not.
int wl_list_api(wl_host *host, wl_text *listing);

#endif
