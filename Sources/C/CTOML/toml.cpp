#include "ctoml.h"

#include <string>
#include <string_view>

// Of TOML 1.1 it reads what is settled, such as inline tables over several lines.
#define TOML_ENABLE_UNRELEASED_FEATURES 1
#include <toml++/toml.h>

namespace {

struct walker {
  void *context;
  ctoml_callback callback;

  void emit(ctoml_kind kind, const toml::source_region &at, std::string_view text = {},
            int64_t integer = 0) const {
    const ctoml_event event{kind,           text.data(),     text.size(),    integer,
                            at.begin.line,  at.begin.column, at.end.line,    at.end.column};
    callback(context, &event);
  }

  void walk(const toml::node &node) const {
    const auto &at = node.source();
    if (const auto *table = node.as_table()) {
      emit(ctoml_table_begin, at);
      for (const auto &[key, value] : *table) {
        emit(ctoml_key, key.source(), key.str());
        walk(value);
      }
      emit(ctoml_table_end, at);
    } else if (const auto *array = node.as_array()) {
      emit(ctoml_array_begin, at);
      for (const auto &item : *array) walk(item);
      emit(ctoml_array_end, at);
    } else if (const auto *text = node.as_string()) {
      emit(ctoml_string, at, text->get());
    } else if (const auto *integer = node.as_integer()) {
      emit(ctoml_integer, at, {}, integer->get());
    } else if (node.is_floating_point()) {
      emit(ctoml_float, at);
    } else if (const auto *boolean = node.as_boolean()) {
      emit(ctoml_boolean, at, {}, boolean->get() ? 1 : 0);
    } else {
      emit(ctoml_datetime, at);
    }
  }
};

}  // namespace

void ctoml_parse(const char *text, size_t count, void *context, ctoml_callback callback) {
  const walker to{context, callback};
  try {
    to.walk(toml::parse(std::string_view(text, count)));
  } catch (const toml::parse_error &error) {
    to.emit(ctoml_error, error.source(), error.description());
  } catch (const std::exception &error) {
    to.emit(ctoml_error, {}, error.what());
  }
}
