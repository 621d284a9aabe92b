/* pith report: one HTML page about one run, or about several side by side. */
#include "cli/cli.h"

#include <string.h>

static int run(int argc, char **argv)
{
    common k = { 0 };
    pith_report_cfg cfg = { 0 };
    const char *runs[16];
    char path[1200];
    int n, pictures = 24;
    opt table[] = {
        TEXT("out", 'o', cfg.out, "FILE.html",
             "the page (default report.html in the first run's folder); figures/ goes beside it"),
        TEXT("data", 'd', cfg.data, "DIR",
             "folder of photographs for the galleries (default: the run's own)"),
        INT("pictures", 0, pictures, "N", 0, 60, "most photographs of a gallery (default 24)"),
        TEXT("title", 0, cfg.title, "TEXT", "of the page"),
        COMMON_OPTS(k),
        OPTS_END,
    };
    int status = opts_parse(&verb_report, table, argc, argv, runs, &n);
    if (status >= 0)
        return status;
    cfg.pictures = pictures > 0 ? pictures : -1;
    pith_ctx *c = open_ctx(&k);
    if (c == NULL)
        return EXIT_FAILED;
    if (pith_report_path(c, runs, n, cfg, path, sizeof path) != PITH_OK ||
        pith_report_html(c, runs, n, cfg) != PITH_OK)
        return failed(c);
    if (k.json)
        print_json(json_pack("{s:o, s:i}", "report", json_bytes(path), "runs", n));
    else
        printf("report   %s\n", path);
    pith_ctx_free(c);
    return EXIT_DONE;
}

const verb verb_report = { "report", "makes a page about runs, side by side", "RUN... ", 1, 16, run };
