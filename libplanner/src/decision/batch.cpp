#include "planner/batch.h"

#include <algorithm>

#include "core/json_writer.h"
#include "planner/error.h"
#include "planner/estimate.h"

namespace planner {

std::string error_json(std::string_view why, std::optional<std::int64_t> line) {
  JsonWriter j;
  j.begin_object().field("schema", "planner.error/1");
  if (line) j.field("line", *line);
  j.field("error", why).end_object();
  return j.take();
}

std::string answer_line(std::string_view json_line, std::int64_t line_number, const Catalog& catalog) {
  try {
    return to_json(estimate(request_from_json(json_line), catalog));
  } catch (const Error& e) {
    return error_json(e.what(), line_number);
  }
}

std::string answer_lines(std::string_view json_lines, const Catalog& catalog) {
  std::string answers;
  for (std::int64_t number = 1; !json_lines.empty(); ++number) {
    const auto end = std::min(json_lines.find('\n'), json_lines.size());
    answers.append(answer_line(json_lines.substr(0, end), number, catalog)).append(1, '\n');
    json_lines.remove_prefix(std::min(end + 1, json_lines.size()));
  }
  return answers;
}

}  // namespace planner
