# PITH_ISA(VAR, FLAGS, BUILTIN-NAME): can the compiler make, for this host, a kernel set with FLAGS?
# VAR is set to yes or no. No -march=native: which set runs is decided when the program does.
AC_DEFUN([PITH_ISA],
[AC_MSG_CHECKING([whether $CC makes $1 kernels])
$1=no
AS_CASE([$host_cpu], [x86_64],
  [pith_save_CFLAGS=$CFLAGS
   CFLAGS="$CFLAGS -Werror $2"
   AC_COMPILE_IFELSE([AC_LANG_PROGRAM([[#include <immintrin.h>]],
     [[return !__builtin_cpu_supports("$3");]])], [$1=yes])
   CFLAGS=$pith_save_CFLAGS])
AC_MSG_RESULT([$$1])])
