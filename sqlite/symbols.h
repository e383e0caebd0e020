#ifndef NEARLITE_SYMBOLS_H
#define NEARLITE_SYMBOLS_H
#include "capi.h"

typedef struct nl_symbol {
  const char *name;
  uintptr_t address;
} nl_symbol;

extern const nl_symbol nl_symbols[]; /* ends with a null name */

#endif
