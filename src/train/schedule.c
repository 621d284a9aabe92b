/* Learning-rate schedules: functions of the step alone, so that a resumed run needs no state of theirs. */
#include "train/train.h"

#include <math.h>

static double warmup_steps(pith_schedule_cfg cfg, double steps_per_epoch, int epochs)
{
    double dflt = PITHP_MIN(2.0, epochs / 5.0);
    return PITHP_MIN(PITH_OR(cfg.warmup_epochs, dflt), epochs) * steps_per_epoch;
}

/* Loshchilov and Hutter, "SGDR", 2017, without restarts. */
static double cosine(double lr, double final, double done)
{
    return final + 0.5 * (lr - final) * (1 + cos(M_PI * PITHP_MIN(done, 1.0)));
}

double pith_schedule_lr(pith_schedule_cfg cfg, double lr, int64_t step, int64_t steps_per_epoch, int epochs)
{
    double spe = (double)PITHP_MAX(steps_per_epoch, 1), s = (double)PITHP_MAX(step, 0);
    double total = spe * PITHP_MAX(epochs, 1), warm = warmup_steps(cfg, spe, PITHP_MAX(epochs, 1));
    if (s < warm)
        return lr * PITHP_MIN((s + 1) / warm, 1.0);
    switch (cfg.kind) {
    case PITH_COSINE: {
        double final = PITH_OR(cfg.final_lr, lr / 1000);
        return total > warm ? cosine(lr, final, (s - warm) / (total - warm)) : final;
    }
    case PITH_STEP: {
        double every = PITH_OR(cfg.step_epochs, PITHP_MAX(epochs, 1) / 3.0);
        return lr * pow(PITH_OR(cfg.gamma, 0.1), every > 0 ? floor(s / (every * spe)) : 0);
    }
    case PITH_CONSTANT: break;
    }
    return lr;
}
