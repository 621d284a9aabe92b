#!/bin/sh
# pages.sh: the man pages. What they say is written once: in `pith VERB --help` and in the comments of include/pith/*.h.
#   pages.sh verbs PITH OUT      OUT/pith.1 and OUT/pith-VERB.1 of every verb
#   pages.sh headers OUT H...    OUT/pith_NAME.h.3 of every header H, and a link OUT/FUNCTION.3 for every function in it
set -u
LC_ALL=C
export LC_ALL
here=$(dirname "$0")
version=$(sed -n 's/^#define PITH_VERSION "\(.*\)"/\1/p' "$here/../include/pith/types.h")
day=$(date -u -d "@${SOURCE_DATE_EPOCH:-$(date +%s)}" +%Y-%m-%d 2>/dev/null || date -u +%Y-%m-%d)

# What troff would read as a command of its own.
escape='s/\\/\\e/g; s/-/\\-/g; s/^\([.'"'"']\)/\\\&\1/; s/'"'"'/\\(aq/g; s/`/\\(ga/g; s/\^/\\(ha/g; s/~/\\(ti/g'

top() { # NAME SECTION MANUAL
    printf '.\\" Made by doc/pages.sh.\n.TH %s %s %s "pith %s" "%s"\n' "$(printf %s "$1" | sed 's/-/\\-/g')" "$2" "$day" \
        "$version" "$3"
    # No hyphens and no straight edge: what is typed must be read as it is.
    printf '.nh\n.ad l\n'
}

# The end of every page of a verb. pith.1 says more.
status='.SH "EXIT STATUS"
.TP
0
done
.TP
1
failed; standard error says why
.TP
2
wrong use: an option or operand that is not known, missing, or out of range'

verb() { # PITH VERB
    top "pith-$2" 1 "pith"
    "$1" "$2" --help | sed "$escape" | awk -v verb="$2" '
        NR == 1 { sub(/^usage: /, ""); use = $0; next }
        NR == 2 { name = verb; gsub(/-/, "\\-", name)
                  printf ".SH NAME\npith\\-%s \\- %s\n.SH SYNOPSIS\n%s\n.SH OPTIONS\n", name, $0, use; next }
        /^  \\-\\-/ { text = ""; line = substr($0, 3); at = index(line, "  ")
                  if (at) { text = substr(line, at); line = substr(line, 1, at - 1) }
                  sub(/^ +/, "", text)
                  letter = ""
                  if (match(line, /, \\-.$/)) {
                      letter = ", \\fB" substr(line, RSTART + 2) "\\fR"; line = substr(line, 1, RSTART - 1)
                  }
                  space = index(line, " ")
                  if (space) left = "\\fB" substr(line, 1, space - 1) "\\fR " substr(line, space + 1) letter
                  else left = "\\fB" line "\\fR" letter
                  print ".TP\n" left; if (text != "") print text; next }
        /^   / { sub(/^ +/, ""); print; next }'
    printf '%s\n.SH "SEE ALSO"\n.BR pith (1)\n' "$status"
}

overview() { # PITH
    top pith 1 "pith"
    "$1" --help | sed "$escape" | awk '
        NR == 1 { sub(/^usage: /, ""); use = $0; next }
        NR == 2 { printf ".SH NAME\npith \\- small convolutional networks, trained and compressed\n.SH SYNOPSIS\n%s\n", use
                  print ".SH DESCRIPTION\n" $0
                  print "Each verb has a page of its own, \\fBpith\\-VERB\\fR(1);"
                  print "\\fBpith VERB \\-\\-help\\fR says the same in short."
                  print ".SH VERBS"; next }
        /^  [a-z]/ { name = $1; sub(/^ *[^ ]+ +/, ""); printf ".TP\n\\fB%s\\fR\n%s\n", name, $0 }'
    cat "$here/pith.1.in"
}

header() { # H
    name=pith_$(basename "$1")
    top "$name" 3 "pith"
    sed "$escape" "$1" | awk -v name="$name" -v file="pith/$(basename "$1")" -f "$here/header.awk"
    printf '.SH "SEE ALSO"\n.BR pith (1),\n.BR pith_pith.h (3)\n'
}

# Whole or not at all.
write() { # FILE COMMAND...
    file=$1
    shift
    "$@" >"$file.tmp" && [ -s "$file.tmp" ] && mv "$file.tmp" "$file"
}

case ${1-} in
verbs)
    pith=$2 out=$3
    verbs=$("$pith" --help | sed -n 's/^  \([a-z][a-z-]*\)  *[a-z].*/\1/p')
    [ -n "$verbs" ] || exit 1
    write "$out/pith.1" overview "$pith" || exit 1
    for v in $verbs; do
        write "$out/pith-$v.1" verb "$pith" "$v" || exit 1
    done
    ;;
headers)
    out=$2
    shift 2
    for h; do
        name=pith_$(basename "$h")
        write "$out/$name.3" header "$h" || exit 1
        for f in $(sed -n 's/^PITH_API .*[ *]\(pith_[a-z0-9_]*\)(.*/\1/p' "$h"); do
            echo ".so man3/$name.3" >"$out/$f.3"
        done
    done
    ;;
*)
    sed -n '2,4s/^# *//p' "$0" >&2
    exit 2
    ;;
esac
