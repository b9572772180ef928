#include "plan/checkpoint_changes.h"

#include <catch2/catch.hpp>

namespace millrace {

TEST_CASE("Checkpoint settings change field by field, as a job file writes them") {
  CheckpointSettings settings;
  settings.directory = "/chk";
  const auto changed = changed_checkpoint_settings(settings, {{"interval", "5s"}, {"unaligned_after", "0s"}});
  REQUIRE(changed);
  REQUIRE(changed->interval_ms == 5'000);
  REQUIRE(changed->unaligned_after_ms == 0);
  REQUIRE(changed->timeout_ms == settings.timeout_ms);
  REQUIRE(changed->directory == "/chk");
  REQUIRE(checkpoint_settings_text(*changed) == CheckpointChanges{{"interval", "5s"},
                                                                  {"timeout", "10m"},
                                                                  {"min_pause", "0s"},
                                                                  {"unaligned_after", "0s"},
                                                                  {"tolerable_failures", "3"}});
  const auto back = changed_checkpoint_settings(*changed, {{"unaligned_after", "never"}, {"tolerable_failures", "7"}});
  REQUIRE(back->unaligned_after_ms == -1);
  REQUIRE(back->tolerable_failures == 7);
  REQUIRE(back->interval_ms == 5'000);
}

TEST_CASE("What a job file would not accept is refused, and what cannot change on a running job too") {
  const auto message = [](const CheckpointChanges& changes, bool exactly_once = true) {
    CheckpointSettings settings;
    settings.exactly_once = exactly_once;
    const auto changed = changed_checkpoint_settings(settings, changes);
    REQUIRE_FALSE(changed);
    return changed.error().message;
  };
  REQUIRE(message({{"interval", "soon"}}).find("interval") != std::string::npos);
  REQUIRE(message({{"interval", "0s"}}).find("interval") != std::string::npos);
  REQUIRE(message({{"timeout", "never"}}).find("timeout") != std::string::npos);
  REQUIRE(message({{"tolerable_failures", "-1"}}).find("tolerable_failures") != std::string::npos);
  REQUIRE(message({{"dir", "/elsewhere"}}).find("dir") != std::string::npos);
  REQUIRE(message({{"unaligned_after", "1s"}}, false).find("exactly_once") != std::string::npos);
}

}  // namespace millrace
