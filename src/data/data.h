/* data/data.h: the insides of the data floor. All arithmetic on pixels is in whole numbers (or in floats that
   hold them exactly), so a cache and a batch are the same bytes on every processor. */
#ifndef PITHP_DATA_H
#define PITHP_DATA_H

#ifdef HAVE_CONFIG_H
#include "config.h" /* HAVE_LIBJPEG */
#endif
#include "base/base.h"
#include <pith/data.h>
#include <pthread.h>

/* GCC vectorises little at -O2; the pixel loops ask for it one by one. Exact arithmetic: results do not
   change. */
#if defined(__GNUC__) && !defined(__clang__)
#define PITHP_VECTORIZE __attribute__((optimize("tree-vectorize", "vect-cost-model=dynamic")))
#else
#define PITHP_VECTORIZE
#endif

enum {
    PITHP_MIN_SIDE = 8,    /* smaller pictures are no pictures */
    PITHP_MAX_SIDE = 4096, /* of a stored image */
    PITHP_SPLIT_NONE = 2,  /* the folder does not say */
    PITHP_DECODE_MB = 256, /* what decoding one file may take */
    PITHP_REASON = 112     /* bytes of a reason, with its zero */
};

typedef enum { PITHP_JPEG = 0, PITHP_PNG, PITHP_BMP, PITHP_GIF } pithp_format;

/* ---- hash.c -------------------------------------------------------------------------------------------- */
uint64_t pithp_hash_bytes(uint64_t seed, const void *p,
                          size_t n);                        /* 64 bits at several bytes a cycle; not FNV */
uint64_t pithp_hash_pixels(const uint8_t *p, int w, int h); /* of the pixels and the size */

/* ---- strings: a growing block of zero-terminated strings, named by offset ------------------------------ */
typedef struct {
    char *p;
    size_t n, cap;
} pithp_strings;

bool pithp_strings_add(pith_ctx *c, pithp_strings *s, const char *text, size_t *offset);

/* ---- scan.c, layout.c: what is in the folder ----------------------------------------------------------- */
typedef struct {
    size_t path; /* in names, relative to root */
    uint64_t bytes;
    int64_t mtime; /* ns */
    int32_t label; /* -1: no class can be told */
    uint8_t split; /* a pith_split or PITHP_SPLIT_NONE */
} pithp_source;

typedef struct {
    uint64_t dev, ino;
} pithp_inode;

typedef struct {
    pith_ctx *c;
    char *root; /* real path of the folder that holds the classes or the splits */
    pithp_strings names;
    pithp_source *file;
    size_t n, cap;
    size_t *class_name; /* [n_classes] in names, sorted */
    size_t n_classes, class_cap;
    pithp_inode *seen; /* folders walked already */
    size_t n_seen, seen_cap;
    bool own_split;
    int64_t ignored;
    uint64_t fingerprint; /* of root, names, sizes, times */
} pithp_scan;

typedef struct {
    size_t name; /* in the listing's names */
    bool is_dir, is_file;
    uint64_t bytes, dev, ino;
    int64_t mtime;
} pithp_entry;

typedef struct {
    pithp_strings names;
    pithp_entry *e;
    size_t n, cap;
    int64_t ignored;
} pithp_listing;

pith_status pithp_list(pith_ctx *c, const char *path, pithp_listing *l); /* sorted, without hidden files */
void pithp_list_free(pith_ctx *c, pithp_listing *l);
pith_status pithp_scan_dir(pith_ctx *c, const char *dir, pithp_scan *s);
void pithp_scan_free(pithp_scan *s);

/* for layout.c */
pith_status pithp_scan_add(pithp_scan *s, const char *path, const pithp_entry *e, int label, int split);
pith_status pithp_scan_class(pithp_scan *s, const char *name,
                             int *label); /* an unsorted label, to be renumbered */
/* *again: this folder was entered already. A link may lead back, or twice to the same place. */
pith_status pithp_scan_enter(pithp_scan *s, const char *path, bool *again);
pith_status pithp_scan_walk(pithp_scan *s, const char *rel, int label, int split, int depth);
pith_status pithp_layout(pithp_scan *s);

/* ---- decode*.c, stb.c, exif.c: bytes to a small upright image ------------------------------------------ */
/* Scratch memory of one thread; the lock guards the context. */
typedef struct {
    pith_ctx *c;
    pthread_mutex_t *lock;
    uint8_t *file, *full, *small, *turned, *taps;
    size_t file_cap, full_cap, small_cap, turned_cap, taps_cap;
    bool failed; /* out of memory: no fault of the file at hand */
    char reason[PITHP_REASON];
} pithp_work;

bool pithp_work_need(pithp_work *w, void *pp, size_t *cap, size_t bytes); /* false: PITH_ENOMEM recorded */
void pithp_work_free(pithp_work *w);

typedef struct {
    const uint8_t *pixels; /* [height,width,3], in the scratch memory */
    int width, height;
    int full_width, full_height;
    pithp_format format;
} pithp_picture;

/* NULL on success, else the reason, good until the next call. Out of memory sticks in the context, too. */
const char *pithp_decode(pithp_work *w, const uint8_t *p, size_t n, int store, int64_t max_pixels,
                         pithp_picture *out);
const char *pithp_decode_file(pithp_work *w, const char *path, int store, int64_t max_pixels,
                              pithp_picture *out);
const char *pithp_sniff(const uint8_t *p, size_t n, pithp_format *format); /* NULL, or what it is instead */

/* A decoded picture of any size in w->full; orientation as in EXIF, 1 to 8. */
typedef struct {
    int width, height;           /* of w->full, [height,width,3] */
    int full_width, full_height; /* of the file */
    int orientation;
} pithp_raw;

const char *pithp_decode_jpeg(pithp_work *w, const uint8_t *p, size_t n, int store, int64_t max_pixels,
                              pithp_raw *out);
const char *pithp_decode_stb(pithp_work *w, const uint8_t *p, size_t n, pithp_format f, int64_t max_pixels,
                             pithp_raw *out);
const char *pithp_check_area(pithp_work *w, int64_t width, int64_t height, int64_t max_pixels);
const char *pithp_reason(pithp_work *w, const char *fmt, ...) PITH_PRINTF(2, 3);
int pithp_jpeg_orientation(const uint8_t *p, size_t n); /* of a whole JPEG file; as below */
int pithp_exif_orientation(const uint8_t *p, size_t n); /* of a TIFF block; 1 when absent or wrong */

/* ---- resize.c ------------------------------------------------------------------------------------------ */
/* Catmull-Rom with antialiasing, from the region at src (rows `stride` bytes apart) to dst [dh,dw,3]. Never
   enlarges. */
bool pithp_reduce(pithp_work *w, const uint8_t *src, size_t stride, int sw, int sh, uint8_t *dst, int dw,
                  int dh);
void pithp_turn(const uint8_t *src, int w, int h, int orientation,
                uint8_t *dst);  /* upright; sides swap for 5 to 8 */
int pithp_store_size(int size); /* the short side that is stored for an input size */

/* ---- cache*.c: the packed file ------------------------------------------------------------------------- */
typedef struct {
    uint64_t offset, hash;
    size_t path; /* in names */
    int32_t label;
    uint16_t width, height;
    uint32_t full_width, full_height;
    uint8_t split, format;
} pithp_image;

/* What a packed file says, checked. */
typedef struct {
    uint64_t source, settings; /* what it was made from, and how */
    pithp_image *image;
    pith_bad_file *bad;
    const char **class_name;
    const char *names;
    size_t n, n_bad, n_classes, names_bytes;
    bool own_split;
    int64_t ignored;
} pithp_pack;

/* NULL, or what is wrong with it. Out of memory sticks in the context. */
const char *pithp_pack_parse(pith_ctx *c, const uint8_t *p, size_t n, pithp_pack *out);
void pithp_pack_free(pith_ctx *c, pithp_pack *k);
/* Whether a new cache may take the place of what lies there: nothing, or a cache, also a damaged one. */
bool pithp_pack_may_replace(const char *path);
void pithp_pack_seal(uint8_t *p, size_t n); /* makes the checksums right again; for tests */
pith_status pithp_pack_build(pith_ctx *c, const pithp_scan *s, const char *path, int store, uint64_t settings,
                             const pith_images_cfg *cfg);

/* NULL with an error when there is no place for it. */
char *pithp_cache_path(pith_ctx *c, const char *root, int store, bool *writable);

/* ---- images.c, split.c, report.c ----------------------------------------------------------------------- */
struct pith_data {
    pithp_obj obj;
    pith_ctx *c;
    int size, store, n_classes;
    const uint8_t *base; /* offsets of images count from here */
    pithp_map map;
    uint8_t *own; /* pixels of pith_data_pixels */
    char *names;  /* and its names */
    pithp_pack pack;
    int64_t *order[2]; /* indices of each split */
    int64_t n[2];
    int64_t *count;    /* [2][n_classes] */
    uint8_t *verified; /* [all images], set atomically by whoever checked the hash first */
    int max_width, max_height;
    uint64_t fingerprint;
    pith_data_report report;
    char *dir, *cache;
};

pith_data *pithp_data_new(pith_ctx *c);
pith_status pithp_data_index(pith_data *d); /* fills order, n, count, fingerprint, report from the pack */
pith_status pithp_split_by_hash(pith_data *d, double val, uint64_t seed);
pith_status pithp_duplicates(pith_data *d,
                             int32_t **group); /* [n] smallest index with the same pixels; counts them */
bool pithp_data_intact(pith_data *d, int64_t index); /* checks an image's hash the first time; any thread */
pith_status pithp_data_check_image(pith_data *d, int64_t index); /* the same, with an error */

/* ---- augment.c, transform.c: a stored image to one sample of a batch ----------------------------------- */
typedef struct {
    int x, y, w, h; /* the crop */
    bool flip;
    bool colour;
    double brightness, contrast, saturation, hue;
} pithp_variant;

pithp_variant pithp_variant_draw(const pith_augment_cfg *a, uint64_t seed, uint32_t epoch, uint64_t sample,
                                 int w, int h);
pithp_variant pithp_variant_eval(int w, int h, int size);
pith_augment_cfg pithp_augment_defaults(pith_augment_cfg a);
/* With a fixed number of augmentations: whose random numbers an epoch has. */
void pithp_augment_key(const pith_augment_cfg *a, uint64_t *seed, uint32_t *epoch);
const char *pithp_augment_check(const pith_augment_cfg *a); /* NULL, or which field is absurd */

/* ---- extra.c: what is done to a finished sample --------------------------------------------------------- */
typedef struct {
    int x, y, w, h;
} pithp_box;

typedef struct {
    double degrees; /* 0: not turned */
    pithp_box grey; /* w 0: none */
} pithp_extra;

pithp_extra pithp_extra_draw(const pith_augment_cfg *a, uint64_t seed, uint32_t epoch, uint64_t sample,
                             int size);
/* from [size,size,3] with room for one real behind it -> to [size,size,3]: turned counter-clockwise. */
void pithp_rotate(const pith_real *from, int size, double degrees, pith_real *to);
void pithp_grey_box(pith_real *x, int size, pithp_box box);

/* ---- mix.c: mixup and cutmix of a finished batch --------------------------------------------------------- */
/* One sample's part in it. */
typedef struct {
    int partner;   /* position in the batch; the partner's partner is this one */
    int share;     /* of the sample itself, in 1/256: 256 is not mixed */
    pithp_box box; /* cutmix: what comes from the partner */
} pithp_mix;

/* mix [n]. True: cutmix. */
bool pithp_mix_draw(const pith_augment_cfg *a, uint64_t seed, uint32_t epoch, int64_t batch,
                    const int64_t *samples, int n, int size, pithp_mix *mix);
/* x [n,size,size,3] in place; row: scratch for size*3 reals. weight [n] is the share that was really taken. */
void pithp_mix_run(const pithp_mix *mix, bool cut, int n, int size, pith_real *x, pith_real *row,
                   pith_real *weight);

typedef struct pithp_transform pithp_transform; /* scratch memory of one thread */
size_t pithp_transform_bytes(int size, int max_width, int max_height);
pithp_transform *pithp_transform_at(void *memory, pithp_isa isa, int size, int max_width, int max_height);
/* src [H,W,3] uint8 -> out [size,size,3] */
void pithp_transform_run(pithp_transform *t, const uint8_t *src, int w, int h, const pithp_variant *v,
                         pith_real *out);

#endif
