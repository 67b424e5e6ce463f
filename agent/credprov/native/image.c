/* The tile's picture: the QR code, or a plain one. */
#include "tile.h"

/* LogonUI cuts a circle out of the picture: a code fits if it lies, with four
 * light modules around it, in the square within that circle. */
enum { SIDE = 384, INNER = 270, QUIET = 4 };

enum { WHITE = 0xffffff, BLACK = 0, BLUE = 0x1f5fbf };

static void fill(DWORD *pixels, int left, int top, int width, int height, DWORD colour) {
    for (int y = top; y < top + height; y++)
        for (int x = left; x < left + width; x++) pixels[y * SIDE + x] = colour;
}

static void draw(DWORD *pixels, const struct core_screen *s) {
    int scale = INNER / (s->modules + 2 * QUIET), from = (SIDE - scale * s->modules) / 2;
    fill(pixels, 0, 0, SIDE, SIDE, s->modules > 0 ? WHITE : BLUE);
    for (int y = 0; y < s->modules; y++)
        for (int x = 0; x < s->modules; x++)
            if (s->picture[y][x]) fill(pixels, from + x * scale, from + y * scale, scale, scale, BLACK);
    if (s->modules == 0) { /* a door */
        fill(pixels, 132, 102, 120, 180, WHITE);
        fill(pixels, 222, 186, 12, 12, BLUE);
    }
}

HBITMAP picture_of(const struct core_screen *s) {
    BITMAPINFO info = {.bmiHeader = {.biSize = sizeof info.bmiHeader, .biWidth = SIDE, .biHeight = -SIDE, .biPlanes = 1, .biBitCount = 32}};
    void *pixels = NULL;
    HBITMAP bitmap = CreateDIBSection(NULL, &info, DIB_RGB_COLORS, &pixels, NULL, 0);
    if (bitmap) draw(pixels, s);
    return bitmap;
}
