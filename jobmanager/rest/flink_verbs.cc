// Flink's API: cancel, stop, savepoint, checkpoint and their polling.
#include <nlohmann/json.hpp>

#include "jobmanager/rest/flink_model.h"
#include "jobmanager/rest/responses.h"
#include "jobmanager/rest/routes.h"

namespace millrace {

namespace {

using FlinkVerbJson = nlohmann::ordered_json;

HttpResponse flink_verb_answer(int status, const FlinkVerbJson& body) {
  return {status, "application/json", body.dump(-1, ' ', false, FlinkVerbJson::error_handler_t::replace)};
}

/// The request's body as an object; an empty body is an empty object.
std::expected<FlinkVerbJson, HttpResponse> verb_body(const RestCall& call) {
  if (call.request.body.empty()) return FlinkVerbJson::object();
  FlinkVerbJson body = FlinkVerbJson::parse(call.request.body, nullptr, false);
  if (!body.is_object()) {
    return std::unexpected(rest_error(400, "Request did not match expected format: the body is a JSON object."));
  }
  return body;
}

std::string text_of(const FlinkVerbJson& body, const char* name) {
  const auto found = body.find(name);
  return found != body.end() && found->is_string() ? found->get<std::string>() : "";
}

bool truth_of(const FlinkVerbJson& body, const char* name) {
  const auto found = body.find(name);
  return found != body.end() && found->is_boolean() && found->get<bool>();
}

HttpResponse request_id(const Result<std::string>& trigger) {
  if (!trigger) return rest_error(trigger.error());
  return flink_verb_answer(202, {{"request-id", *trigger}});
}

/// Job, body and the trigger id that the client wishes; then `verb(job_id, body, trigger_id)`.
template <class Verb>
HttpResponse trigger(const RestCall& call, Verb verb) {
  const auto view = flink_view(call);
  if (!view) return view.error();
  const auto body = verb_body(call);
  if (!body) return body.error();
  const std::string wished = text_of(*body, "triggerId");
  if (!wished.empty() && !is_hex_id(wished)) return rest_error(400, "`triggerId` is not 32 hex digits");
  return request_id(verb(view->job_id, *body, wished));
}

HttpResponse flink_savepoint(const RestCall& call) {
  return trigger(call, [&](const std::string& job, const FlinkVerbJson& body, const std::string& wished) {
    if (truth_of(body, "cancel-job")) {
      StopRequest stop;
      stop.directory = text_of(body, "target-directory");
      stop.trigger_id = wished;
      return call.context.control->stop(job, stop);
    }
    return call.context.control->savepoint(job, {text_of(body, "target-directory"), wished});
  });
}

HttpResponse flink_stop(const RestCall& call) {
  return trigger(call, [&](const std::string& job, const FlinkVerbJson& body, const std::string& wished) {
    StopRequest stop;
    stop.directory = text_of(body, "targetDirectory");
    stop.trigger_id = wished;
    stop.drain = truth_of(body, "drain");
    return call.context.control->stop(job, stop);
  });
}

HttpResponse flink_checkpoint(const RestCall& call) {
  return trigger(call, [&](const std::string& job, const FlinkVerbJson&, const std::string&) {
    return call.context.control->checkpoint(job);
  });
}

HttpResponse flink_cancel(const RestCall& call) {
  const auto view = flink_view(call);
  if (!view) return view.error();
  const std::string mode = call.query("mode", "cancel");
  if (mode != "cancel") return rest_error(400, "The termination mode \"" + mode + "\" is not supported.");
  if (const Status done = call.context.control->cancel(view->job_id, false); !done) return rest_error(done.error());
  return flink_verb_answer(202, FlinkVerbJson::object());
}

HttpResponse poll(const RestCall& call, bool checkpoint) {
  const auto view = flink_view(call);
  if (!view) return view.error();
  const std::string id = call.segment("trigger");
  if (!is_hex_id(id)) return rest_error(400, "Cannot resolve path parameter (triggerid) from value \"" + id + "\".");
  const auto operation = call.context.control->operation(view->job_id, id);
  if (!operation) return rest_error(404, "Operation not found under key: " + id);
  FlinkVerbJson body{{"status", {{"id", operation->done ? "COMPLETED" : "IN_PROGRESS"}}}, {"operation", nullptr}};
  if (operation->done && operation->failure) {
    const std::string text = operation->failure->code + ": " + operation->failure->message;
    body["operation"] = {
        {"failure-cause",
         {{"class", "java.lang.Exception"}, {"stack-trace", text}, {"serialized-throwable", nullptr}}}};
  } else if (operation->done && checkpoint) {
    body["operation"] = {{"checkpointId", view->last_checkpoint_id}, {"failure-cause", nullptr}};
  } else if (operation->done) {
    body["operation"] = {{"location", operation->path}};
  }
  return flink_verb_answer(200, body);
}

HttpResponse poll_savepoint(const RestCall& call) { return poll(call, false); }
HttpResponse poll_checkpoint(const RestCall& call) { return poll(call, true); }

}  // namespace

std::vector<Route> flink_verb_routes(const std::string& prefix) {
  const std::string job = prefix + "/jobs/:job";
  const std::string json = "application/json";
  return {
      {"PATCH", job, "Flink: cancel", flink_cancel, {"mode"}},
      {"POST", job + "/stop", "Flink: stop with a savepoint", flink_stop, {}, json},
      {"POST", job + "/savepoints", "Flink: take a savepoint", flink_savepoint, {}, json},
      {"GET", job + "/savepoints/:trigger", "Flink: how far a savepoint or stop is", poll_savepoint},
      {"POST", job + "/checkpoints", "Flink: take a checkpoint", flink_checkpoint, {}, json},
      {"GET", job + "/checkpoints/:trigger", "Flink: how far a checkpoint is", poll_checkpoint},
  };
}

}  // namespace millrace
