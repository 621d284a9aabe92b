/* tests/kill_help.h: a training in a process of its own that is killed again and again, and goes on until it is done.

   The moments are any, but each kill surely meets a running training, on slow and fast machines alike: the training
   reports every step and may not go beyond the step after the one at which it is to die. */
#ifndef PITH_TESTS_KILL_HELP_H
#define PITH_TESTS_KILL_HELP_H

#include "fit_help.h"

#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

typedef bool kill_train(pith_fit_cfg cfg); /* trains with cfg and says whether that went well */

typedef struct {
    int reports[2],
        leave[2]; /* pipes, a byte a step; to a training whose leave has been closed all is allowed */
} kill_leash;

static inline void kill_step(void *user, const pith_progress *p)
{
    kill_leash *l = user;
    char byte = 0;
    if (p->event == 's' && (write(l->reports[1], &byte, 1) != 1 || read(l->leave[0], &byte, 1) < 0))
        _exit(2);
}

/* A process that has never run OpenMP threads cannot be forked into trouble: only the children train. */
static inline pid_t kill_start(kill_leash *l, kill_train *train, pith_fit_cfg cfg)
{
    ck_assert(pipe(l->reports) == 0 && pipe(l->leave) == 0);
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        close(l->reports[0]);
        close(l->leave[1]);
        cfg.progress = kill_step;
        cfg.progress_user = l;
        _exit(train(cfg) ? 0 : 1);
    }
    ck_assert_int_gt(pid, 0);
    close(l->reports[1]);
    close(l->leave[0]);
    return pid;
}

/* Lets the training make `steps` steps. False when it ended before. */
static inline bool kill_let(const kill_leash *l, int steps)
{
    char byte = 0;
    for (int i = 0; i < steps; i++)
        if (write(l->leave[1], &byte, 1) != 1 || read(l->reports[0], &byte, 1) != 1)
            return false;
    return true;
}

/* Lets it run to its end. Returns the number of steps. */
static inline int kill_end(kill_leash *l, pid_t pid)
{
    int steps = 0, status = 0;
    char byte;
    close(l->leave[1]);
    while (read(l->reports[0], &byte, 1) == 1)
        steps++;
    close(l->reports[0]);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the training failed, status %d", status);
    return steps;
}

static inline double kill_clock(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Trains with `whole` into cfg.out, undisturbed; then with `train` into `killed`, killed up to `kills` times after at most
   5 steps, and gone on with from what is there. */
static inline void kill_and_resume(kill_train *whole, kill_train *train, pith_fit_cfg cfg, const char *killed,
                                   int kills, uint64_t seed)
{
    kill_leash l;
    signal(SIGPIPE, SIG_IGN); /* a training that has ended takes no more leaves */
    pithp_rand r = pithp_rand_at(seed, 0, 0, PITHP_USE_OTHER);
    double start = kill_clock();
    int steps = kill_end(&l, kill_start(&l, whole, cfg)), saved = 0;
    double step = (kill_clock() - start) / steps;
    ck_assert_int_gt(steps, 4);
    char last[800];
    snprintf(last, sizeof last, "%s/last.pith", killed);
    cfg.out = killed;
    bool done = false; /* the step at whose end it is to wait was saved before, and it was the last */
    for (int i = 0; i < kills && !done; i++) {
        int status = 0;
        cfg.resume = access(last, F_OK) == 0;
        saved += cfg.resume;
        pid_t pid = kill_start(&l, train, cfg);
        if (kill_let(&l, (int)pithp_rand_below(&r, 4)))
            usleep((useconds_t)(1.5e6 * step * pithp_rand_uniform(&r)));
        kill(pid, SIGKILL); /* one that has ended is still there to be waited for */
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        close(l.leave[1]);
        close(l.reports[0]);
        done = WIFEXITED(status);
        ck_assert_msg(done ? i > 0 && WEXITSTATUS(status) == 0 : WTERMSIG(status) == SIGKILL,
                      "attempt %d: status %d", i, status);
    }
    ck_assert_int_gt(saved, 0);
    cfg.resume = true;
    kill_end(&l, kill_start(&l, train, cfg));
}

#endif
