/* report/gallery.h: what the page's galleries share. */
#ifndef PITHP_REPORT_GALLERY_H
#define PITHP_REPORT_GALLERY_H

#include "report/page.h"

/* A validation image, and how badly it was taken for something else. */
typedef struct {
    int64_t i;
    double badness;
} pithp_mistake;

/* Of r's mistakes, *n of them, those that it was surest of first. */
pithp_mistake *pithp_mistakes(pithp_page *g, const pithp_result *r, int64_t *n);
/* The folder of photographs, as the run names it: from here, or from where the run folder lies. "" where it is nowhere. */
const char *pithp_photographs(pithp_page *g, const pithp_run *u);
const char *pithp_class_name(const pithp_page *g, const pithp_result *r, int k, char room[24]);
double pithp_says(const pithp_result *r, int64_t i, int k); /* the probability of class k of image i */
/* <span>: who, what it says of image i, how surely. */
void pithp_said(pithp_page *g, const char *who, const pithp_result *r, int64_t i);

#endif
