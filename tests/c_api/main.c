/* The library from C: what the header promises, also with eight threads at once. Exit status 0: all held. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "planner_c.h"

static int failures = 0;

#define CHECK(condition)                                                 \
  do {                                                                   \
    if (!(condition)) {                                                  \
      fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);    \
      ++failures;                                                        \
    }                                                                    \
  } while (0)

static int begins(const char* text, const char* with) { return text != NULL && strncmp(text, with, strlen(with)) == 0; }

static const char kRequest[] = "{\"model\": \"deepseek-r1-distill-qwen-1.5b\", \"quant\": \"Q4_K_M\", \"gpu\": [\"rtx 4090\"], \"context\": 131072}";

static void answers(void) {
  char* answer = NULL;
  CHECK(planner_abi() == 1);
  CHECK(strchr(planner_version(), '.') != NULL);
  CHECK(planner_estimate(NULL, kRequest, &answer) == PLANNER_OK);
  CHECK(begins(answer, "{\"schema\":\"planner.estimate/1\""));
  CHECK(answer != NULL && strstr(answer, "\"kv_cache_bytes\":3758096384") != NULL); /* 3.5 GiB */
  planner_free(answer);

  CHECK(planner_batch(NULL, "{\"model\": \"qwen3-8b\", \"quant\": \"Q4_K_M\", \"solve\": false}\nno json", &answer) == PLANNER_OK);
  CHECK(begins(answer, "{\"schema\":\"planner.estimate/1\""));
  CHECK(answer != NULL && strstr(answer, "\n{\"schema\":\"planner.error/1\",\"line\":2,") != NULL);
  planner_free(answer);
  CHECK(planner_batch(NULL, "", &answer) == PLANNER_OK && strcmp(answer, "") == 0);
  planner_free(answer);

  CHECK(planner_models(NULL, "qwen3 moe", &answer) == PLANNER_OK && begins(answer, "{\"schema\":\"planner.models/1\""));
  planner_free(answer);
  CHECK(planner_gpus(NULL, NULL, &answer) == PLANNER_OK && begins(answer, "{\"schema\":\"planner.gpus/1\""));
  planner_free(answer);
  CHECK(planner_quants(NULL, "", &answer) == PLANNER_OK && begins(answer, "{\"schema\":\"planner.quants/1\""));
  planner_free(answer);
  CHECK(planner_engines(NULL, "", &answer) == PLANNER_OK && begins(answer, "{\"schema\":\"planner.engines/1\""));
  planner_free(answer);
  CHECK(planner_show(NULL, "rtx 4090", &answer) == PLANNER_OK && begins(answer, "{\"schema\":\"planner.show/1\""));
  planner_free(answer);
}

static void refusals(void) {
  static const char kError[] = "{\"schema\":\"planner.error/1\",\"error\":\"";
  char* answer = NULL;
  planner_catalog* catalog = NULL;
  const char* folders[] = {NULL};
  CHECK(planner_estimate(NULL, NULL, &answer) == PLANNER_BAD_USAGE && begins(answer, kError));
  planner_free(answer);
  CHECK(planner_estimate(NULL, "{", &answer) == PLANNER_BAD_USAGE && begins(answer, kError));
  planner_free(answer);
  CHECK(planner_estimate(NULL, "{\"model\": \"no such model\"}", &answer) == PLANNER_BAD_USAGE && begins(answer, kError));
  planner_free(answer);
  CHECK(planner_estimate(NULL, kRequest, NULL) == PLANNER_BAD_USAGE);
  CHECK(planner_inspect("/no/such/file.gguf", &answer) == PLANNER_BAD_FILE && begins(answer, kError));
  planner_free(answer);
  CHECK(planner_show(NULL, NULL, &answer) == PLANNER_BAD_USAGE && begins(answer, kError));
  planner_free(answer);
  CHECK(planner_check(NULL, "not a log", NULL, 0.05, &answer) != PLANNER_OK && begins(answer, kError));
  planner_free(answer);
  CHECK(planner_check(NULL, "x", NULL, -1.0, &answer) == PLANNER_BAD_USAGE && begins(answer, kError));
  planner_free(answer);
  CHECK(planner_open(folders, 1, &catalog, &answer) == PLANNER_BAD_USAGE && catalog == NULL && begins(answer, kError));
  planner_free(answer);
  CHECK(planner_open(NULL, 0, NULL, &answer) == PLANNER_BAD_USAGE && begins(answer, kError));
  planner_free(answer);
  planner_free(NULL);
  planner_close(NULL);
}

enum { kThreads = 8, kRounds = 40 };

struct Job {
  const planner_catalog* catalog;
  int number;
  int mismatches;
};

/* Different models at the same time, the same by several threads: what is built on first use is built by whoever comes first. */
static char* ask(const planner_catalog* catalog, int n) {
  static const char* const kModels[] = {"qwen3-8b", "llama-3.1-8b-instruct", "gemma-3-12b-it", "qwen3-30b-a3b", "deepseek-r1-distill-qwen-1.5b"};
  static const char* const kQuants[] = {"Q4_K_M", "IQ2_XXS", "Q8_0"};
  char request[256];
  char* answer = NULL;
  snprintf(request, sizeof request, "{\"model\": \"%s\", \"quant\": \"%s\", \"gpu\": [\"rtx 3060\"], \"context\": %d, \"solve\": false}", kModels[n % 5], kQuants[n % 3],
           1024 * (1 + n % 7));
  if (planner_estimate(catalog, request, &answer) != PLANNER_OK) {
    planner_free(answer);
    return NULL;
  }
  return answer;
}

static void* work(void* data) {
  struct Job* job = data;
  for (int i = 0; i < kRounds; ++i) {
    char* first = ask(job->catalog, job->number + i);
    char* second = ask(job->catalog, job->number + i);
    if (first == NULL || second == NULL || strcmp(first, second) != 0) ++job->mismatches;
    planner_free(first);
    planner_free(second);
  }
  return NULL;
}

static void threads(void) {
  pthread_t thread[kThreads];
  struct Job job[kThreads];
  char* answer = NULL;
  planner_catalog* catalog = NULL;
  CHECK(planner_open(NULL, 0, &catalog, &answer) == PLANNER_OK && catalog != NULL && answer == NULL);
  for (int i = 0; i < kThreads; ++i) {
    job[i] = (struct Job){i % 2 == 0 ? catalog : NULL, i, 0};
    CHECK(pthread_create(&thread[i], NULL, work, &job[i]) == 0);
  }
  for (int i = 0; i < kThreads; ++i) {
    CHECK(pthread_join(thread[i], NULL) == 0);
    CHECK(job[i].mismatches == 0);
  }
  planner_close(catalog);
}

int main(void) {
  answers();
  refusals();
  threads();
  if (failures == 0) puts("all held");
  return failures == 0 ? 0 : 1;
}
