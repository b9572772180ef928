#include "rpc/codec.h"

#include <nlohmann/json.hpp>
#include <type_traits>

namespace millrace {

namespace {

using Json = nlohmann::json;

// One list of fields per message serves both directions: f(name, member).
template <class F>
void for_each_field(TaskId& m, F&& f) {
  f("chain", m.chain);
  f("subtask", m.subtask);
}
template <class F>
void for_each_field(SharedFile& m, F&& f) {
  f("name", m.name);
  f("bytes", m.bytes);
  f("checksum", m.checksum);
}
template <class F>
void for_each_field(SnapshotHandle& m, F&& f) {
  f("task", m.task);
  f("file", m.file);
  f("bytes", m.bytes);
  f("crc", m.crc);
  f("shared", m.shared);
  f("own", m.own);
  f("written", m.written);
}
template <class M, class F>
void for_each_job_field(M& m, F&& f) {
  f("job_id", m.job_id);
  f("attempt", m.attempt);
}
template <class F>
void for_each_field(JobMember& m, F&& f) {
  f("task_manager", m.task_manager);
  f("data_address", m.data_address);
}
template <class F>
void for_each_field(DeployJob& m, F&& f) {
  for_each_job_field(m, f);
  f("spec_yaml", m.spec_yaml);
  f("job_directory", m.job_directory);
  f("restore_checkpoint", m.restore_checkpoint);
  f("restore", m.restore);
  f("restore_max_parallelism", m.restore_max_parallelism);
  f("restore_verified", m.restore_verified);
  f("until_done", m.until_done);
  f("allow_dropped_state", m.allow_dropped_state);
  f("incarnation", m.incarnation);
  f("republish", m.republish);
  f("accept_lost_progress", m.accept_lost_progress);
  f("members", m.members);
  f("slots", m.slots);
  f("member", m.member);
}
template <class F>
void for_each_field(TriggerCheckpoint& m, F&& f) {
  for_each_job_field(m, f);
  f("checkpoint_id", m.checkpoint_id);
  f("final", m.final);
}
template <class F>
void for_each_field(OvertakeCheckpoint& m, F&& f) {
  for_each_job_field(m, f);
  f("checkpoint_id", m.checkpoint_id);
}
template <class F>
void for_each_field(CheckpointCompleted& m, F&& f) {
  for_each_job_field(m, f);
  f("checkpoint_id", m.checkpoint_id);
}
template <class F>
void for_each_field(CheckpointAborted& m, F&& f) {
  for_each_job_field(m, f);
  f("checkpoint_id", m.checkpoint_id);
}
template <class F>
void for_each_field(TapStep& m, F&& f) {
  for_each_job_field(m, f);
  f("tap_id", m.tap_id);
  f("step", m.step);
  f("rows", m.rows);
  f("for_ms", m.for_ms);
}
template <class F>
void for_each_field(TapRows& m, F&& f) {
  for_each_job_field(m, f);
  f("tap_id", m.tap_id);
  f("rows", m.rows);
}
template <class F>
void for_each_field(EndInput& m, F&& f) {
  for_each_job_field(m, f);
}
template <class F>
void for_each_field(HoldSources& m, F&& f) {
  for_each_job_field(m, f);
  f("hold", m.hold);
}
template <class F>
void for_each_field(CancelJob& m, F&& f) {
  for_each_job_field(m, f);
}
template <class F>
void for_each_field(TaskRunning& m, F&& f) {
  for_each_job_field(m, f);
  f("task", m.task);
}
template <class F>
void for_each_field(SnapshotTaken& m, F&& f) {
  for_each_job_field(m, f);
  f("checkpoint_id", m.checkpoint_id);
  f("handle", m.handle);
  f("finished", m.finished);
}
template <class F>
void for_each_field(SnapshotFailed& m, F&& f) {
  for_each_job_field(m, f);
  f("checkpoint_id", m.checkpoint_id);
  f("task", m.task);
  f("error_code", m.error_code);
  f("message", m.message);
}
template <class F>
void for_each_field(TaskFinished& m, F&& f) {
  for_each_job_field(m, f);
  f("task", m.task);
}
template <class F>
void for_each_field(TaskFailed& m, F&& f) {
  for_each_job_field(m, f);
  f("task", m.task);
  f("step", m.step);
  f("error_code", m.error_code);
  f("message", m.message);
  f("help", m.help);
}
template <class F>
void for_each_field(RestoredSettled& m, F&& f) {
  for_each_job_field(m, f);
  f("task", m.task);
  f("sink", m.sink);
}
template <class F>
void for_each_field(EpochSettled& m, F&& f) {
  for_each_job_field(m, f);
  f("task", m.task);
  f("sink", m.sink);
  f("epoch", m.epoch);
}
template <class F>
void for_each_field(JobCancelled& m, F&& f) {
  for_each_job_field(m, f);
}

template <class F>
void for_each_field(RegisterTaskManager& m, F&& f) {
  f("id", m.id);
  f("version", m.version);
  f("slots", m.slots);
  f("data_address", m.data_address);
  f("rest_address", m.rest_address);
  f("memory_bytes", m.memory_bytes);
  f("token", m.token);
}
template <class F>
void for_each_field(ReadNonce& m, F&& f) {
  f("path", m.path);
}
template <class F>
void for_each_field(StorageNonce& m, F&& f) {
  f("content", m.content);
  f("error", m.error);
}
template <class F>
void for_each_field(Registered& m, F&& f) {
  f("job_manager", m.job_manager);
}
template <class F>
void for_each_field(RegistrationRefused& m, F&& f) {
  f("error_code", m.error_code);
  f("message", m.message);
  f("help", m.help);
  f("final", m.final);
}
template <class F>
void for_each_field(MetricsReport& m, F&& f) {
  f("samples", m.samples);
}
template <class F>
void for_each_field(MetricSample& m, F&& f) {
  f("name", m.name);
  f("help", m.help);
  f("kind", m.kind);
  f("labels", m.labels);
  f("value", m.value);
  f("buckets", m.buckets);
}
template <class F>
void for_each_field(std::pair<double, double>& m, F&& f) {
  f("up_to", m.first);
  f("count", m.second);
}
template <class F>
void for_each_field(std::pair<std::string, std::string>& m, F&& f) {
  f("name", m.first);
  f("value", m.second);
}

template <class M>
constexpr const char* message_name() {
  if constexpr (std::is_same_v<M, DeployJob>) return "DeployJob";
  if constexpr (std::is_same_v<M, TriggerCheckpoint>) return "TriggerCheckpoint";
  if constexpr (std::is_same_v<M, OvertakeCheckpoint>) return "OvertakeCheckpoint";
  if constexpr (std::is_same_v<M, CheckpointCompleted>) return "CheckpointCompleted";
  if constexpr (std::is_same_v<M, CheckpointAborted>) return "CheckpointAborted";
  if constexpr (std::is_same_v<M, EndInput>) return "EndInput";
  if constexpr (std::is_same_v<M, HoldSources>) return "HoldSources";
  if constexpr (std::is_same_v<M, TapStep>) return "TapStep";
  if constexpr (std::is_same_v<M, TapRows>) return "TapRows";
  if constexpr (std::is_same_v<M, CancelJob>) return "CancelJob";
  if constexpr (std::is_same_v<M, TaskRunning>) return "TaskRunning";
  if constexpr (std::is_same_v<M, SnapshotTaken>) return "SnapshotTaken";
  if constexpr (std::is_same_v<M, SnapshotFailed>) return "SnapshotFailed";
  if constexpr (std::is_same_v<M, TaskFinished>) return "TaskFinished";
  if constexpr (std::is_same_v<M, TaskFailed>) return "TaskFailed";
  if constexpr (std::is_same_v<M, RestoredSettled>) return "RestoredSettled";
  if constexpr (std::is_same_v<M, EpochSettled>) return "EpochSettled";
  if constexpr (std::is_same_v<M, JobCancelled>) return "JobCancelled";
  if constexpr (std::is_same_v<M, RegisterTaskManager>) return "RegisterTaskManager";
  if constexpr (std::is_same_v<M, ReadNonce>) return "ReadNonce";
  if constexpr (std::is_same_v<M, StorageNonce>) return "StorageNonce";
  if constexpr (std::is_same_v<M, Registered>) return "Registered";
  if constexpr (std::is_same_v<M, RegistrationRefused>) return "RegistrationRefused";
  if constexpr (std::is_same_v<M, MetricsReport>) return "MetricsReport";
}

template <class T>
constexpr bool kIsList = false;
template <class T>
constexpr bool kIsList<std::vector<T>> = true;

template <class T>
Json to_wire(T value);

struct WireWriter {
  Json& out;
  template <class T>
  void operator()(const char* name, T& member) {
    out[name] = to_wire(member);
  }
};

template <class T>
Json to_wire(T value) {
  if constexpr (std::is_arithmetic_v<T>) {
    return value;
  } else if constexpr (std::is_enum_v<T>) {
    return static_cast<std::underlying_type_t<T>>(value);
  } else if constexpr (std::is_same_v<T, std::string>) {
    // Texts may hold any bytes, which a CBOR text string may not.
    return Json::binary({value.begin(), value.end()});
  } else if constexpr (kIsList<T>) {
    Json list = Json::array();
    for (const auto& item : value) list.push_back(to_wire(item));
    return list;
  } else {
    Json map = Json::object();
    for_each_field(value, WireWriter{map});
    return map;
  }
}

template <class T>
void from_wire(const Json& json, T& out);

struct WireReader {
  const Json& in;
  template <class T>
  void operator()(const char* name, T& member) {
    if (const auto found = in.find(name); found != in.end()) from_wire(*found, member);
  }
};

template <class T>
void from_wire(const Json& json, T& out) {
  if constexpr (std::is_arithmetic_v<T>) {
    out = json.get<T>();
  } else if constexpr (std::is_enum_v<T>) {
    out = static_cast<T>(json.get<std::underlying_type_t<T>>());
  } else if constexpr (std::is_same_v<T, std::string>) {
    const auto& bytes = json.get_binary();
    out.assign(bytes.begin(), bytes.end());
  } else if constexpr (kIsList<T>) {
    for (const Json& item : json) from_wire(item, out.emplace_back());
  } else {
    for_each_field(out, WireReader{json});
  }
}

template <class Variant>
std::string encode_any(const Variant& message) {
  Json map = std::visit(
      [](const auto& m) {
        Json json = to_wire(m);
        json["type"] = message_name<std::decay_t<decltype(m)>>();
        return json;
      },
      message);
  std::string bytes;
  Json::to_cbor(map, bytes);
  return bytes;
}

template <class Variant, size_t Index = 0>
Result<Variant> decode_map(const Json& map, const std::string& type) {
  if constexpr (Index == std::variant_size_v<Variant>) {
    return make_error(ErrorCode::kBadMessage, "message of unknown type `" + type + "`");
  } else {
    using M = std::variant_alternative_t<Index, Variant>;
    if (type != message_name<M>()) return decode_map<Variant, Index + 1>(map, type);
    M message;
    for_each_field(message, WireReader{map});
    return Variant(std::move(message));
  }
}

template <class Variant>
Result<Variant> decode_any(std::string_view bytes) {
  try {
    const Json map = Json::from_cbor(bytes.begin(), bytes.end());
    return decode_map<Variant>(map, map.at("type").template get<std::string>());
  } catch (const Json::exception& exception) {
    return make_error(ErrorCode::kBadMessage, std::string("control message: ") + exception.what());
  }
}

}  // namespace

std::string encode_message(const ToTaskManager& message) { return encode_any(message); }
std::string encode_message(const ToJobManager& message) { return encode_any(message); }

std::string encode_frame(const FromTaskManager& message) { return encode_any(message); }
std::string encode_frame(const FromJobManager& message) { return encode_any(message); }

Result<ToTaskManager> decode_to_task_manager(std::string_view bytes) { return decode_any<ToTaskManager>(bytes); }
Result<ToJobManager> decode_to_job_manager(std::string_view bytes) { return decode_any<ToJobManager>(bytes); }
Result<FromTaskManager> decode_from_task_manager(std::string_view bytes) { return decode_any<FromTaskManager>(bytes); }
Result<FromJobManager> decode_from_job_manager(std::string_view bytes) { return decode_any<FromJobManager>(bytes); }

}  // namespace millrace
