#include "sallyport/plugin.h"
