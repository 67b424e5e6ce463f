/* In the place of core.c and surface.c, for Linux on ARM64: their functions out of
 * the DLL that is shipped, whose path is DLL, and where each lies AT_name. The DLL is
 * mapped and relocated as Windows does it; none of what it imports is there, and its
 * DllMain is not called. What is called here has one calling convention on both
 * systems, but that a long has 32 bits on Windows. */
#include "../../native/core.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static unsigned char *image;

static void must(int is, const char *what) {
    if (is) return;
    fprintf(stderr, "the DLL: %s\n", what);
    exit(2);
}

static uint16_t two(const unsigned char *at) { return (uint16_t)(at[0] | at[1] << 8); }
static uint32_t four(const unsigned char *at) { return two(at) | (uint32_t)two(at + 2) << 16; }

/* Adds a distance to each address in the image, by IMAGE_BASE_RELOCATION blocks. */
static void relocate(const unsigned char *block, const unsigned char *end, uint64_t distance) {
    enum { NOTHING = 0, DIR64 = 10 };
    for (; block < end; block += four(block + 4)) {
        for (uint32_t i = 8; i < four(block + 4); i += 2) {
            uint64_t address;
            unsigned char *at = image + four(block) + (two(block + i) & 0xfff);
            if (two(block + i) >> 12 == NOTHING) continue;
            must(two(block + i) >> 12 == DIR64, "a relocation of another kind");
            memcpy(&address, at, sizeof address);
            address += distance;
            memcpy(at, &address, sizeof address);
        }
    }
}

__attribute__((constructor)) static void load(void) {
    static unsigned char file[1 << 20];
    int f = open(DLL, O_RDONLY);
    ssize_t size = f < 0 ? -1 : read(f, file, sizeof file);
    must(size > 0 && size < (ssize_t)sizeof file && !close(f), "cannot be read");
    const unsigned char *head = file + four(file + 0x3c), *optional = head + 24, *section = optional + two(head + 20);
    must(two(head + 4) == 0xaa64 && two(optional) == 0x20b, "is not for ARM64");
    uint32_t whole = four(optional + 56);
    uint64_t base;
    memcpy(&base, optional + 24, sizeof base);
    image = mmap(NULL, whole, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    must(image != MAP_FAILED, "cannot be mapped");
    for (int i = 0; i < two(head + 6); i++) {
        const unsigned char *s = section + 40 * i;
        uint32_t room = four(s + 8), there = four(s + 16);
        memcpy(image + four(s + 12), file + four(s + 20), room < there ? room : there);
    }
    const unsigned char *relocations = optional + 112 + 8 * 5;
    relocate(image + four(relocations), image + four(relocations) + four(relocations + 4), (uint64_t)(uintptr_t)image - base);
    for (int i = 0; i < two(head + 6); i++) {
        const unsigned char *s = section + 40 * i;
        uint32_t may = four(s + 36); /* IMAGE_SCN_MEM_ */
        int flags = (may & 0x40000000 ? PROT_READ : 0) | (may & 0x80000000 ? PROT_WRITE : 0) | (may & 0x20000000 ? PROT_EXEC : 0);
        must(!mprotect(image + four(s + 12), four(s + 8), flags), "cannot be protected");
    }
    __builtin___clear_cache((char *)image, (char *)image + whole);
}

#define SHIPPED(result, name, takes, given) \
    result name takes { return ((result(*) takes)(uintptr_t)(image + AT_##name))given; }

SHIPPED(void, core_begin, (struct core *c, unsigned long long now), (c, now))
SHIPPED(int, core_read, (struct core *c, const char *bytes, size_t count, unsigned long long now), (c, bytes, count, now))
SHIPPED(int, core_act, (struct core *c, const struct core_screen *on, const char *action, const char *const *values, unsigned long long now),
        (c, on, action, values, now))
SHIPPED(size_t, core_take, (struct core *c, char *out), (c, out))
SHIPPED(void, core_leave, (struct core *c), (c))
SHIPPED(int, core_same, (const struct core_screen *a, const struct core_screen *b), (a, b))
SHIPPED(int, core_primary, (const struct core_screen *s), (s))
SHIPPED(int, surface_between, (const struct surface_parser *p), (p))
SHIPPED(size_t, surface_escape, (char *out, size_t room, const char *value), (out, room, value))

unsigned long core_left(struct core *c, unsigned long long now) {
    return ((uint32_t(*)(struct core *, unsigned long long))(uintptr_t)(image + AT_core_left))(c, now);
}
