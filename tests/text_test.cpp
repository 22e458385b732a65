// Text helpers: case, numbers, nearest names.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "core/json_writer.h"
#include "core/text.h"

namespace text = planner::text;

TEST_CASE("text: case, trimming, splitting") {
  CHECK_EQ(text::to_lower("RTX 4090"), "rtx 4090");
  CHECK_EQ(text::to_lower("\xC3\x84"), "\xC3\x84");  // only ASCII letters have a case here
  CHECK(text::equal_ignoring_case("Q4_K_M", "q4_k_m"));
  CHECK_FALSE(text::equal_ignoring_case("Q4_K", "Q4_K_M"));
  CHECK_EQ(text::trim(" \t a b \r\n"), "a b");
  CHECK_EQ(text::trim("   "), "");
  CHECK_EQ(text::split("a,b,,c", ','), std::vector<std::string_view>{"a", "b", "", "c"});
  CHECK_EQ(text::split("", ','), std::vector<std::string_view>{""});
  CHECK(text::contains("blk.0.attn_v.weight", "attn_v"));
  CHECK(text::ends_with("model.gguf", ".gguf"));
  CHECK_FALSE(text::ends_with("gguf", ".gguf"));
}

TEST_CASE("text: whole numbers and nothing else") {
  CHECK_EQ(text::parse_int("42"), 42);
  CHECK_EQ(text::parse_int("-7"), -7);
  CHECK_EQ(text::parse_int("9223372036854775807"), INT64_MAX);
  for (const char* bad : {"", " 1", "1 ", "1.0", "0x10", "9223372036854775808", "1e3", "+1", "one"}) {
    CAPTURE(std::string(bad));
    CHECK_FALSE(text::parse_int(bad).has_value());
  }
  CHECK_EQ(text::parse_double("1.5e3"), 1500);
  CHECK_EQ(text::parse_double("-0.25"), -0.25);
  for (const char* bad : {"", "nan", "inf", "-inf", "1e999", "1,5", "1.5 ", "0x1p3"}) {
    CAPTURE(std::string(bad));
    CHECK_FALSE(text::parse_double(bad).has_value());
  }
}

TEST_CASE("text: edit distance counts insertions, deletions, substitutions and swaps") {
  CHECK_EQ(text::edit_distance("", ""), 0);
  CHECK_EQ(text::edit_distance("abc", ""), 3);
  CHECK_EQ(text::edit_distance("llama", "lama"), 1);
  CHECK_EQ(text::edit_distance("qwen", "qewn"), 1);
  CHECK_EQ(text::edit_distance("kitten", "sitting"), 3);
  CHECK_EQ(text::edit_distance("lama", "llama"), text::edit_distance("llama", "lama"));
}

TEST_CASE("text: nearest names") {
  const std::vector<std::string> names = {"Q4_K_S", "Q4_K_M", "Q4_K", "Q8_0", "IQ2_XXS", "IQ2_XXS"};
  CHECK_EQ(text::nearest("q4_k_mm", names).front(), "Q4_K_M");
  CHECK_EQ(text::nearest("iq2_xx", names), std::vector<std::string>{"IQ2_XXS"});  // each name once
  CHECK(text::nearest("something else entirely", names).empty());
  CHECK_EQ(text::nearest("Q4", names, 2).size(), 2);
  CHECK_EQ(text::did_you_mean("zzzzzzzz", names), "");
  CHECK_EQ(text::did_you_mean("iq2_xx", names), " (did you mean 'IQ2_XXS'?)");
  CHECK_EQ(text::did_you_mean("Q4_K_X", names), " (did you mean 'Q4_K_S', 'Q4_K_M' or 'Q4_K'?)");
  CHECK_EQ(text::did_you_mean("x", {}), "");
}

TEST_CASE("text: JSON is written as it has to be") {
  planner::JsonWriter j;
  j.begin_object().field("a", 1).key("b").begin_array().value("x\"\\\n\x01\xC3\xA4").value(true);
  j.end_array().field("big", std::int64_t{1} << 60).key("none").null().field("half", 0.5).end_object();
  CHECK_EQ(j.take(), "{\"a\":1,\"b\":[\"x\\\"\\\\\\n\\u0001\xC3\xA4\",true],\"big\":1152921504606846976,\"none\":null,\"half\":0.5}");
}
