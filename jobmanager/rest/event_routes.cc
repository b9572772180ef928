// /api/v1/jobs/:job/events: what happened to a job, as JSON, or as it happens to those who accept text/event-stream.
#include <fmt/format.h>
#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <set>

#include "jobmanager/rest/responses.h"
#include "jobmanager/rest/rest_api.h"
#include "jobmanager/rest/routes.h"

namespace millrace {

namespace {

using Json = nlohmann::json;

std::string text_of(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

/// Oldest first: states, failures, checkpoints and savepoints that ended.
std::vector<Json> events_of(const JobView& view) {
  std::vector<Json> events;
  for (const auto& [state, at] : view.states) {
    events.push_back({{"at", at}, {"kind", "state"}, {"text", job_state_name(state)}});
  }
  for (const JobFailure& one : view.failures) {
    events.push_back({{"at", one.at_ms},
                      {"kind", "failure"},
                      {"text", (one.step.empty() ? "" : "step `" + one.step + "`: ") + one.message},
                      {"step", one.step},
                      {"code", one.code},
                      {"message", one.message},
                      {"help", one.help}});
  }
  for (const CheckpointView& one : view.recent_checkpoints) {
    if (one.status == CheckpointStatus::kInProgress) continue;
    const std::string what = (one.savepoint ? "savepoint " : "checkpoint ") + std::to_string(one.id);
    const bool failed = one.status == CheckpointStatus::kFailed;
    events.push_back({{"at", one.ended_ms},
                      {"kind", "checkpoint"},
                      {"text", failed ? what + " failed: " + one.failure : what + " completed"}});
  }
  std::ranges::stable_sort(events, {}, [](const Json& one) { return one["at"].get<int64_t>(); });
  return events;
}

/// One client's stream: what it was sent already is known by its text, because views only hold the last events.
class EventStream {
 public:
  EventStream(const JobControl& control, std::string job_id, int64_t after_ms)
      : control_(control), job_id_(std::move(job_id)), after_ms_(after_ms) {}

  /// Events that are new; nothing when the job has ended and all was told.
  std::optional<std::string> next() {
    const auto view = control_.job(job_id_);
    if (!view) return std::nullopt;
    std::string out;
    std::set<std::string> shown;
    for (const Json& event : events_of(*view)) {
      const auto at = event["at"].get<int64_t>();
      std::string data = text_of(event);
      if (at > after_ms_ && !shown_.contains(data)) {
        out += fmt::format("id: {}\nevent: {}\ndata: {}\n\n", at, event["kind"].get<std::string>(), data);
      }
      shown.insert(std::move(data));
    }
    shown_ = std::move(shown);
    if (out.empty() && is_terminal(view->state)) return std::nullopt;
    return out;
  }

 private:
  const JobControl& control_;
  std::string job_id_;
  int64_t after_ms_;  // what the client had before it connected again
  std::set<std::string> shown_;
};

bool wants_stream(const HttpRequest& request) {
  const auto accept = request.headers.find("accept");
  return accept != request.headers.end() && accept->second.find("text/event-stream") != std::string::npos;
}

int64_t last_event_ms(const HttpRequest& request) {
  const auto id = request.headers.find("last-event-id");
  int64_t at = 0;
  if (id != request.headers.end()) std::from_chars(id->second.data(), id->second.data() + id->second.size(), at);
  return at;
}

HttpResponse show_events(const RestCall& call) {
  const auto view = call.job();
  if (!view) {
    return rest_error(
        Error{ErrorCode::kNotFound, "no job `" + call.segment("job") + "`", "`millrace list` shows the jobs"});
  }
  if (wants_stream(call.request)) {
    auto stream = std::make_shared<EventStream>(*call.context.control, view->job_id, last_event_ms(call.request));
    HttpResponse response{200, "text/event-stream", stream->next().value_or("")};
    response.more = [stream] { return stream->next(); };
    return response;
  }
  return {200, "application/json", text_of({{"job", view->name}, {"events", events_of(*view)}})};
}

}  // namespace

std::vector<Route> event_routes() {
  return {{"GET", "/api/v1/jobs/:job/events",
           "states, failures and checkpoints, oldest first; as they come (server-sent events) to those who accept "
           "text/event-stream",
           show_events}};
}

}  // namespace millrace
