/* The `pith` command: finds the verb and calls it. */
#include "cli/cli.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const verb *const verbs[] = { &verb_train,   &verb_lr_find, &verb_eval,  &verb_predict,  &verb_info,
                                     &verb_export,  &verb_bench,   &verb_data,  &verb_quantize, &verb_qat,
                                     &verb_analyze, &verb_distill, &verb_pack,  &verb_unpack,   &verb_import,
                                     &verb_run,     &verb_plan,    &verb_prune, &verb_lab,     &verb_report };

static void usage(FILE *to)
{
    fputs("usage: pith VERB [operands] [options]\n"
          "Trains small convolutional networks, shrinks them, and writes them for "
          "microcontrollers.\n\nverbs:\n",
          to);
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
        fprintf(to, "  %-9s %s\n", verbs[i]->name, verbs[i]->summary);
    fputs("\nnetworks:", to);
    for (int i = 0; pith_family_list(i) != NULL; i++)
        fprintf(to, " %s", pith_family_list(i)->name);
    fputs("\n\n'pith VERB --help' explains a verb; 'pith --version' tells the version.\n"
          "Exit status: 0 done, 1 failed, 2 wrong use.\n",
          to);
}

/* libgomp reads its wait policy when it is loaded, and threads that spin collapse when another process takes a core: so the
   command starts itself again, once, with the policy it wants. Who set a policy keeps it. As many rounds bridge the gaps between
   two steps of a plan, and are too few to keep the other thread, which shares the busy core, from moving to this one: efnet-nano
   trains at 52% of its pace beside a busy program (with 20,000 rounds at 39%), and no slower alone. */
static void choose_wait_policy(char **argv)
{
    if (getenv("PITH_STARTED") != NULL || getenv("OMP_WAIT_POLICY") != NULL ||
        getenv("GOMP_SPINCOUNT") != NULL)
        return;
    setenv("PITH_STARTED", "1", 1);
    setenv("OMP_WAIT_POLICY", "passive", 1);
    setenv("GOMP_SPINCOUNT", "3000", 1);
    char self[4096]; /* the program's own path: a process listed as "exe" would puzzle people */
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n <= 0)
        return;
    self[n] = 0;
    execv(self, argv); /* if that fails, we go on as we are */
}

/* What was asked for has to have been written: a full disk is a failure. */
static int told(int status)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return status;
    say("standard output: it could not be written");
    return status == EXIT_DONE ? EXIT_FAILED : status;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        usage(stderr);
        return EXIT_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0) {
        usage(stdout);
        return told(EXIT_DONE);
    }
    if (strcmp(argv[1], "--version") == 0) {
        puts("pith " PITH_VERSION);
        return told(EXIT_DONE);
    }
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
        if (strcmp(verbs[i]->name, argv[1]) == 0) {
            choose_wait_policy(argv);
            return told(verbs[i]->run(argc - 1, argv + 1));
        }
    say("there is no verb '%s'", argv[1]);
    usage(stderr);
    return EXIT_USAGE;
}
