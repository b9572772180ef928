// /api/v1: verbs on a job. What takes time answers 202 with a trigger id, to be polled under /operations.
#include <charconv>
#include <nlohmann/json.hpp>

#include "jobmanager/rest/responses.h"
#include "jobmanager/rest/rest_api.h"
#include "jobmanager/rest/routes.h"

namespace millrace {

namespace {

using VerbJson = nlohmann::json;
constexpr const char* kCheckpointFields[] = {"interval", "timeout", "min_pause", "unaligned_after",
                                             "tolerable_failures"};
constexpr std::string_view kOperationNames[] = {"savepoint", "stop", "checkpoint", "rescale", "upgrade"};

HttpResponse verb_answer(int status, const VerbJson& body) {
  return {status, "application/json", body.dump(-1, ' ', false, VerbJson::error_handler_t::replace)};
}

/// Calls `verb` with the job's id; answers its trigger.
template <class Verb>
HttpResponse triggered(const RestCall& call, std::string_view kind, Verb verb) {
  const auto view = call.job();
  if (!view) return rest_error(Error{ErrorCode::kNotFound, "no job `" + call.segment("job") + "`", ""});
  const Result<std::string> trigger = verb(view->job_id);
  if (!trigger) return rest_error(trigger.error());
  return verb_answer(202, {{"job_id", view->job_id}, {"trigger_id", *trigger}, {"kind", kind}});
}

HttpResponse cancel_job(const RestCall& call) {
  const auto view = call.job();
  if (!view) return rest_error(Error{ErrorCode::kNotFound, "no job `" + call.segment("job") + "`", ""});
  if (const Status done = call.context.control->cancel(view->job_id, call.flag("now")); !done) {
    return rest_error(done.error());
  }
  return verb_answer(202, {{"job_id", view->job_id}, {"name", view->name}});
}

HttpResponse stop_job(const RestCall& call) {
  StopRequest request;
  request.directory = call.query("directory");
  request.drain = call.flag("drain");
  request.savepoint = call.query("savepoint", "true") != "false";
  return triggered(call, "stop", [&](const std::string& job) { return call.context.control->stop(job, request); });
}

HttpResponse savepoint_job(const RestCall& call) {
  SavepointRequest request;
  request.directory = call.query("directory");
  return triggered(call, "savepoint",
                   [&](const std::string& job) { return call.context.control->savepoint(job, request); });
}

HttpResponse checkpoint_job(const RestCall& call) {
  return triggered(call, "checkpoint", [&](const std::string& job) { return call.context.control->checkpoint(job); });
}

/// Of the query; what it leaves out stays as it is.
HttpResponse change_checkpoints(const RestCall& call) {
  const auto view = call.job();
  if (!view) return rest_error(Error{ErrorCode::kNotFound, "no job `" + call.segment("job") + "`", ""});
  CheckpointChanges changes;
  for (const char* field : kCheckpointFields) {
    if (std::string value = call.query(field); !value.empty()) changes[field] = std::move(value);
  }
  if (changes.empty()) return rest_error(400, "nothing to change", "as in ?interval=5s&unaligned_after=1s");
  const auto settings = call.context.control->change_checkpoint_settings(view->job_id, changes);
  if (!settings) return rest_error(settings.error());
  return verb_answer(200, {{"job_id", view->job_id}, {"settings", *settings}});
}

HttpResponse rescale_job(const RestCall& call) {
  const std::string text = call.query("parallelism");
  uint32_t parallelism = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), parallelism);
  if (error != std::errc() || end != text.data() + text.size() || parallelism == 0) {
    return rest_error(400, "`parallelism` needs a number from 1, not `" + text + "`", "as in ?parallelism=4");
  }
  return triggered(call, "rescale",
                   [&](const std::string& job) { return call.context.control->rescale(job, parallelism); });
}

HttpResponse tap_step(const RestCall& call) {
  const auto view = call.job();
  if (!view) return rest_error(Error{ErrorCode::kNotFound, "no job `" + call.segment("job") + "`", ""});
  const std::string text = call.query("limit", "10");
  uint32_t limit = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), limit);
  if (error != std::errc() || end != text.data() + text.size()) {
    return rest_error(400, "`limit` needs a number, not `" + text + "`", "as in ?limit=10");
  }
  const auto tap = call.context.control->tap(view->job_id, call.query("step"), limit);
  if (!tap) return rest_error(tap.error());
  return verb_answer(202, {{"job_id", view->job_id}, {"tap_id", *tap}});
}

HttpResponse show_tap(const RestCall& call) {
  const auto rows = call.context.control->tapped(call.segment("tap"));
  if (!rows) return rest_error(rows.error());
  VerbJson list = VerbJson::array();
  for (const std::string& row : *rows) list.push_back(VerbJson::parse(row, nullptr, false));
  return verb_answer(200, {{"tap_id", call.segment("tap")}, {"rows", std::move(list)}});
}

HttpResponse show_operation(const RestCall& call) {
  const auto view = call.job();
  const std::string trigger = call.segment("trigger");
  const auto operation = view ? call.context.control->operation(view->job_id, trigger) : std::nullopt;
  if (!operation) {
    return rest_error(Error{ErrorCode::kNotFound, "no operation `" + trigger + "` of job `" + call.segment("job") + "`",
                            "operations are forgotten some time after they are done"});
  }
  VerbJson body{{"trigger_id", operation->trigger_id},
                {"kind", kOperationNames[static_cast<size_t>(operation->kind)]},
                {"done", operation->done},
                {"path", operation->path}};
  if (operation->failure) {
    const JobFailure& failure = *operation->failure;
    body["failure"] = {
        {"step", failure.step}, {"code", failure.code}, {"message", failure.message}, {"help", failure.help}};
  }
  return verb_answer(200, body);
}

}  // namespace

std::vector<Route> verb_routes() {
  const std::string job = "/api/v1/jobs/:job";
  return {
      {"DELETE", job, "cancel the job (now=true: without publishing output that waits)", cancel_job, {"now"}},
      {"POST", job + "/cancel", "cancel the job (now=true: as above)", cancel_job, {"now"}},
      {"POST", job + "/stop", "end with a savepoint", stop_job, {"directory", "drain", "savepoint"}},
      {"POST", job + "/savepoint", "take a savepoint", savepoint_job, {"directory"}},
      {"POST", job + "/checkpoint", "take a checkpoint now", checkpoint_job},
      {"PATCH",
       job + "/checkpoint",
       "change checkpoint settings of the running job",
       change_checkpoints,
       {std::begin(kCheckpointFields), std::end(kCheckpointFields)}},
      {"POST", job + "/rescale", "go on with another parallelism", rescale_job, {"parallelism"}},
      {"POST", job + "/tap", "gather rows that leave a step, for a minute", tap_step, {"step", "limit"}},
      {"GET", job + "/taps/:tap", "the rows that have come so far", show_tap},
      {"GET", job + "/operations/:trigger", "how far an operation is", show_operation},
  };
}

}  // namespace millrace
