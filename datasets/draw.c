/* pith-draw: draws the demo set. */
#include "draw.h"

int main(int argc, char **argv) { return draw_command(argc, argv, stdout, stderr); }
