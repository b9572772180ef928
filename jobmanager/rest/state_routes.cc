// /api/v1/jobs/:job/state: named state of a job's newest completed checkpoint. Reads files, never the tasks.
#include <charconv>

#include "jobmanager/rest/responses.h"
#include "jobmanager/rest/rest_api.h"
#include "jobmanager/rest/routes.h"

namespace millrace {

namespace {

/// `key=u1` for a key of one column, `key.user_id=u1` for one of several.
std::optional<std::map<std::string, std::string>> asked_key(const RestCall& call) {
  std::map<std::string, std::string> values;
  for (const auto& [name, value] : call.request.query) {
    if (name == "key") values[""] = value;
    if (name.starts_with("key.")) values[name.substr(4)] = value;
  }
  if (values.empty()) return std::nullopt;
  return values;
}

HttpResponse answer_state(const RestCall& call, StateQuery query) {
  const auto view = call.job();
  if (!view) {
    return rest_error(
        Error{ErrorCode::kNotFound, "no job `" + call.segment("job") + "`", "`millrace list` shows the jobs"});
  }
  if (!call.context.read_state) {
    return rest_error(Error{ErrorCode::kNotSupportedYet, "this process does not read state", ""});
  }
  query.path = view->directory;
  auto body = call.context.read_state(query);
  if (!body) return rest_error(body.error());
  return {200, "application/json", std::move(*body)};
}

HttpResponse list_state(const RestCall& call) { return answer_state(call, {}); }

HttpResponse show_state(const RestCall& call) {
  StateQuery query;
  query.step = call.segment("step");
  query.name = call.segment("name");
  query.key = asked_key(call);
  const std::string text = call.query("limit", "100");
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), query.limit);
  if (error != std::errc() || end != text.data() + text.size() || query.limit == 0 || query.limit > kStateRowsMax) {
    return rest_error(400, "`limit` needs a number from 1 to " + std::to_string(kStateRowsMax) + ", not `" + text + "`",
                      "as in ?limit=100");
  }
  return answer_state(call, std::move(query));
}

}  // namespace

std::vector<Route> state_routes() {
  const std::string job = "/api/v1/jobs/:job/state";
  return {
      {"GET", job, "states of the newest completed checkpoint: rows, bytes, growth, layout", list_state},
      {"GET",
       job + "/:step/:name",
       "rows of a state; key=.. or key.<column>=..: the rows of one key",
       show_state,
       {"key", "key.*", "limit"}},
  };
}

}  // namespace millrace
