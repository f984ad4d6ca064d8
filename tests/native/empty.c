/* A library that exports nothing a delegate needs. */
__attribute__((visibility("default"))) int nothing(void) { return 0; }
