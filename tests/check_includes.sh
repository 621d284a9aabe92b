#!/bin/sh
# check_includes.sh [TREE]: the floors of the house, enforced from the include lines.
#
# A file of src/ includes only from its own folder or from those its line of `floors` names; the command and the
# examples use public headers only (but for the firmware in examples/mcu, which knows no library); OpenMP appears in src/base/thread.c alone. Files of more than 450 lines are
# reported, without failing. Before the tree, the check is tried on trees that are wrong in one way each, and has to
# find every one of them.

set -u
LC_ALL=C
export LC_ALL

# folder, then what it may include beside itself. A folder that is not listed may not exist.
floors='
base
kernels  base
graph    base kernels
ops      base kernels graph
data     base
file     base graph
nn       base kernels graph ops
train    base kernels graph ops data file nn
compress base kernels graph ops data file nn train
deploy   base kernels graph ops data file nn train compress
report   base kernels graph ops data file nn train compress
cli
'

# Prints one line per fault of the tree $1, and as the last line "N files, N includes". Status 1 if there is a fault.
check_tree() {
    (
        cd "$1" || exit 2
        find src examples include -path examples/mcu -prune -o -type f \( -name '*.c' -o -name '*.h' -o -name '*.def' -o -name '*.inc' \) -print 2>/dev/null |
            sort >"$scratch/files"
        # shellcheck disable=SC2046 # our file names have no blanks
        FLOORS=$floors awk '
            function fault(text) { printf "%s:%d: %s\n", FILENAME, FNR, text; bad = 1 }

            function part_of(path) { return path ~ /^examples/ ? "examples" : "public headers" }

            BEGIN {
                n = split(ENVIRON["FLOORS"], line, "\n")
                for (i = 1; i <= n; i++) {
                    m = split(line[i], word, " ")
                    if (!m)
                        continue
                    known[word[1]] = 1
                    for (j = 2; j <= m; j++)
                        may[word[1], word[j]] = 1
                }
            }

            FNR == 1 {
                files++
                split(FILENAME, part, "/")
                public = part[1] != "src" # examples and the public headers
                folder = part[2]
                if (!public && !(folder in known))
                    fault("src/" folder " is no floor: add it to tests/check_includes.sh (and to the design)")
            }

            /^[ \t]*#[ \t]*(pragma[ \t]+omp|include[ \t]*<omp\.h>)/ && FILENAME != "src/base/thread.c" {
                fault("OpenMP outside src/base/thread.c: call pithp_parallel")
            }

            /^[ \t]*#[ \t]*include[ \t]*[<"]/ {
                includes++
                name = $0
                sub(/^[^<"]*[<"]/, "", name)
                quoted = $0 ~ /^[^<]*"/
                sub(/[>"].*$/, "", name)
                if (name == "config.h" && !public && folder != "cli")
                    next
                if (name ~ /(^|\/)\.\.?\//) {
                    fault("\"" name "\": name the folder from src/, without dots")
                    next
                }
                if (!quoted) {
                    split(name, part, "/")
                    if (part[2] != "" && part[1] in known && part[1] != "file")
                        fault("<" name ">: private headers are included with quotes")
                    next
                }
                if (public) {
                    fault("\"" name "\": " part_of(FILENAME) " use the public headers only, <pith/...>")
                    next
                }
                if (!split(name, part, "/") || part[2] == "")
                    fault("\"" name "\": name the folder, \"" folder "/" name "\"")
                else if (part[1] != folder && folder == "cli")
                    fault("\"" name "\": the command uses the public headers only, <pith/...>")
                else if (part[1] != folder && !((folder, part[1]) in may))
                    fault("\"" name "\": " folder " may not include from " part[1])
            }

            END {
                printf "%d files, %d includes\n", files, includes
                exit bad || !files
            }' $(cat "$scratch/files") </dev/null
    )
}

# The check must find a wrong line: $1 file, $2 its text.
must_fail() {
    rm -rf "$scratch/tree"
    mkdir -p "$scratch/tree/$(dirname "$1")"
    printf '%s\n' "$2" >"$scratch/tree/$1"
    if check_tree "$scratch/tree" >/dev/null; then
        echo "self-test: '$2' in $1 was not found to be wrong"
        exit 1
    fi
    tried=$((tried + 1))
}

must_pass() {
    rm -rf "$scratch/tree"
    mkdir -p "$scratch/tree/$(dirname "$1")"
    printf '%s\n' "$2" >"$scratch/tree/$1"
    if ! check_tree "$scratch/tree" >"$scratch/out"; then
        echo "self-test: '$2' in $1 was found to be wrong:"
        cat "$scratch/out"
        exit 1
    fi
    tried=$((tried + 1))
}

scratch=$(mktemp -d) || exit 99
trap 'rm -rf "$scratch"' EXIT
trap 'exit 1' HUP INT TERM
tried=0

must_fail src/base/a.c '#include "graph/graph.h"'
must_fail src/kernels/float/a.c '#include "graph/graph.h"'
must_fail src/graph/a.c '#include "ops/common.h"'
must_fail src/ops/a.c '#  include "nn/nn.h"'
must_fail src/data/a.c '#include "graph/graph.h"'
must_fail src/data/a.c '#include "file/json.h"'
must_fail src/file/a.c '	#include "ops/common.h"'
must_fail src/nn/a.h '#include "train/train.h"'
must_fail src/train/a.c '#include "compress/prune/prune.h"'
must_fail src/graph/a.c '#include "graph.h"'
must_fail src/graph/a.c '#include "../ops/common.h"'
must_fail src/graph/a.c '#include "graph/../ops/common.h"'
must_fail src/graph/a.c '#include <ops/common.h>'
must_fail src/cli/a.c '#include "base/base.h"'
must_fail src/cli/a.c '#include "config.h"'
must_fail examples/a.c '#include "graph/graph.h"'
must_fail examples/a.c '#include "../src/base/base.h"'
must_fail include/pith/a.h '#include "base/base.h"'
must_fail src/attic/a.c 'int x;'
must_fail src/ops/a.c '#pragma omp parallel for'
must_fail src/train/a.c '#include <omp.h>'
must_pass src/base/thread.c '#include <omp.h>'
must_pass src/base/a.c '#include "config.h"'
must_pass src/ops/a.c '#include "kernels/float/kernels.h"'
must_pass src/train/a.c '#include "data/data.h" /* and "compress/x.h" in a comment */'
must_pass src/cli/a.c '#include "cli/cli.h"'
must_pass src/nn/a.c '#include <sys/file.h>'
must_pass include/pith/a.h '#include <pith/types.h>'
must_pass examples/a.c '#include <pith/pith.h>'

top=${1-${top_srcdir-$(dirname "$0")/..}}
check_tree "$top" >"$scratch/out"
status=$?
cat "$scratch/out"
(cd "$top" && find src include examples tests datasets bench -type f -name '*.[ch]' -exec wc -l {} + 2>/dev/null |
    awk '$1 > 450 && $2 != "total" { print "warning: " $2 ": " $1 " lines; cut it in two" }')
echo "check_includes: $tried trees tried, status $status"
exit $status
