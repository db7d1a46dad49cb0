#include "ctimex.h"
