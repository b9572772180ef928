#include "connectors/redis/sink_writer.h"

#include "connectors/redis/lookup.h"
#include "connectors/redis/register.h"
#include "runtime/spi/factories.h"

namespace millrace {

RedisOptions read_redis(const OptionValues& values) {
  const std::string address = values.text("address");
  const size_t colon = address.rfind(':');
  RedisOptions options;
  options.host = address.substr(0, colon);
  options.port = colon == std::string::npos ? "6379" : address.substr(colon + 1);
  options.user = values.text("user");
  options.password = values.text("password");
  options.database = values.integer("database");
  return options;
}

namespace {

/// Sends whole transactions; each answers one line per command of it.
class RedisFlushTarget final : public FlushTarget {
 public:
  explicit RedisFlushTarget(RedisOptions options) : options_(std::move(options)) {}
  Status connect(const std::atomic<bool>& stopping) override {
    connection_.reset();
    MR_ASSIGN(connection_, RedisConnection::open(options_, &stopping));
    return {};
  }
  Status write(std::span<const std::string_view> rows, const RefusedRow& refused) override {
    for (size_t first = 0; first < rows.size(); first += kPipelineRows) {
      const auto some = rows.subspan(first, std::min(kPipelineRows, rows.size() - first));
      std::string commands;
      size_t replies = 0;
      for (const std::string_view row : some) {  // first byte: number of commands
        replies += static_cast<unsigned char>(row[0]);
        commands.append(row.substr(1));
      }
      MR_ASSIGN(const auto answers, connection_->pipeline(commands, replies));
      size_t at = 0;
      for (size_t i = 0; i < some.size(); ++i) {
        const size_t count = static_cast<unsigned char>(some[i][0]);
        MR_TRY(check(std::span(answers).subspan(at, count), first + i, refused));
        at += count;
      }
    }
    return {};
  }
  [[nodiscard]] std::string name() const override { return "redis " + options_.host + ":" + options_.port; }

 private:
  static constexpr size_t kPipelineRows = 1000;

  Status check(std::span<const RedisReply> answers, size_t row, const RefusedRow& refused) const {
    for (const RedisReply& answer : answers) {
      std::vector<const RedisReply*> all{&answer};
      for (const RedisReply& item : answer.items) all.push_back(&item);
      for (const RedisReply* one : all) {
        if (one->kind != RedisReply::Kind::kError) continue;
        Error error{redis_error_code(one->text), name() + ": " + one->text, {}};
        if (error.code != ErrorCode::kOutputRefused) return std::unexpected(std::move(error));
        return refused(row, error);
      }
    }
    return {};
  }

  const RedisOptions options_;
  std::unique_ptr<RedisConnection> connection_;
};

OptionDescriptor redis_option(std::string name, OptionKind kind, std::string help, std::string example = {}) {
  OptionDescriptor option;
  option.name = std::move(name);
  option.kind = kind;
  option.help = std::move(help);
  option.example = std::move(example);
  return option;
}

void check_redis_sink(const OptionValues& values, SinkConfig& config, Diagnostics& diagnostics) {
  if (config.key.empty()) {
    diagnostics.error(ErrorCode::kMissingField, values.located("address").position, "a redis sink needs a `key`",
                      "write `key: [column]`: it makes the name of the Redis key");
  }
}

}  // namespace

ConnectorDescriptor redis_sink_descriptor() {
  ConnectorDescriptor descriptor;
  descriptor.name = "redis";
  descriptor.help = "a view in Redis: one hash or JSON text per key, deleted when the stream deletes it";
  OptionDescriptor address = redis_option("address", OptionKind::kText, "host:port of the server", "localhost:6379");
  address.required = true;
  OptionDescriptor password = redis_option("password", OptionKind::kText, "the password; best through `secrets:`");
  password.secret = true;
  OptionDescriptor database = redis_option("database", OptionKind::kInteger, "number of the database");
  database.default_text = "0";
  database.min = 0;
  OptionDescriptor value = redis_option("value", OptionKind::kChoice, "hash: a field per column; json: one text");
  value.choices = {"hash", "json"};
  value.default_text = "hash";
  OptionDescriptor expire =
      redis_option("expire", OptionKind::kDuration, "keys are forgotten so long after a write", "1h");
  expire.min = 1;
  descriptor.options = {std::move(address),
                        redis_option("user", OptionKind::kText, "who logs in, where the server knows users"),
                        std::move(password),
                        std::move(database),
                        redis_option("prefix", OptionKind::kText, "in front of every key's name", "\"user:\""),
                        std::move(value),
                        std::move(expire)};
  descriptor.uses_format = false;
  descriptor.deliveries = {Delivery::kAtLeastOnce, Delivery::kNone};
  descriptor.needs_key_for_updates = true;
  descriptor.check_sink = check_redis_sink;
  descriptor.connect = [](const OptionValues& values) -> Status {
    MR_TRY(RedisConnection::open(read_redis(values), nullptr));
    return {};
  };
  return descriptor;
}

RedisCommands::RedisCommands(const SinkConfig& config)
    : schema_(config.schema),
      key_(config.key),
      prefix_(config.options.text("prefix")),
      json_(config.options.text("value") == "json"),
      expire_ms_(config.options.integer("expire")) {
  for (const Field& field : schema_->fields) writers_.emplace_back(*field.type, JsonOutOptions{});
}

void RedisCommands::append_plain(const JsonValueWriter& writer, const Column& column, uint32_t row, std::string& out) {
  if (column.type() == PhysicalType::kString) {
    out.append(column.values<StringRef>()[row].view());
    return;
  }
  const size_t start = out.size();
  writer.append(column, row, out);
  if (out.size() >= start + 2 && out[start] == '"') {  // decimals, dates, times: no escapes inside
    out.pop_back();
    out.erase(start, 1);
  }
}

void RedisCommands::append(const Batch& batch, uint32_t row, std::string& out) const {
  std::string key = prefix_;
  for (size_t i = 0; i < key_.size(); ++i) {
    if (i > 0) key += ':';
    if (!batch.columns[key_[i]]->is_null(row)) append_plain(writers_[key_[i]], *batch.columns[key_[i]], row, key);
  }
  const size_t count_at = out.size();
  out += '\1';
  if (batch.kind(row) == RowKind::kDelete) return append_redis_command(out, {"DEL", key});
  const std::string expire = std::to_string(expire_ms_);
  if (json_) {
    std::string text;
    for (size_t i = 0; i < schema_->size(); ++i) {
      text += i == 0 ? '{' : ',';
      append_json_utf8(text, schema_->fields[i].name);
      text += ':';
      writers_[i].append(*batch.columns[i], row, text);
    }
    text += '}';
    if (expire_ms_ > 0) return append_redis_command(out, {"SET", key, text, "PX", expire});
    return append_redis_command(out, {"SET", key, text});
  }
  std::vector<std::string> values(schema_->size());
  std::vector<std::string_view> words{"HSET", key};
  for (size_t i = 0; i < schema_->size(); ++i) {
    if (batch.columns[i]->is_null(row)) continue;  // an absent field is NULL
    append_plain(writers_[i], *batch.columns[i], row, values[i]);
    words.push_back(schema_->fields[i].name);
    words.push_back(values[i]);
  }
  append_redis_command(out, {"MULTI"});
  append_redis_command(out, {"DEL", key});
  char commands = 3;
  if (words.size() > 2) {
    append_redis_command(out, words);
    ++commands;
  }
  if (expire_ms_ > 0) {
    append_redis_command(out, {"PEXPIRE", key, expire});
    ++commands;
  }
  append_redis_command(out, {"EXEC"});
  out[count_at] = commands;
}

std::unique_ptr<FlushTarget> RedisSinkWriter::make_target() {
  return std::make_unique<RedisFlushTarget>(read_redis(config_.options));
}

void register_redis(Registry& registry) {
  registry.plan.sinks["redis"] = redis_sink_descriptor();
  registry.factories.sinks["redis"] = [](const SinkConfig& config, const Registry&) -> Result<SinkWriterPtr> {
    return std::make_unique<RedisSinkWriter>(config);
  };
  registry.factories.lookups["redis"] = redis_lookup_descriptor();
}

}  // namespace millrace
