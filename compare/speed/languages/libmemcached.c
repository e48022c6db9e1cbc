/* Gets of many threads, each with a client of its own. Prints the CPU time of a get in microseconds. */
#include <libmemcached/memcached.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

static int port;
static double until;
static char keys[1000][24];

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec + time.tv_nsec / 1e9;
}

static double cpu(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e6 + usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
}

static memcached_st *make(void) {
  memcached_st *client = memcached_create(NULL);
  memcached_server_add(client, "127.0.0.1", port);
  memcached_behavior_set(client, MEMCACHED_BEHAVIOR_TCP_NODELAY, 1);
  return client;
}

static void *lane(void *count) {
  memcached_st *client = make();
  while (now() < until) {
    for (int i = 0; i < 50; i++) {
      size_t length;
      uint32_t flags;
      memcached_return_t outcome;
      char *value = memcached_get(client, keys[i], strlen(keys[i]), &length, &flags, &outcome);
      if (outcome != MEMCACHED_SUCCESS) exit(1);
      free(value);
    }
    *(long *)count += 50;
  }
  memcached_free(client);
  return NULL;
}

static double run(int outstanding, double seconds) {
  pthread_t *threads = calloc(outstanding, sizeof *threads);
  long *counts = calloc(outstanding, sizeof *counts), total = 0;
  double before = cpu();
  until = now() + seconds;
  for (int i = 0; i < outstanding; i++) pthread_create(&threads[i], NULL, lane, &counts[i]);
  for (int i = 0; i < outstanding; i++) {
    pthread_join(threads[i], NULL);
    total += counts[i];
  }
  return (cpu() - before) / total;
}

int main(int count, char **arguments) {
  if (count < 4) return 2;
  char value[100];
  memset(value, 'x', sizeof value);
  port = atoi(arguments[1]);
  memcached_st *client = make();
  for (int i = 0; i < 1000; i++) {
    snprintf(keys[i], sizeof keys[i], "bench:key:%09d", i);
    if (memcached_set(client, keys[i], strlen(keys[i]), value, sizeof value, 0, 0) != MEMCACHED_SUCCESS) return 1;
  }
  run(atoi(arguments[2]), atof(arguments[3]) / 4);
  printf("%f\n", run(atoi(arguments[2]), atof(arguments[3])));
  return 0;
}
