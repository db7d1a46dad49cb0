#include "settings.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct reading {
  void (*problem)(void *, const char *, const char *);
  void *context;
  bool is_good;
};

static void note(struct reading *reading, const char *field, const char *message) {
  reading->problem(reading->context, field, message);
  reading->is_good = false;
}

static char *read_text(struct reading *reading, const char *field, json_t *value, const char *otherwise) {
  if (!value && otherwise) return strdup(otherwise);
  if (json_is_string(value) && *json_string_value(value)) return strdup(json_string_value(value));
  note(reading, field, value ? "must be a text" : "is required");
  return NULL;
}

static char **read_texts(struct reading *reading, const char *field, json_t *value, bool is_required, size_t *count) {
  char path[64];
  size_t size = json_array_size(value);
  *count = 0;
  if (!value && !is_required) return NULL;
  if (!json_is_array(value) || (is_required && size == 0)) {
    note(reading, field, value ? "must be a list of texts, with at least one" : "is required");
    return NULL;
  }
  char **texts = calloc(size ? size : 1, sizeof *texts);
  for (size_t i = 0; texts && i < size; i++) {
    snprintf(path, sizeof path, "%s[%zu]", field, i);
    texts[*count] = read_text(reading, path, json_array_get(value, i), NULL);
    if (texts[*count]) ++*count;
  }
  return texts;
}

bool settings_read(struct settings *settings, const char *json, void (*problem)(void *, const char *, const char *), void *context) {
  struct reading reading = {problem, context, true};
  const char *key;
  json_t *value, *propagate;
  json_t *root = json_loads(*json ? json : "{}", JSON_REJECT_DUPLICATES, NULL);

  memset(settings, 0, sizeof *settings);
  if (!json_is_object(root)) {
    note(&reading, "", "must be an object of settings");
    json_decref(root);
    return false;
  }
  json_object_foreach(root, key, value)
    if (strcmp(key, "name") && strcmp(key, "namespace") && strcmp(key, "entries") && strcmp(key, "tags") && strcmp(key, "propagate"))
      note(&reading, key, "unknown setting: the settings are name, namespace, entries, tags, propagate");
  settings->name = read_text(&reading, "name", json_object_get(root, "name"), NULL);
  settings->namespace_ = read_text(&reading, "namespace", json_object_get(root, "namespace"), "/");
  settings->entries = read_texts(&reading, "entries", json_object_get(root, "entries"), true, &settings->entry_count);
  settings->tags = read_texts(&reading, "tags", json_object_get(root, "tags"), false, &settings->tag_count);
  propagate = json_object_get(root, "propagate");
  if (propagate && !json_is_boolean(propagate)) note(&reading, "propagate", "must be true or false");
  settings->propagate = !json_is_false(propagate);
  json_decref(root);
  if (!reading.is_good) settings_free(settings);
  return reading.is_good;
}

void settings_free(struct settings *settings) {
  for (size_t i = 0; i < settings->entry_count; i++) free(settings->entries[i]);
  for (size_t i = 0; i < settings->tag_count; i++) free(settings->tags[i]);
  free(settings->entries);
  free(settings->tags);
  free(settings->name);
  free(settings->namespace_);
  memset(settings, 0, sizeof *settings);
}
