#!/bin/sh
# check_rt.sh: the small runtime stays small. Text and data of libpith-rt below 60,000 bytes as `size` counts them, and among what it
# needs from outside nothing that trains, parses JSON, starts threads, prints or ends the program. Skipped (77) where there
# is no shared library or no binutils.

set -u
lib=.libs/libpith-rt.so
most=60000
allowed='^(__cxa_finalize|__errno_location|__fprintf_chk|__gmon_start__|__memcpy_chk|__snprintf_chk|__stack_chk_fail|__vsnprintf_chk|__xpg_strerror_r|_ITM_.*|calloc|close|exp|fmin|fmax|free|frexp|fstat|ldexp|llabs|mem(cpy|set|cmp|move)|mmap|munmap|open|pow|qsort|round|roundf|snprintf|str(len|cmp|cpy|ncmp|error|chr)|trunc|vsnprintf)$'

test -f $lib || { echo "check_rt: skipped, no $lib (configured with --disable-shared?)"; exit 77; }
command -v size >/dev/null && command -v nm >/dev/null || { echo "check_rt: skipped, no size and nm"; exit 77; }
if nm -D $lib | grep -q '__asan\|__ubsan\|__tsan\|__gcov\|llvm_gc'; then
    echo "check_rt: skipped, an instrumented build"
    exit 77
fi
# Without a linker and a C library that pack relocations, tables of pointers take 3 KB more.
grep -q '^RT_LDFLAGS = .*pack-relative-relocs' Makefile || most=63000
# Whoever chooses the optimisation chooses the size: CFLAGS come after our -Os.
case " $(sed -n 's/^CFLAGS = //p' Makefile) " in *" -O"*) most=1000000 ;; esac
size $lib | awk -v most=$most 'NR == 2 { n = $1 + $2; print "libpith-rt: text " $1 ", data " $2 ": " n " of " most " bytes"; exit n >= most }' ||
    { echo "check_rt: libpith-rt has grown beyond $most bytes"; exit 1; }
bad=$(nm -D -u $lib | awk '{ sub(/@.*/, "", $2); print $2 }' | grep -Ev "$allowed")
if test -n "$bad"; then
    echo "check_rt: libpith-rt needs what it must not:" $bad
    exit 1
fi
needed=$(nm -D --defined-only $lib | awk '{ print $3 }' | grep -v '^pith_rt_')
if test -n "$needed"; then
    echo "check_rt: libpith-rt exports more than pith_rt_*:" $needed
    exit 1
fi
echo "check_rt: nothing forbidden among $(nm -D -u $lib | wc -l) symbols from outside"
