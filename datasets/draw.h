/* The drawn set: synthetic pictures of cats and dogs.  Shared declarations of the program pith-draw.
 *
 * A picture is a function of (seed, split, class, index, size) alone: every random number comes from a
 * counter-based stream keyed by those and by its use, so neither threads nor the order of drawing can
 * change a picture. Colours, patterns, backdrops, sizes and places are drawn from streams that never look
 * at the class; only anatomy does.
 *
 * Shapes are signed distance functions in local units (1 = the radius of a head; y points down). */
#ifndef PITH_DATASETS_DRAW_H
#define PITH_DATASETS_DRAW_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum { DRAW_CAT = 0, DRAW_DOG = 1 };
enum { DRAW_TRAIN = 0, DRAW_VAL = 1 };
#define DRAW_MIN_SIZE 16
#define DRAW_MAX_SIZE 1024

typedef struct {
    float x, y;
} draw_vec;

typedef struct {
    float r, g, b;
} draw_rgb;

/* ---- draw_noise.c: random numbers, noise, colours ---- */

typedef struct {
    uint64_t key, count;
} draw_rng;

/* What a stream of random numbers is for.  Separate streams keep what is independent of the class
 * independent. */
enum {
    USE_COAT = 1,
    USE_SCENE,
    USE_OBJECT,
    USE_PLACE,
    USE_POSE,
    USE_BODY,
    USE_LIGHT,
    USE_FRONT,
    USE_LENS,
    USE_PIXEL
};

uint64_t draw_mix(uint64_t x);
draw_rng draw_rng_for(uint64_t picture, int use);
uint64_t draw_bits(draw_rng *r);
float draw_uniform(draw_rng *r, float lo, float hi);
int draw_chance(draw_rng *r, float p);
int draw_pick(draw_rng *r, int n);
float draw_value_noise(uint32_t seed, float x, float y); /* smooth, 0..1, lattice spacing 1 */

static inline float draw_clamp(float x, float lo, float hi) { return x < lo ? lo : x > hi ? hi : x; }

static inline float draw_step(float lo, float hi, float x) /* smooth step from 0 at lo to 1 at hi */
{
    float t = draw_clamp((x - lo) / (hi - lo), 0, 1);
    return t * t * (3 - 2 * t);
}

static inline draw_rgb draw_lerp(draw_rgb a, draw_rgb b, float t)
{
    return (draw_rgb){ a.r + (b.r - a.r) * t, a.g + (b.g - a.g) * t, a.b + (b.b - a.b) * t };
}

static inline draw_rgb draw_scale(draw_rgb a, float s) { return (draw_rgb){ a.r * s, a.g * s, a.b * s }; }

draw_rgb draw_hsv(float h, float s, float v);

/* ---- draw_shapes.c: canvas, frames, shapes ---- */

typedef struct {
    int size;
    float *rgb;  /* [size,size,3], 0..1 */
    float *dist; /* [size,size] scratch: distance to the shape at hand, pixels */
    float *lit; /* [size,size] brightness last painted, 0 where nothing was: markings follow the form below */
    float lx, ly, lz;       /* direction to the light, unit length, y down */
    float ambient, diffuse; /* brightness = ambient + diffuse * max(0, normal . light) */
    float outline;          /* 0 soft .. 1 like a cartoon */
    float fuzz;             /* how far fur stands out, local units */
    uint32_t seed;          /* of the noise on edges */
} draw_canvas;

typedef struct {
    float m[4]; /* local -> pixels: [m0 m1; m2 m3] */
    draw_vec o;
} draw_frame;

draw_frame draw_frame_at(draw_frame parent, float x, float y, float angle, float sx, float sy);
draw_vec draw_to_pixels(draw_frame f, float x, float y);
float draw_frame_scale(draw_frame f); /* pixels per unit */

enum { PRIM_CONE, PRIM_ELLIPSE, PRIM_POLY };

typedef struct {
    int kind, n;
    draw_vec p[4];
    float ra, rb, c, s;
} draw_prim;

#define DRAW_MAX_PRIMS 40
typedef struct {
    draw_prim prim[DRAW_MAX_PRIMS];
    int n;
    float blend; /* radius of the fillet between primitives, local units */
} draw_shape;

void shape_new(draw_shape *s, float blend);
void shape_cone(draw_shape *s, float ax, float ay, float ra, float bx, float by, float rb);
void shape_ellipse(draw_shape *s, float x, float y, float rx, float ry, float angle);
void shape_triangle(draw_shape *s, draw_vec a, draw_vec b, draw_vec c, float round);
void shape_box(draw_shape *s, float x0, float y0, float x1, float y1, float round);
void shape_curve(draw_shape *s, const draw_vec p[4], float ra, float rb, int pieces); /* cubic Bezier */

struct draw_coat;
typedef struct {
    const struct draw_coat *coat; /* fur; NULL for the flat colour */
    draw_rgb flat;
    int region;   /* of the coat */
    float round;  /* depth over which the surface turns from the edge to face the viewer; 0: flat, unlit */
    float line;   /* share of the canvas's outline */
    float shadow; /* darkness thrown on what lies below, just outside the shape */
    float soft;   /* half width of the blurred edge, local units; 0: sharp */
    float alpha;  /* 0 counts as 1 */
    float dim;    /* 0 counts as 1: factor on the colour (far legs) */
    int marking;  /* take the brightness of what lies below */
    int fur;      /* ragged edge */
} draw_paint;

void draw_shape_paint(draw_canvas *c, draw_frame f, const draw_shape *s, const draw_paint *p);

/* ---- draw_coat.c ---- */

enum {
    REGION_BODY,
    REGION_HEAD,
    REGION_EAR,
    REGION_TAIL,
    REGION_LEG,
    REGION_PAW,
    REGION_MUZZLE,
    REGION_CHEST
};
enum { COAT_SOLID, COAT_TABBY, COAT_SPOTS, COAT_PATCHES, COAT_BRINDLE, COAT_SHADED, COAT_KINDS };

typedef struct draw_coat {
    int kind;
    draw_rgb base, second, third, pale;               /* fur; pale: muzzle, chest, paws, where white is set */
    draw_rgb nose, iris, inner, ink, whisker, collar; /* inner: inside of the ear; ink: mouth, pupils */
    int white, points, has_collar;
    float freq, angle, warp, edge, texture;
    uint32_t seed;
} draw_coat;

draw_coat draw_coat_new(draw_rng *r);
draw_rgb draw_coat_at(const draw_coat *coat, int region, float x, float y);

/* ---- draw_head.c, draw_body.c: the animal ---- */

enum { POSE_FACE, POSE_SIT, POSE_SIT_SIDE, POSE_STAND, POSE_LIE, POSE_KINDS };
enum { EAR_POINTED, EAR_DROP, EAR_LONG, EAR_PRICKED };

typedef struct {
    int dog, pose, profile; /* profile: the head is seen from the side */
    int ear;
    float ear_size, ear_turn;
    float width, height;     /* of the head */
    float yaw;               /* of a head seen from the front, -1..1 */
    float muzzle;            /* size of the muzzle */
    float eye, lid, pupil;   /* size of the eye, how far it is open, width of the pupil */
    float tail, curl, thick; /* length, curl and thickness of the tail */
    float fat, leg, step;    /* body's girth, leg length, phase of the walk */
    int tongue;
} draw_animal;

draw_animal draw_animal_new(int cls, draw_rng *pose, draw_rng *body);
void draw_animal_extent(const draw_animal *a, draw_vec *lo, draw_vec *hi, draw_vec *head);
void draw_animal_paint(draw_canvas *c, draw_frame f, const draw_animal *a, const draw_coat *coat);
void draw_head_paint(draw_canvas *c, draw_frame f, const draw_animal *a, const draw_coat *coat);

/* ---- draw_scene.c ---- */

void draw_backdrop(draw_canvas *c, draw_rng *scene, draw_rng *object, float floor_y);
void draw_foreground(draw_canvas *c, draw_rng *front, draw_vec head, float clear);

/* ---- draw_picture.c ---- */

/* Draws one picture into rgb [size,size,3].  size in DRAW_MIN_SIZE..DRAW_MAX_SIZE.  Returns 0, or -1
 * without memory. */
int draw_picture(uint64_t seed, int split, int cls, uint32_t index, int size, uint8_t *rgb, int *quality);

/* ---- draw_files.c ---- */

/* Encodes rgb [size,size,3] and writes it beside `path`, then renames: no half file ever stands under the
 * name. Returns 0, or -1 with a message on err. */
int draw_write_jpeg(const char *path, const uint8_t *rgb, int size, int quality, FILE *err);
/* Makes the folder and its class folders; refuses one that holds anything unless force.  Returns 0 or -1,
 * message on err. */
int draw_make_folders(const char *dir, int force, FILE *err);

/* ---- draw_command.c ---- */

/* The whole command; returns the exit status: 0 done, 1 failed, 2 wrong use. */
int draw_command(int argc, char **argv, FILE *out, FILE *err);

#endif
