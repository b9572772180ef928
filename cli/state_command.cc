#include "cli/state_command.h"

#include <fmt/format.h>

#include <charconv>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "cli/cluster_client.h"
#include "cli/job_file.h"
#include "cli/result_output.h"
#include "cli/state_reader.h"
#include "cli/usage.h"
#include "core/storage.h"
#include "core/text.h"

namespace millrace {

namespace {

using StateJson = nlohmann::ordered_json;

struct StateCall {
  const Arguments& arguments;
  const Registry& registry;
  std::string format;
  StateQuery query;
  [[nodiscard]] const std::string& verb() const { return arguments.words[0]; }
  [[nodiscard]] const std::string& what() const { return arguments.words[1]; }
};

int show_state_error(const Error& error) {
  std::fprintf(stderr, "error[%s]: %s\n", std::string(error.info().code).c_str(), error.message.c_str());
  if (!error.help.empty()) std::fprintf(stderr, "   = help: %s\n", error.help.c_str());
  return error.code == ErrorCode::kBadValue ? kExitInvalid : kExitFailed;
}

/// `user_id=u1`; a text without `=` is the value of the only key column.
std::map<std::string, std::string> read_key(const std::vector<std::string>& texts) {
  std::map<std::string, std::string> values;
  for (const std::string& text : texts) {
    const size_t equal = text.find('=');
    if (equal == std::string::npos) {
      values[""] = text;
    } else {
      values[text.substr(0, equal)] = text.substr(equal + 1);
    }
  }
  return values;
}

/// From the files, or from the job manager that runs the job of this name.
std::expected<std::string, int> ask(const StateCall& call) {
  if (storage().exists(call.what())) {
    StateQuery query = call.query;
    query.path = call.what();
    query.count_keys = true;
    auto body = read_state(query, call.registry.plan.functions);
    if (!body) return std::unexpected(show_state_error(body.error()));
    return *body;
  }
  std::string target = "/state";
  if (!call.query.step.empty()) {
    target += "/" + escape_url(call.query.step) + "/" + escape_url(call.query.name);
    target += fmt::format("?limit={}", call.query.limit);
    if (call.query.key) {
      for (const auto& [name, value] : *call.query.key) {
        target += fmt::format("&key{}{}={}", name.empty() ? "" : ".", escape_url(name), escape_url(value));
      }
    }
  }
  return ClusterClient(call.arguments).get(job_target(call.what(), target));
}

std::string growth_text(const StateJson& state) {
  if (!state.contains("growth")) return "-";
  const StateJson& growth = state["growth"];
  return fmt::format("{:+} rows, {:+} bytes since {}", growth.value("rows", int64_t{0}),
                     growth.value("bytes", int64_t{0}), growth.value("since_checkpoint", int64_t{0}));
}

int list(const StateCall& call) {
  const auto body = ask(call);
  if (!body) return body.error();
  const StateJson json = StateJson::parse(*body, nullptr, false);
  if (json.is_discarded() || !json.contains("states")) {
    std::fprintf(stderr, "error: the server's answer is not understood: %s\n", body->c_str());
    return kExitFailed;
  }
  TableRows rows{{"STEP", "STATE", "KIND", "OF", "ROWS", "KEYS", "BYTES", "GROWTH"}};
  for (const StateJson& state : json["states"]) {
    const auto text = [&](const char* name) {
      const StateJson& value = state[name];
      return value.is_string() ? value.get<std::string>() : value.is_null() ? std::string("-") : value.dump();
    };
    rows.push_back({text("step"), text("state"), text("kind"), text("form"), text("rows"), text("keys"),
                    bytes_text(state.value("bytes", 0.0)), growth_text(state)});
  }
  if (call.format == "table") {
    std::fprintf(stderr, "checkpoint %lld of job %s, %s\n",
                 static_cast<long long>(json.value("checkpoint", int64_t{0})), json.value("job", "").c_str(),
                 time_text(json.value("completed_at", int64_t{0})).c_str());
  }
  print_result(call.format, *body, rows);
  return kExitDone;
}

/// Rows as JSON lines; with --output json or yaml the whole answer.
int rows(const StateCall& call) {
  const auto body = ask(call);
  if (!body) return body.error();
  if (call.format != "table") {
    print_result(call.format, *body, {});
    return kExitDone;
  }
  const StateJson json = StateJson::parse(*body, nullptr, false);
  if (json.is_discarded() || !json.contains("rows")) {
    std::fprintf(stderr, "error: the server's answer is not understood: %s\n", body->c_str());
    return kExitFailed;
  }
  for (const StateJson& row : json["rows"]) {
    fmt::print("{}\n", row.dump(-1, ' ', false, StateJson::error_handler_t::replace));
  }
  if (json.value("more", false)) {
    fmt::print(stderr, "only the first {} rows are shown; --limit shows more\n", call.query.limit);
  }
  if (call.verb() == "get" && json["rows"].empty()) {
    std::fprintf(stderr, "no row has this key\n");
    return kExitFailed;
  }
  return kExitDone;
}

/// All rows of all states that are meant, one JSON line each, with the names of step and state in front.
int scan(const StateCall& call) {
  if (!call.query.step.empty() && !call.query.name.empty()) return rows(call);
  if (!storage().exists(call.what())) {
    std::fprintf(stderr,
                 "error: name a state of the running job with --step and --name; `millrace state list %s` "
                 "shows them\n",
                 call.what().c_str());
    return kExitInvalid;
  }
  auto metadata = find_checkpoint(storage(), call.what());
  if (!metadata) return show_state_error(metadata.error());
  const auto checkpoint = open_checkpoint(storage(), std::move(*metadata));
  if (!checkpoint) return show_state_error(checkpoint.error());
  uint64_t shown = 0;
  const Status read = scan_state(
      *checkpoint, call.query, call.registry.plan.functions, [&](const StateDescriptor& state, const std::string& row) {
        if (shown == call.query.limit) return false;
        ++shown;
        const StateJson line{
            {"step", state.step}, {"state", state.name}, {"row", StateJson::parse(row, nullptr, false)}};
        fmt::print("{}\n", line.dump(-1, ' ', false, StateJson::error_handler_t::replace));
        return true;
      });
  return read ? kExitDone : show_state_error(read.error());
}

int diff(const StateCall& call) {
  OpenedCheckpoint both[2];
  for (size_t side = 0; side < 2; ++side) {
    auto metadata = find_checkpoint(storage(), call.arguments.words[1 + side]);
    if (!metadata) return show_state_error(metadata.error());
    auto opened = open_checkpoint(storage(), std::move(*metadata));
    if (!opened) return show_state_error(opened.error());
    both[side] = std::move(*opened);
  }
  const auto differences = diff_state(both[0], both[1], call.query, call.registry.plan.functions,
                                      [](const std::string& line) { fmt::print("{}\n", line); });
  if (!differences) return show_state_error(differences.error());
  for (const StateDifference& one : *differences) {
    fmt::print(stderr, "{}/{}: {} added, {} removed, {} changed\n", one.step, one.name, one.added, one.removed,
               one.changed);
  }
  return kExitDone;
}

}  // namespace

int command_state(const std::vector<std::string>& args, const Registry& registry) {
  const auto parsed = parse_arguments(args, cluster_rules({{}, {"--step", "--name", "--key", "--limit"}, 2, 3}));
  if (!parsed) return usage_error("state", parsed.error(), kStateUsage);
  StateCall call{*parsed, registry, parsed->option("--output", "table"), {}};
  if (!is_output_format(call.format)) {
    return usage_error("state", "there is no output `" + call.format + "`", kStateUsage);
  }
  call.query.step = parsed->option("--step");
  call.query.name = parsed->option("--name");
  const std::string limit = parsed->option("--limit", "100");
  const auto [end, error] = std::from_chars(limit.data(), limit.data() + limit.size(), call.query.limit);
  if (error != std::errc() || end != limit.data() + limit.size()) {
    return usage_error("state", "--limit wants a number, not `" + limit + "`", kStateUsage);
  }
  const bool two = call.verb() == "diff";
  if (parsed->words.size() != (two ? 3U : 2U)) {
    return usage_error("state", two ? "diff wants two checkpoints" : "name one job or checkpoint", kStateUsage);
  }
  if (call.verb() == "list") return list(call);
  if (call.verb() == "scan") return scan(call);
  if (two) return diff(call);
  if (call.verb() != "get") return usage_error("state", "there is no `state " + call.verb() + "`", kStateUsage);
  if (call.query.step.empty() || call.query.name.empty()) {
    return usage_error("state", "get wants --step and --name; `state list` shows them", kStateUsage);
  }
  call.query.key = read_key(parsed->all("--key"));
  return rows(call);
}

}  // namespace millrace
