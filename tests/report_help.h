/* tests/report_help.h: run folders made by hand, in the format of `pith lab` and of `pith train`. */
#ifndef PITH_TESTS_REPORT_HELP_H
#define PITH_TESTS_REPORT_HELP_H

#include <stdbool.h>

/* A lab's folder: steps that are done, failed and skipped, images (drawn, some the networks get wrong), curves, layers,
   memory. The folder of its photographs is DIR/photos. False: it cannot be written. */
bool report_fixture_lab(const char *dir);
/* A training's folder: args.json and log.jsonl, resumed once. */
bool report_fixture_run(const char *dir);

/* Writes a file of the folder, whose own folders are made. */
bool report_write(const char *dir, const char *file, const char *text);

enum { FIXTURE_IMAGES = 120, FIXTURE_STEPS = 14 };
typedef struct {
    const char *id, *title, *family, *status, *reason;
    int wrong;                               /* of the images */
    double kb, gzip, packed, latency, arena; /* 0: none */
    int epochs, bits;
} fixture_step;
extern const fixture_step fixture_steps[FIXTURE_STEPS];
/* Whether the step is right about image i, and what it says of class 1. */
bool fixture_right(const fixture_step *s, int i);
double fixture_p1(const fixture_step *s, int i);

#endif
