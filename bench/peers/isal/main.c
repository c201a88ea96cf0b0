// Measures Intel's ISA-L on one thread; ../README.md says how it is asked.

#define _GNU_SOURCE
#include <isa-l/erasure_code.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { SHARDS_MAX = 32, SKEW_BYTES = 320, ALIGN_BYTES = 64 };

struct shape { int data, parity, cell_bytes, stripes; };

static struct shape shape;
static unsigned char *memory;
static unsigned char encode_tables[SHARDS_MAX * SHARDS_MAX * 32], rebuild_tables[SHARDS_MAX * SHARDS_MAX * 32];
static long turn;

static void fail(const char *what) {
    fprintf(stderr, "isal: %s\n", what);
    exit(1);
}

static int64_t now(clockid_t clock) {
    struct timespec time;
    clock_gettime(clock, &time);
    return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static size_t stride(void) { return (size_t)shape.cell_bytes + SKEW_BYTES; }

// Tables for encoding, and for rebuilding the first cells from the others.
static void make_tables(void) {
    int k = shape.data, m = shape.parity, lost = k < m ? k : m;
    unsigned char matrix[SHARDS_MAX * SHARDS_MAX], rest[SHARDS_MAX * SHARDS_MAX], inverse[SHARDS_MAX * SHARDS_MAX];
    gf_gen_cauchy1_matrix(matrix, k + m, k);
    ec_init_tables(k, m, matrix + k * k, encode_tables);
    memcpy(rest, matrix + lost * k, (size_t)k * k);
    if (gf_invert_matrix(rest, inverse, k)) fail("a matrix has no inverse");
    ec_init_tables(k, lost, inverse, rebuild_tables);
}

static void prepare(struct shape wanted) {
    if (!memcmp(&wanted, &shape, sizeof shape)) return;
    shape = wanted;
    free(memory);
    size_t bytes = (size_t)shape.stripes * (shape.data + shape.parity) * stride();
    memory = aligned_alloc(ALIGN_BYTES, (bytes + ALIGN_BYTES - 1) / ALIGN_BYTES * ALIGN_BYTES);
    if (!memory) fail("no memory");
    uint64_t noise = 0x9e3779b97f4a7c15;
    for (size_t at = 0; at < bytes; at++) {
        noise ^= noise << 13, noise ^= noise >> 7, noise ^= noise << 17;
        memory[at] = noise >> 32;
    }
    make_tables();
    turn = 0;
}

static void once(int rebuild) {
    int k = shape.data, m = shape.parity, lost = k < m ? k : m;
    unsigned char *cells[SHARDS_MAX];
    unsigned char *stripe = memory + (size_t)(turn++ % shape.stripes) * (k + m) * stride();
    for (int i = 0; i < k + m; i++) cells[i] = stripe + i * stride();
    if (rebuild)
        ec_encode_data(shape.cell_bytes, k, lost, rebuild_tables, cells + lost, cells);
    else
        ec_encode_data(shape.cell_bytes, k, m, encode_tables, cells, cells + k);
}

int main(void) {
    char work[16];
    int milliseconds;
    struct shape wanted;
    setvbuf(stdout, NULL, _IOLBF, 0);
    puts("ISA-L");
    while (scanf("%15s %d %d %d %d %d", work, &wanted.data, &wanted.parity, &wanted.cell_bytes, &wanted.stripes, &milliseconds) == 6) {
        int rebuild = !strcmp(work, "reconstruct");
        if (!rebuild && strcmp(work, "encode")) fail("no such work");
        if (wanted.data < 1 || wanted.parity < 1 || wanted.data + wanted.parity > SHARDS_MAX || wanted.stripes < 1) fail("no such shape");
        prepare(wanted);
        int64_t until = now(CLOCK_MONOTONIC) + milliseconds * 1000000LL, bytes = 0;
        sched_yield();
        int64_t began = now(CLOCK_THREAD_CPUTIME_ID);
        // Once at least: on a busy machine the time may be over before the work begins.
        do {
            once(rebuild);
            bytes += (int64_t)shape.data * shape.cell_bytes;
        } while (now(CLOCK_MONOTONIC) < until);
        printf("%lld %lld\n", (long long)bytes, (long long)(now(CLOCK_THREAD_CPUTIME_ID) - began));
    }
    return 0;
}
