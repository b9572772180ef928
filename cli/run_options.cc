#include "cli/run_options.h"

#include <charconv>
#include <cstdlib>
#include <functional>
#include <map>

#include "cli/usage.h"
#include "plan/option_text.h"

namespace millrace {

namespace {

constexpr int64_t kMemoryBytesMin = 64 << 20;

std::unexpected<Error> run_usage_error(const std::string& what) {
  return make_error(ErrorCode::kBadValue, what, "usage: " + std::string(kRunUsage));
}

Result<std::pair<std::string, std::string>> parse_pair(const std::string& option, const std::string& text) {
  const size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0)
    return run_usage_error(option + " needs name=value, not `" + text + "`");
  return std::pair{text.substr(0, equals), text.substr(equals + 1)};
}

using RunFlag = std::function<void(RunOptions&)>;
using RunValue = std::function<Status(RunOptions&, const std::string&)>;

const std::map<std::string, RunFlag>& run_flags() {
  static const std::map<std::string, RunFlag> flags{
      {"--fresh", [](RunOptions& o) { o.start.fresh = true; }},
      {"--take-over", [](RunOptions& o) { o.start.take_over = true; }},
      {"--until-done", [](RunOptions& o) { o.until_done = true; }},
      {"--allow-dropped-state", [](RunOptions& o) { o.allow_dropped_state = true; }},
      {"--republish", [](RunOptions& o) { o.republish = true; }},
      {"--accept-lost-progress", [](RunOptions& o) { o.accept_lost_progress = true; }},
      {"--insecure", [](RunOptions& o) { o.insecure = true; }},
  };
  return flags;
}

Status take_limit(RunOptions& options, const std::string& text) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), options.limit);
  if (error != std::errc() || end != text.data() + text.size() || options.limit < 1) {
    return run_usage_error("--limit needs a number from 1, not `" + text + "`");
  }
  return {};
}

const std::map<std::string, RunValue>& run_values() {
  static const std::map<std::string, RunValue> values{
      {"--param",
       [](RunOptions& o, const std::string& text) -> Status {
         MR_ASSIGN(auto pair, parse_pair("--param", text));
         o.overrides.params[pair.first] = pair.second;
         return {};
       }},
      {"--set",
       [](RunOptions& o, const std::string& text) -> Status {
         MR_ASSIGN(auto pair, parse_pair("--set", text));
         o.overrides.settings.push_back(std::move(pair));
         return {};
       }},
      {"--restore",
       [](RunOptions& o, const std::string& text) -> Status {
         o.start.restore = text;
         return {};
       }},
      {"--fork",
       [](RunOptions& o, const std::string& text) -> Status {
         o.start.fork = text;
         return {};
       }},
      {"--sinks",
       [](RunOptions& o, const std::string& text) -> Status {
         if (text != "print") return run_usage_error("--sinks knows `print` only, not `" + text + "`");
         o.overrides.print_sinks = true;
         return {};
       }},
      {"--limit", take_limit},
      {"--memory",
       [](RunOptions& o, const std::string& text) -> Status {
         const auto bytes = parse_bytes(text);
         if (!bytes || *bytes < kMemoryBytesMin) {
           return run_usage_error("--memory needs a size from 64MB, such as 2GB, not `" + text + "`");
         }
         o.memory_bytes = static_cast<uint64_t>(*bytes);
         return {};
       }},
      {"--stop-timeout",
       [](RunOptions& o, const std::string& text) -> Status {
         MR_ASSIGN(o.stop_timeout_ms, parse_duration_argument(text));
         return {};
       }},
      {"--listen",
       [](RunOptions& o, const std::string& text) -> Status {
         o.listen = text;
         o.listen_given = true;
         return {};
       }},
  };
  return values;
}

}  // namespace

Result<int64_t> parse_duration_argument(const std::string& text) {
  static const std::map<std::string, int64_t> units{{"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}};
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const auto unit = units.find(std::string(end, text.data() + text.size()));
  if (error != std::errc() || number < 0 || unit == units.end()) {
    return run_usage_error("`" + text + "` is not a duration such as 500ms, 30s or 2m");
  }
  return number * unit->second;
}

Result<RunOptions> parse_run_options(const std::vector<std::string>& args) {
  RunOptions options;
  for (size_t i = 0; i < args.size(); ++i) {
    std::string name = args[i];
    if (!name.starts_with("--")) {
      if (!options.file.empty()) return run_usage_error("one job file, not `" + options.file + "` and `" + name + "`");
      options.file = name;
      continue;
    }
    if (const auto flag = run_flags().find(name); flag != run_flags().end()) {
      flag->second(options);
      continue;
    }
    std::string value;
    const size_t equals = name.find('=');
    const bool inline_value = equals != std::string::npos;
    if (inline_value) {
      value = name.substr(equals + 1);
      name.resize(equals);
    }
    const auto taker = run_values().find(name);
    if (taker == run_values().end()) return run_usage_error("unknown option `" + name + "`");
    if (!inline_value) {
      if (++i == args.size()) return run_usage_error(name + " needs a value");
      value = args[i];
    }
    MR_TRY(taker->second(options, value));
  }
  if (options.file.empty()) return run_usage_error("no job file given");
  const int wishes =
      (options.start.restore.empty() ? 0 : 1) + (options.start.fork.empty() ? 0 : 1) + (options.start.fresh ? 1 : 0);
  if (wishes > 1) return run_usage_error("--restore, --fork and --fresh exclude each other");
  return options;
}

}  // namespace millrace
