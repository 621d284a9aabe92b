/* train/events.h: TensorBoard's event files: scalars of a training, a record at a time.

   RUN/events.out.tfevents.SECONDS.HOST holds records (TFRecord): length u64, masked CRC-32C of these 8 bytes, the message,
   masked CRC-32C of it; little-endian; masked: rotated right by 15, plus 0xa282ead8. A message is an Event (protobuf): wall_time = 1
   (double), step = 2, file_version = 3 (of the first), summary = 5 { value = 1 { tag = 1, simple_value = 2 (float) } }.
   Sources: tensorflow/core/lib/io/record_writer, tensorflow/core/util/event.proto, tensorflow/core/framework/summary.proto. */
#ifndef PITHP_EVENTS_H
#define PITHP_EVENTS_H

#include "base/protobuf.h"

#define PITHP_EVENTS_NAME  "events.out.tfevents."
#define PITHP_EVENTS_EPOCH "epoch/" /* tags of whole epochs begin so */

typedef struct {
    FILE *f; /* NULL: none is written */
    char *path;
    pithp_pb pb;
} pithp_events;

typedef struct {
    const char *tag;
    double value; /* what is not finite is left out */
} pithp_scalar;

/* Castagnoli's CRC-32 (reflected 0x82F63B78). Source: RFC 3720, appendix B.4. */
uint32_t pithp_crc32c(const void *p, size_t n);

/* A new file in the folder; or, resumed, the newest one there, cut back to whole records of at most `steps` steps. ended: the
   epoch that ends at that step has been told; else its record goes too. */
pith_status pithp_events_open(pith_ctx *c, pithp_events *e, const char *dir, bool resume, int64_t steps,
                              bool ended);
/* One record. False: the system refused (errno); the file is closed, and later calls do nothing. */
bool pithp_events_put(pithp_events *e, int64_t step, const pithp_scalar *s, int n);
void pithp_events_close(pith_ctx *c, pithp_events *e);

#endif
