#include "planner/batch.h"

#include "core/json_writer.h"
#include "planner/error.h"
#include "planner/estimate.h"

namespace planner {

std::string answer_line(std::string_view json_line, std::int64_t line_number, const Catalog& catalog) {
  try {
    return to_json(estimate(request_from_json(json_line), catalog));
  } catch (const Error& e) {
    JsonWriter j;
    j.begin_object().field("schema", "planner.error/1").field("line", line_number).field("error", e.what()).end_object();
    return j.take();
  }
}

}  // namespace planner
