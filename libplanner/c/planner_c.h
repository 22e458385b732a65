/* Planner for programs in C and for whatever calls C: JSON in, JSON out.
 *
 *     char* answer = NULL;
 *     if (planner_estimate(NULL, "{\"model\": \"qwen3-8b\", \"quant\": \"Q4_K_M\", \"gpu\": [\"rtx 4090\"]}", &answer) == PLANNER_OK) puts(answer);
 *     planner_free(answer);
 *
 * Every function that takes `answer` sets *answer to a text that the caller frees with planner_free: the JSON asked for, or, where the status
 * is another than PLANNER_OK, {"schema": "planner.error/1", "error": "what was wrong, in one line"}. Only without memory is *answer NULL.
 * No exception leaves a function; none prints, exits or starts a thread. All are safe to call from many threads at once, also with one
 * catalog, as long as nobody closes it meanwhile. Texts are UTF-8 and end with a zero. JSON is that of the command line (schemas in docs/schema).
 *
 * The interface is stable within a number of planner_abi(): functions are added, none is changed or removed. */
#ifndef PLANNER_C_H
#define PLANNER_C_H

#include <stddef.h>

#if defined(_WIN32)
#  if defined(PLANNER_C_BUILD)
#    define PLANNER_C_API __declspec(dllexport)
#  else
#    define PLANNER_C_API __declspec(dllimport)
#  endif
#elif defined(__GNUC__)
#  define PLANNER_C_API __attribute__((visibility("default")))
#else
#  define PLANNER_C_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* The exit statuses of the command line. */
typedef enum planner_status {
  PLANNER_OK = 0,            /* answered, also when the answer is "does not fit" */
  PLANNER_CHECK_FAILED = 1,  /* planner_check alone: compared, and outside the tolerance; *answer is the comparison */
  PLANNER_BAD_USAGE = 2,     /* no JSON, an unknown key, a value out of range, an unknown name, a NULL where none may be */
  PLANNER_BAD_FILE = 3,      /* a file that is not readable or not valid */
  PLANNER_INTERNAL = 70      /* out of memory, or a defect of the library */
} planner_status;

/* The facts: devices, models, quantizations, engines. NULL wherever one is asked for means the compiled facts. */
typedef struct planner_catalog planner_catalog;

/* "0.1.0". Not to be freed. */
PLANNER_C_API const char* planner_version(void);
/* 1. A program that was made for another number cannot use this library. */
PLANNER_C_API int planner_abi(void);

/* The compiled facts with the user's own over them: every .yaml file in the folders, in their order (docs/data.md). On success *catalog is to be
 * closed and *answer is NULL. */
PLANNER_C_API planner_status planner_open(const char* const* folders, size_t n_folders, planner_catalog** catalog, char** answer);
/* NULL is allowed. */
PLANNER_C_API void planner_close(planner_catalog* catalog);

/* "planner.estimate/1" for a request: the command line's flags in snake_case. */
PLANNER_C_API planner_status planner_estimate(const planner_catalog* catalog, const char* request_json, char** answer);
/* JSON Lines, one request a line, to JSON Lines, one answer or planner.error/1 a line, in order. PLANNER_OK also where lines are bad. */
PLANNER_C_API planner_status planner_batch(const planner_catalog* catalog, const char* requests_jsonl, char** answer);

/* "planner.models/1", "planner.gpus/1", "planner.quants/1", "planner.engines/1": what has every word of `filter` in it. NULL or "": everything. */
PLANNER_C_API planner_status planner_models(const planner_catalog* catalog, const char* filter, char** answer);
PLANNER_C_API planner_status planner_gpus(const planner_catalog* catalog, const char* filter, char** answer);
PLANNER_C_API planner_status planner_quants(const planner_catalog* catalog, const char* filter, char** answer);
PLANNER_C_API planner_status planner_engines(const planner_catalog* catalog, const char* filter, char** answer);
/* "planner.show/1": one entry by any of its names. */
PLANNER_C_API planner_status planner_show(const planner_catalog* catalog, const char* name, char** answer);

/* "planner.inspect/1": what a GGUF file, a config.json or a folder with one holds. */
PLANNER_C_API planner_status planner_inspect(const char* path, char** answer);
/* "planner.check/1": an engine's log (its text) against the prediction, buffer by buffer. `tolerance` is relative: 0.05. `model` is for logs that do not
 * say which one they are of; NULL: as the log says. */
PLANNER_C_API planner_status planner_check(const planner_catalog* catalog, const char* log_text, const char* model, double tolerance, char** answer);

/* NULL is allowed. */
PLANNER_C_API void planner_free(char* answer);

#ifdef __cplusplus
}
#endif

#endif /* PLANNER_C_H */
