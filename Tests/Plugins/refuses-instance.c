#define CREATE host->log(context, SALLYPORT_LOG_ERROR, "no licence", 10); return 0;
#include "plugin-under-test.h"
