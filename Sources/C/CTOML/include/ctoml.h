#pragma once
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// What one step of a TOML document is.
enum ctoml_kind {
  ctoml_table_begin,
  ctoml_table_end,
  ctoml_array_begin,
  ctoml_array_end,
  ctoml_key,
  ctoml_string,
  ctoml_integer,
  ctoml_float,
  ctoml_boolean,
  /// A date, a time, or both: the source text is its value.
  ctoml_datetime,
  /// The document is malformed; the text says how, and nothing follows.
  ctoml_error
};

/// One step, in the order of a walk. Lines and columns count from 1, columns in characters; 0 where
/// they are not known. `text` is valid during the call.
struct ctoml_event {
  enum ctoml_kind kind;
  const char *text;
  size_t count;
  int64_t integer;
  uint32_t line, column, end_line, end_column;
};

typedef void (*ctoml_callback)(void *context, const struct ctoml_event *event);

/// Parses a document (TOML 1.0, and what toml++ reads of 1.1) and walks it.
void ctoml_parse(const char *text, size_t count, void *context, ctoml_callback callback);

#ifdef __cplusplus
}
#endif
