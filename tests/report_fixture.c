/* Makes the run folders that tests/report_browser.sh looks at: report_fixture DIR makes DIR/lab and DIR/run. */
#include "report_help.h"

#include <stdio.h>

int main(int argc, char **argv)
{
    char lab[600], run[600];
    if (argc != 2)
        return 2;
    snprintf(lab, sizeof lab, "%s/lab", argv[1]);
    snprintf(run, sizeof run, "%s/run", argv[1]);
    return !report_fixture_lab(lab) || !report_fixture_run(run);
}
