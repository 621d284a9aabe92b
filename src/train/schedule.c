/* Learning-rate schedules: functions of the step alone, so that a resumed run needs no state of theirs. */
#include "train/train.h"

#include <math.h>

static double warmup_steps(pith_schedule_cfg cfg, double steps_per_epoch, int epochs)
{
    double dflt = PITHP_MIN(2.0, epochs / 5.0);
    return PITHP_MIN(PITH_OR(cfg.warmup_epochs, dflt), epochs) * steps_per_epoch;
}

/* Loshchilov and Hutter, "SGDR", 2017; restarts are cycles. */
static double cosine(double lr, double final, double done)
{
    return final + 0.5 * (lr - final) * (1 + cos(M_PI * PITHP_MIN(done, 1.0)));
}

static double step_decay(pith_schedule_cfg cfg, double gamma, double every, double step,
                         double steps_per_epoch)
{
    every = PITH_OR(cfg.step_epochs, every);
    return pow(PITH_OR(cfg.gamma, gamma), every > 0 ? floor(step / (every * steps_per_epoch)) : 0);
}

/* How far through the cycle: -1 at its beginning, 0 at the peak, 1 at the end. The peak and the end are steps of their
   own, as PyTorch counts. */
static double cycle(pith_schedule_cfg cfg, double step, double steps_per_epoch, int epochs)
{
    double total = steps_per_epoch * epochs,
           up = PITHP_MIN(PITH_OR(cfg.warmup_epochs, 0.3 * epochs), epochs) * steps_per_epoch - 1;
    if (step < up)
        return step / up - 1;
    double down = total - 1 - PITHP_MAX(up, 0);
    return down > 0 ? PITHP_MIN((step - PITHP_MAX(up, 0)) / down, 1.0) : 1;
}

/* The schedule of one cycle, and the step within it. */
static void one_cycle(const pith_schedule_cfg *cfg, int64_t *step, int64_t steps_per_epoch, int *epochs)
{
    if (cfg->cycles <= 1 || *epochs < cfg->cycles)
        return;
    *epochs /= cfg->cycles;
    *step = PITHP_MAX(*step, 0) % (PITHP_MAX(steps_per_epoch, 1) * *epochs);
}

double pith_schedule_momentum(pith_schedule_cfg cfg, double momentum, int64_t step, int64_t steps_per_epoch,
                              int epochs)
{
    if (cfg.kind != PITH_ONECYCLE)
        return momentum;
    one_cycle(&cfg, &step, steps_per_epoch, &epochs);
    double low = PITH_OR(cfg.min_momentum, PITHP_MAX(momentum - 0.1, 0));
    double at =
        cycle(cfg, (double)PITHP_MAX(step, 0), (double)PITHP_MAX(steps_per_epoch, 1), PITHP_MAX(epochs, 1));
    return cosine(momentum, low, 1 - fabs(at));
}

double pith_schedule_lr(pith_schedule_cfg cfg, double lr, int64_t step, int64_t steps_per_epoch, int epochs)
{
    one_cycle(&cfg, &step, steps_per_epoch, &epochs);
    double spe = (double)PITHP_MAX(steps_per_epoch, 1), s = (double)PITHP_MAX(step, 0);
    double total = spe * PITHP_MAX(epochs, 1), warm = warmup_steps(cfg, spe, PITHP_MAX(epochs, 1));
    if (cfg.kind == PITH_ONECYCLE) {
        double at = cycle(cfg, s, spe, PITHP_MAX(epochs, 1));
        return at < 0 ? cosine(lr / 25, lr, 1 + at) : cosine(lr, PITH_OR(cfg.final_lr, lr / 25e4), at);
    }
    if (s < warm)
        return lr * PITHP_MIN((s + 1) / warm, 1.0);
    switch (cfg.kind) {
    case PITH_COSINE: {
        double final = PITH_OR(cfg.final_lr, lr / 1000);
        return total > warm ? cosine(lr, final, (s - warm) / (total - warm)) : final;
    }
    case PITH_STEP: return lr * step_decay(cfg, 0.1, PITHP_MAX(epochs, 1) / 3.0, s, spe);
    case PITH_EXPONENTIAL: return lr * step_decay(cfg, 0.97, 2.4, s, spe);
    case PITH_ONECYCLE:
    case PITH_CONSTANT: break;
    }
    return lr;
}
