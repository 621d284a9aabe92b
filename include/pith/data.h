/* pith/data.h: folders of photographs, the packed cache, and the loader that feeds them to a training.

   pith_data_images finds the pictures of a folder, decodes every one of them once into a packed file of small
   uint8 images (the cache) and maps that file. A loader then delivers batches, prepared ahead by threads of
   its own. The order and the augmentation of every sample are functions of (seed, epoch, sample) alone, so
   batches are the same bit for bit whatever the number of threads and wherever a run was resumed. Files are
   judged by their content, never by their name; nothing is ever written into, or deleted from, the folder of
   photographs. */
#ifndef PITH_DATA_H
#define PITH_DATA_H

#include <pith/types.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct pith_data pith_data;     /* a labelled set of images, split into training and validation */
typedef struct pith_loader pith_loader; /* delivers one split of it, batch by batch */

typedef enum { PITH_TRAIN = 0, PITH_VAL = 1 } pith_split;

/* How a folder is read.
   size        side, in pixels, of the square the network sees; 0 = 96; 8 to 1024
   val         share kept for validation where the folder has no split of its own; 0 = 0.1; PITH_ZERO = none
   seed        of that split; the same for every training by default, so that runs can be compared
   cache       path of the packed file; NULL = $XDG_CACHE_HOME/pith/<hash>.pack, else ~/.cache/pith/..., else
               $TMPDIR/..., the first of them that can be written. A file there that is no cache is refused, not replaced
   max_bad     share of files that may be bad before this is an error; 0 = 0.01; 1 = any number
   max_pixels  area above which a file is refused before it is decoded; 0 = 100 million, and in any case no
               more than about 256 MB of memory for one file
   threads     for decoding; 0 = the context's
   rebuild     decodes everything again even if the cache is up to date
   progress    called from the calling thread while the cache is built; false stops it (PITH_ESTOPPED) */
typedef struct {
    int size;
    double val;
    uint64_t seed;
    const char *cache;
    double max_bad;
    int64_t max_pixels;
    int threads;
    bool rebuild;
    bool (*progress)(void *progress_user, int64_t done, int64_t total);
    void *progress_user;
} pith_images_cfg;

/* Opens a folder of photographs as a data set.
   Folders understood: one folder per class (PetImages/Cat/...), the same below train/ and val/ ("validation",
   "valid", and "test" where there is no other), and flat folders whose file names carry the class as Kaggle's
   do (cat.123.jpg), also below train/ and val/. A folder whose only content is one such folder stands for it.
   Classes are sorted by name, byte by byte. Folders inside a class folder belong to the class. Hidden files,
   Thumbs.db and desktop.ini are passed over.
   Exact duplicates (equal pixels as stored) stay on the same side of a split made here; where the folder
   brings its own split, they are counted and reported.
   The cache is rebuilt when any file's name, size or time changed. An image is stored with its short side
   reduced to 4/3 of `size` (never enlarged), its long side cut to twice the short one.
   ownership   the context's
   errors      NULL, with PITH_ENOTFOUND: no such folder; PITH_EDATA: no images, one class only, an empty
               class, an empty split, too many bad files; PITH_EIO; PITH_ENOMEM; PITH_EINVAL; PITH_ESTOPPED.
               Since 0.1. */
PITH_API pith_data *pith_data_images(pith_ctx *c, const char *dir, pith_images_cfg cfg);

/* A data set from pixels in memory.
   pixels      [n,H,W,3] uint8, RGB, copied; H and W from 8 to 4096
   labels      [n] class indices from 0 to K-1, K the largest label plus one, at least two
   names       [K] class names, or NULL ("0", "1", ...)
   n_train     the first n_train images are the training split, the others the validation split
   size        side of the square the network sees; 0 = min(H,W)
   ownership   the context's
   errors      NULL, with PITH_EINVAL, PITH_EDATA or PITH_ENOMEM. Since 0.1. */
PITH_API pith_data *pith_data_pixels(pith_ctx *c, const uint8_t *pixels, const int32_t *labels, int64_t n,
                                     int height, int width, const char *const *names, int64_t n_train,
                                     int size);

/* Frees a data set before its context ends. Free its loaders first. NULL is allowed. Since 0.1. */
PITH_API void pith_data_free(pith_data *d);

/* The number of classes, at least two. Since 0.1. */
PITH_API int pith_data_classes(const pith_data *d);

/* The name of a class, NULL out of range.
   ownership   the data set's. Since 0.1. */
PITH_API const char *pith_data_class_name(const pith_data *d, int label);

/* The side of the square the network sees. Since 0.1. */
PITH_API int pith_data_size(const pith_data *d);

/* The number of images in a split. Since 0.1. */
PITH_API int64_t pith_data_count(const pith_data *d, pith_split split);

/* The data set's index (0 to all images - 1) of the i-th sample of a split, in order of class and path; -1
   out of range. Since 0.1. */
PITH_API int64_t pith_data_sample(const pith_data *d, pith_split split, int64_t i);

/* One image. path is relative to the folder (an image's number for pith_data_pixels); pixels [H,W,3] uint8
   RGB as stored, mapped from the cache and not to be written to; hash is of the pixels and the size. */
typedef struct {
    const char *path;
    const uint8_t *pixels;
    int height, width, label;
    pith_split split;
    uint64_t hash;
} pith_sample;

/* The image of an index.
   ownership   all pointers are the data set's
   errors      path is NULL when the index is out of range. Since 0.1. */
PITH_API pith_sample pith_data_at(const pith_data *d, int64_t index);

/* A number that changes when any pixel, label, split, class name or the image size changes: what a checkpoint
   records so that a resume knows it goes on with the same data. Since 0.1. */
PITH_API uint64_t pith_data_fingerprint(const pith_data *d);

/* Compares every stored image with its checksum.
   errors      PITH_EFORMAT naming the first damaged image and the cache. Since 0.1. */
PITH_API pith_status pith_data_verify(pith_data *d);

/* ---- Report -------------------------------------------------------------------------------------------- */

/* A file that is no usable image, and why ("empty file", "truncated JPEG", "WebP image (not supported)"). */
typedef struct {
    const char *path, *reason;
} pith_bad_file;

/* What was found in the folder.
   files         looked at: usable + n_bad
   count         [2][classes] images by split and class: count[split * classes + label]
   bad           [n_bad]
   duplicates    images whose pixels equal those of another one before them
   across        of these, those whose equal lies in the other split (only where the folder brought its split)
   conflicting   of the duplicates, those whose equal has another class
   ignored       files and folders passed over (hidden, Thumbs.db, strays beside class folders, folders seen
                 twice)
   histogram     [PITH_DATA_BINS] of the original short side: below 16, 32, 64, 128, 256, 512, 1024, and the
                 rest
   format        [PITH_DATA_FORMATS] images by format: JPEG, PNG, BMP, GIF
   built         whether this opening decoded the folder (false: the cache was up to date)
   seconds       what opening took, decoding included */
#define PITH_DATA_BINS    8
#define PITH_DATA_FORMATS 4
typedef struct {
    const char *dir, *cache;
    int64_t files, usable, n_bad, duplicates, across, conflicting, ignored, cache_bytes;
    int classes;
    bool own_split; /* the folder brought its split */
    bool built;
    double seconds;
    const int64_t *count;
    const pith_bad_file *bad;
    int64_t histogram[PITH_DATA_BINS], format[PITH_DATA_FORMATS];
} pith_data_report;

/* The report of a data set.
   ownership   all pointers are the data set's. Since 0.1. */
PITH_API pith_data_report pith_data_get_report(const pith_data *d);

/* ---- Loader -------------------------------------------------------------------------------------------- */

/* What is done to a training image. Zero fields are the defaults, PITH_ZERO switches one off.
   scale_min, scale_max   share of the area that the random crop takes; 0.35 to 1
   ratio_min, ratio_max   its width over height, log-uniform; 3/4 to 4/3
   flip                   probability of a left-right flip; 0.5
   brightness, contrast, saturation   strength j: a factor uniform in [1-j, 1+j]; 0.2 each
   hue                    strength in turns, uniform in [-hue, hue]; 0 (off)
   rotate                 degrees, uniform in [-rotate, rotate], about the middle; what lies outside is mirrored; 0 (off)
   cutout                 probability that a rectangle of the image becomes grey; 0 (off)
   cutout_min, cutout_max share of the area that it covers; 0.02 and 0.33; its ratio is log-uniform from 3/10 to 10/3
   mixup                  a > 0: each image becomes lambda of itself and 1 - lambda of another of its batch, and so does
                          its label; lambda drawn from Beta(a,a), a whole number of 1/256; 0 (off); 0.2 is customary
   cutmix                 a > 0: a rectangle that covers 1 - lambda of the image comes from another of its batch, and
                          the label accordingly; 0 (off); 1 is customary. With mixup, each batch takes one of the two
   variants    K > 0: each image has K augmentations and no more, epoch e shows that of e mod K: what depends on them can
               be computed once and kept (pith/distill.h). 0: another one every epoch. mixup and cutmix, which depend on the
               order, are not bound by it
   variants_seed   they are drawn from, in place of the loader's: so that runs of several seeds may share them
   mix                    share of the images that mixup and cutmix touch; 1
   source      random resized crop: Szegedy et al., "Going deeper with convolutions", 2014; jitter: Howard,
               "Some improvements on deep convolutional neural network based image classification", 2013; cutout: DeVries,
               Taylor 2017 and, in this form, Zhong et al., "Random erasing data augmentation", 2020; mixup: Zhang et
               al. 2018; cutmix: Yun et al. 2019 */
typedef struct {
    double scale_min, scale_max, ratio_min, ratio_max, flip, brightness, contrast, saturation, hue;
    double rotate, cutout, cutout_min, cutout_max, mixup, cutmix, mix;
    int variants;
    uint64_t variants_seed;
} pith_augment_cfg;

/* How batches are made.
   split       PITH_TRAIN or PITH_VAL
   batch       images in a batch; 0 = 64
   seed        of order and augmentation
   shuffle     a new order every epoch; else in order of class and path
   drop_last   leaves out an incomplete last batch
   size        side of the images delivered; 0 = the data set's; 8 to 1024
   augment     makes random variants by `aug`; else the evaluation transform: of the stored image the centre square
               of 7/8 of its short side (but no fewer than `size` pixels where there are as many), resized to
               size x size with antialiasing
   threads     that prepare batches ahead; 0 = 2; -1 = none: batches are made in pith_loader_next
   depth       batches prepared ahead; 0 = threads + 1 */
typedef struct {
    pith_split split;
    int batch;
    uint64_t seed;
    bool shuffle, drop_last, augment;
    pith_augment_cfg aug;
    int threads, depth;
    int size;
} pith_loader_cfg;

/* One batch. Pointers are the loader's, valid until the next call that takes the loader.
   n           images in this batch, 1 to cfg.batch
   x           [n,size,size,3] real, (pixel - 128) / 128, the pixel a whole number from 0 to 255 (mixed images: of 1/256)
   labels      [n]
   other       [n] the second label of mixed images; NULL where mixup and cutmix are off
   weight      [n] share of `labels`, 0 to 1; the rest is `other`'s; NULL where they are off
   samples     [n] indices as in pith_data_at
   epoch, index   which batch of which epoch this is */
typedef struct {
    int n;
    const pith_real *x;
    const int32_t *labels;
    const int64_t *samples;
    uint32_t epoch;
    int64_t index;
    const int32_t *other;
    const pith_real *weight;
} pith_batch;

/* Makes a loader, standing before batch 0 of epoch 0. Its buffers are allocated here; delivering batches
   allocates nothing.
   ownership   the context's
   errors      NULL, with PITH_EINVAL (no image in the split, absurd options) or PITH_ENOMEM. Since 0.1. */
PITH_API pith_loader *pith_loader_new(pith_data *d, pith_loader_cfg cfg);

/* Stops the threads and frees the loader before its context ends. NULL is allowed. Since 0.1. */
PITH_API void pith_loader_free(pith_loader *l);

/* The number of batches in an epoch. Since 0.1. */
PITH_API int64_t pith_loader_batches(const pith_loader *l);

/* The number of images that an epoch delivers. Since 0.1. */
PITH_API int64_t pith_loader_images(const pith_loader *l);

/* Starts an epoch at one of its batches, forgetting what was prepared of another. Batches that follow are the
   ones that an uninterrupted run would have seen.
   errors      PITH_EINVAL when first_batch is not from 0 to pith_loader_batches. Since 0.1. */
PITH_API pith_status pith_loader_epoch(pith_loader *l, uint32_t epoch, int64_t first_batch);

/* Delivers the next batch of the epoch into *b. At the end of the epoch it returns false, and the threads go
   on with the next epoch: the call after that delivers its first batch.
   errors      false with a status in the context: PITH_EFORMAT when the cache is damaged. Since 0.1. */
PITH_API bool pith_loader_next(pith_loader *l, pith_batch *b);

/* Reads one picture file as the network wants it: decoded, turned upright, its short side reduced as in the
   cache, the centre square cut and resized as in evaluation.
   size        as for pith_data_images
   out         [size,size,3] real, (pixel - 128) / 128
   errors      PITH_ENOTFOUND, PITH_EIO; PITH_EFORMAT: not a picture that can be decoded, with the reason;
               PITH_EINVAL; PITH_ENOMEM. Since 0.1. */
PITH_API pith_status pith_data_image_load(pith_ctx *c, const char *path, int size, pith_real *out);

#ifdef __cplusplus
}
#endif
#endif
