// What the operator writes under `config:`, from JSON to C.
#pragma once
#include <stdbool.h>
#include <stddef.h>

struct settings {
  char *name;
  char *namespace_;
  char **entries;
  size_t entry_count;
  char **tags;
  size_t tag_count;
  bool propagate;
};

// Reads `json`. Every problem is told to `problem`, with the setting it is about; `settings` is filled in only if there is none.
// Returns whether there was none.
bool settings_read(struct settings *settings, const char *json, void (*problem)(void *, const char *field, const char *message),
                   void *context);
void settings_free(struct settings *settings);
