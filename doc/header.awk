# header.awk: a header (escaped for troff) as a man page: comments as text, what they stand before as code.
#
# In comments, lines at the left margin are text; "word   text" with two spaces or more between is an entry of a list, whose
# further lines stand deeper; deeper lines after text are kept as they are (code, drawings).

function code(s) {
    if (!in_code) { in_list = 0; paragraph(); print ".nf"; in_code = 1 }
    print (s == "" ? "\\&" : s)
}

# No empty paragraph between a heading and its text.
function paragraph() { if (!headed) print ".PP"; headed = 0 }

function end_code() { if (in_code) { print ".fi"; in_code = 0 } }


# One line of a comment, its margin taken off.
function text(s,    tag, rest, at) {
    end_code()
    if (s ~ /^ *$/) { end_kept(); want_paragraph = 1; in_list = 0; return }
    if (s ~ /^[^ ]/ && match(s, /^[^ ]+( [^ ]+)*   */) && match(s, /   *[^ ]/) && RSTART > 1 && RSTART < 40) {
        tag = substr(s, 1, RSTART - 1); rest = substr(s, RSTART); sub(/^ +/, "", rest)
        if (tag !~ /[.;:]$/) {
            end_kept(); headed = 0; print ".TP 16n\n\\fB" tag "\\fR\n" guard(rest)
            in_list = 1; want_paragraph = 0; return
        }
    }
    if (s ~ /^ /) {
        if (in_list) { sub(/^ +/, "", s); print guard(s); return }
        if (!in_kept) { paragraph(); print ".in +4n\n.nf"; in_kept = 1 }
        else if (want_paragraph) print ""
        want_paragraph = 0
        sub(/^    /, "", s); print guard(s); return
    }
    end_kept()
    if (in_list || want_paragraph || fresh) paragraph()
    in_list = 0; want_paragraph = 0; fresh = 0
    print guard(s)
}

function guard(s) { return s ~ /^\./ ? "\\&" s : s }

function end_kept() { if (in_kept) { print ".fi\n.in"; in_kept = 0 } }

BEGIN { first = 1 }

# The name: the first sentence of the first comment.
first {
    whole = $0; sub(/^\/\* [^ ]+: /, "", whole)
    closes = sub(/ *\*\/ *$/, "", whole)
    about = whole
    if (match(about, /[.;:] /)) about = substr(about, 1, RSTART - 1)
    sub(/\.$/, "", about)
    whole = toupper(substr(whole, 1, 1)) substr(whole, 2)
    print ".SH NAME\n" name " \\- " about
    print ".SH SYNOPSIS\n\\fB#include <" file ">\\fR\n.SH DESCRIPTION"
    print guard(whole)
    first = 0; comment = !closes; fresh = 0
    next
}

comment {
    line = $0
    closes = sub(/ *\*\/ *$/, "", line)
    sub(/^   /, "", line)
    text(line)
    if (closes) { comment = 0; end_kept(); in_list = 0 }
    next
}

/^\/\*/ {
    line = $0
    end_code(); end_kept(); in_list = 0
    if (line ~ /^\/\* (\\-)+ /) { # a heading of a part
        sub(/^\/\* (\\-)+ */, "", line); sub(/ *(\\-)* *\*\/.*$/, "", line); sub(/ *(\\-)+$/, "", line)
        print ".SS \"" line "\""
        headed = 1
        comment = ($0 !~ /\*\/ *$/)
        next
    }
    closes = sub(/ *\*\/ *$/, "", line)
    sub(/^\/\* */, "", line)
    fresh = 1
    text(line)
    comment = !closes
    if (closes) { end_kept(); in_list = 0 }
    next
}

# What the compiler alone needs.
/^#ifndef PITH_[A-Z_]*_H$/ || /^#define PITH_[A-Z_]*_H$/ { next }
/^#ifdef __cplusplus/ { skip = 1; next }
skip { if (/^#endif/) skip = 0; next }
/^#endif *(\/\*.*)?$/ && !conditional { next }
/^#if/ { conditional++ }
/^#endif/ { conditional-- }
/^ *$/ { if (in_code) blank = 1; next }

{
    line = $0
    sub(/^PITH_API /, "", line)
    if (blank && in_code) print ""
    blank = 0
    code(guard(line))
}

END { end_code(); end_kept() }
