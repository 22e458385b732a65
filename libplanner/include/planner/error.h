/// The one exception type of the library: bad input, told in one line.
///
/// "Does not fit" and "unknown" are answers, never errors. An Error is thrown for input that cannot be
/// used: a name nobody knows, a damaged file, a contradictory catalog entry. Front ends catch it once, print
/// `what()` and exit with the status that belongs to `kind()`. A bug is an assertion, not an Error.
#pragma once

#include <stdexcept>
#include <string>
#include <utility>

namespace planner {

/// What kind of input was wrong; decides the exit status of a front end.
enum class ErrorKind {
  usage,         ///< a value outside its range, contradictory options (exit status 2)
  unknown_name,  ///< no device, model, quantization or engine of that name (exit status 2)
  invalid_file,  ///< unreadable, truncated or contradictory file (exit status 3)
};

/// Bad input. `what()` is one line: what, where, what was expected, and what was perhaps meant.
class Error : public std::runtime_error {
 public:
  Error(ErrorKind kind, const std::string& message) : std::runtime_error(message), kind_(kind) {}

  [[nodiscard]] ErrorKind kind() const noexcept { return kind_; }

 private:
  ErrorKind kind_;
};

}  // namespace planner
