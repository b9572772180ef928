// Views in Redis: one hash (or one JSON text) per key of an updating stream, deleted when the stream deletes it. At
// least once: writing a key again changes nothing. The worker makes commands, the flusher's thread sends them.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "connectors/flusher/flusher_sink.h"
#include "connectors/json/json_encoder.h"
#include "connectors/redis/resp.h"
#include "plan/registry.h"

namespace millrace {

ConnectorDescriptor redis_sink_descriptor();
/// Where the server is; look-ups have the same fields.
RedisOptions read_redis(const OptionValues& values);

/// Turns rows into commands: for each row one MULTI … EXEC.
class RedisCommands {
 public:
  explicit RedisCommands(const SinkConfig& config);
  void append(const Batch& batch, uint32_t row, std::string& out) const;
  /// Plain text: of a STRING itself, of anything else its JSON text without quotes.
  static void append_plain(const JsonValueWriter& writer, const Column& column, uint32_t row, std::string& out);

 private:
  const SchemaPtr schema_;
  const std::vector<uint32_t> key_;
  const std::string prefix_;
  const bool json_;
  const int64_t expire_ms_;
  std::vector<JsonValueWriter> writers_;
};

class RedisSinkWriter final : public FlusherSink {
 public:
  explicit RedisSinkWriter(SinkConfig config) : FlusherSink(std::move(config), "redis"), commands_(config_) {}

 private:
  std::unique_ptr<FlushTarget> make_target() override;
  std::optional<std::string> append(const Batch& batch, uint32_t row, std::string& out) override {
    commands_.append(batch, row, out);
    return std::nullopt;
  }

  const RedisCommands commands_;
};

}  // namespace millrace
