#include "ctoml.h"

#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace {
// What the library asserts, hostile files break: `[$a]` does. Without assertions it would go on with what
// can't be; with its own it would end the process. So an assertion is an error like any other, in release too.
struct broken_assertion : std::logic_error {
  using std::logic_error::logic_error;
};
}  // namespace
#undef NDEBUG
#define TOML_ASSERT(expression) \
  do { \
    if (!(expression)) throw broken_assertion("a character that can't stand here"); \
  } while (false)

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

bool breaks(std::string_view text) {
  try {
    (void)toml::parse(text);
  } catch (const broken_assertion &) {
    return true;
  } catch (const std::exception &) {
  }
  return false;
}

// The line that breaks an assertion, which has no place: the last of the shortest beginning that does.
toml::source_region line_that_breaks(std::string_view text) {
  std::vector<size_t> ends;
  for (size_t at = text.find('\n'); at != text.npos; at = text.find('\n', at + 1)) ends.push_back(at + 1);
  if (ends.empty() || ends.back() != text.size()) ends.push_back(text.size());
  size_t low = 0, high = ends.size() - 1;
  while (low < high) {
    const size_t middle = (low + high) / 2;
    if (breaks(text.substr(0, ends[middle]))) high = middle; else low = middle + 1;
  }
  const auto line = static_cast<toml::source_index>(low + 1);
  return {{line, 1}, {line, 1}, nullptr};
}

}  // namespace

void ctoml_parse(const char *text, size_t count, void *context, ctoml_callback callback) {
  const walker to{context, callback};
  try {
    to.walk(toml::parse(std::string_view(text, count)));
  } catch (const toml::parse_error &error) {
    to.emit(ctoml_error, error.source(), error.description());
  } catch (const broken_assertion &error) {
    to.emit(ctoml_error, line_that_breaks(std::string_view(text, count)), error.what());
  } catch (const std::exception &error) {
    to.emit(ctoml_error, {}, error.what());
  }
}
