# PITH_PKG(VAR, MODULE, LIBRARY, HEADER, FUNCTION, [IF-FOUND], [IF-NOT])
# Finds a library through pkg-config where that is installed and knows it, else by trying -lLIBRARY; then proves by
# linking a program that header and library are really there. Sets and substitutes VAR_CFLAGS and VAR_LIBS; either
# set by the user wins. Our own, so that neither autoreconf nor configure needs pkg.m4.
AC_DEFUN([PITH_PKG],
[AC_ARG_VAR([$1_CFLAGS], [C compiler flags for $2])dnl
AC_ARG_VAR([$1_LIBS], [linker flags for $2])dnl
AC_MSG_CHECKING([for $2])
pith_have=no
AS_IF([test -z "$$1_LIBS"],
  [AS_IF([test -n "$PKG_CONFIG" && $PKG_CONFIG --exists $2 2>/dev/null],
    [test -n "$$1_CFLAGS" || $1_CFLAGS=`$PKG_CONFIG --cflags $2`
     $1_LIBS=`$PKG_CONFIG --libs $2`],
    [$1_LIBS="-l$3"])])
pith_save_CFLAGS=$CFLAGS pith_save_LIBS=$LIBS
CFLAGS="$CFLAGS $$1_CFLAGS" LIBS="$$1_LIBS $LIBS"
AC_LINK_IFELSE([AC_LANG_PROGRAM([[#include <stdio.h>
#include <$4>]], [[return (void *)&$5 == (void *)0;]])], [pith_have=yes])
CFLAGS=$pith_save_CFLAGS LIBS=$pith_save_LIBS
AC_MSG_RESULT([$pith_have])
AS_IF([test $pith_have = yes], [$6], [$1_CFLAGS= $1_LIBS=
$7])
])

# PITH_TRY_CFLAGS(VAR, FLAGS): appends each of FLAGS that the compiler accepts without a warning to VAR.
AC_DEFUN([PITH_TRY_CFLAGS],
[for pith_flag in $2; do
  AC_MSG_CHECKING([whether $CC accepts $pith_flag])
  pith_save_CFLAGS=$CFLAGS
  CFLAGS="$CFLAGS -Werror $pith_flag"
  AC_COMPILE_IFELSE([AC_LANG_PROGRAM([], [])], [pith_ok=yes], [pith_ok=no])
  CFLAGS=$pith_save_CFLAGS
  AC_MSG_RESULT([$pith_ok])
  AS_IF([test $pith_ok = yes], [$1="$$1 $pith_flag"])
done])

# PITH_TRY_LDFLAGS(VAR, FLAGS): appends each of FLAGS that the linker accepts to VAR.
AC_DEFUN([PITH_TRY_LDFLAGS],
[for pith_flag in $2; do
  AC_MSG_CHECKING([whether the linker accepts $pith_flag])
  pith_save_LDFLAGS=$LDFLAGS
  LDFLAGS="$LDFLAGS $pith_flag"
  AC_LINK_IFELSE([AC_LANG_PROGRAM([], [])], [pith_ok=yes], [pith_ok=no])
  LDFLAGS=$pith_save_LDFLAGS
  AC_MSG_RESULT([$pith_ok])
  AS_IF([test $pith_ok = yes], [$1="$$1 $pith_flag"])
done])

# PITH_TRY_RUN_LDFLAGS(VAR, FLAGS): the same, and what the linker makes of tables of pointers has to run. Not when cross-compiling.
AC_DEFUN([PITH_TRY_RUN_LDFLAGS],
[for pith_flag in $2; do
  AC_MSG_CHECKING([whether programs linked with $pith_flag run])
  pith_save_LDFLAGS=$LDFLAGS pith_save_CFLAGS=$CFLAGS
  LDFLAGS="$LDFLAGS -pie $pith_flag" CFLAGS="$CFLAGS -fPIE"
  AC_RUN_IFELSE([AC_LANG_SOURCE([[static const char *const table[] = { "a", "b" };
    int main(int n, char **v) { (void)v; return table[n - 1][0] != 'a'; }]])],
    [pith_ok=yes], [pith_ok=no], [pith_ok=no])
  LDFLAGS=$pith_save_LDFLAGS CFLAGS=$pith_save_CFLAGS
  AC_MSG_RESULT([$pith_ok])
  AS_IF([test $pith_ok = yes], [$1="$$1 $pith_flag"])
done])
