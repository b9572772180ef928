#include "connectors/redis/lookup.h"

#include <algorithm>

#include "connectors/lookup/lookup_thread.h"
#include "connectors/redis/sink_writer.h"
#include "runtime/spi/factories.h"

namespace millrace {
namespace {

class RedisLookup final : public LookupTarget {
 public:
  /// `decoder` is null for hashes.
  RedisLookup(const LookupConfig& config, DecoderPtr decoder)
      : options_(read_redis(config.options)),
        prefix_(config.options.text("prefix")),
        schema_(config.schema),
        keys_(config.keys),
        decoder_(std::move(decoder)) {}

  Status connect(const std::atomic<bool>& stopping) override {
    connection_.reset();
    MR_ASSIGN(connection_, RedisConnection::open(options_, &stopping));
    return {};
  }

  Status find(const std::vector<std::vector<std::string>>& keys, LookupRows& rows) override {
    std::string commands;
    for (const auto& key : keys) {
      std::string name = prefix_;
      for (size_t i = 0; i < key.size(); ++i) name += (i > 0 ? ":" : "") + key[i];
      std::vector<std::string_view> words{decoder_ ? "GET" : "HMGET", name};
      if (!decoder_) {
        for (const Field& field : schema_->fields) words.push_back(field.name);
      }
      append_redis_command(commands, words);
    }
    MR_ASSIGN(std::vector<RedisReply> replies, connection_->pipeline(commands, keys.size()));
    for (const RedisReply& reply : replies) {
      if (reply.kind != RedisReply::Kind::kError) continue;
      return make_error(redis_error_code(reply.text), "redis " + connection_->server() + ": " + reply.text);
    }
    return decoder_ ? read_texts(replies, rows) : read_hashes(keys, replies, rows);
  }

 private:
  Status read_hashes(const std::vector<std::vector<std::string>>& keys, std::vector<RedisReply>& replies,
                     LookupRows& rows) const {
    for (size_t i = 0; i < replies.size(); ++i) {
      std::vector<std::optional<std::string>> values(schema_->size());
      bool found = false;
      for (size_t column = 0; column < values.size() && column < replies[i].items.size(); ++column) {
        RedisReply& item = replies[i].items[column];
        if (item.kind != RedisReply::Kind::kText) continue;
        values[column] = std::move(item.text);
        found = true;
      }
      if (!found) continue;
      // A hash need not repeat its own name.
      for (size_t k = 0; k < keys_.size(); ++k) {
        if (!values[keys_[k]]) values[keys_[k]] = keys[i][k];
      }
      MR_TRY(rows.add(static_cast<uint32_t>(i), values));
    }
    return {};
  }

  Status read_texts(const std::vector<RedisReply>& replies, LookupRows& rows) {
    RecordBatch records;
    records.arena = std::make_shared<Arena>();
    std::vector<uint32_t> key_of_row;
    for (size_t i = 0; i < replies.size(); ++i) {
      if (replies[i].kind != RedisReply::Kind::kText) continue;
      Record record;
      record.value = records.arena->copy(replies[i].text);
      records.records.push_back(record);
      key_of_row.push_back(static_cast<uint32_t>(i));
    }
    DecodeResult decoded;
    if (!records.records.empty()) MR_TRY(decoder_->decode(records, decoded));
    if (!decoded.bad.empty()) return make_error(ErrorCode::kBadRecord, "redis: " + decoded.bad.front().message);
    Batch batch;
    batch.rows = decoded.rows;
    batch.columns = std::move(decoded.columns);
    batch.arenas = std::move(decoded.arenas);
    batch.arenas.push_back(records.arena);
    if (!decoded.record_of_row.empty()) {
      std::vector<uint32_t> keys;
      for (const uint32_t record : decoded.record_of_row) keys.push_back(key_of_row[record]);
      key_of_row = std::move(keys);
    }
    rows.adopt(std::move(batch), std::move(key_of_row));
    return {};
  }

  const RedisOptions options_;
  const std::string prefix_;
  const SchemaPtr schema_;
  const std::vector<uint32_t> keys_;
  const DecoderPtr decoder_;
  std::unique_ptr<RedisConnection> connection_;
};

Result<LookupSourcePtr> make_redis_lookup(const LookupConfig& config, const Registry& registry) {
  DecoderPtr decoder;
  if (config.options.text("value") == "json") {
    std::vector<DecodeColumn> columns;
    for (const Field& field : config.schema->fields) columns.push_back({field.name, field.type, {field.name}, "", -1});
    const auto json = registry.factories.decoders.find("json");
    if (json == registry.factories.decoders.end()) {
      return make_error(ErrorCode::kUnknownConnector, "no decoder `json` in this build");
    }
    MR_ASSIGN(decoder, json->second(FormatConfig{"json", {}, OnError::kFail}, columns));
  }
  MR_ASSIGN(LookupRows rows, LookupRows::make(config.schema));
  return std::make_unique<LookupThread>(std::make_unique<RedisLookup>(config, std::move(decoder)),
                                        LookupKeys(config.key_types, {}), std::move(rows));
}

}  // namespace

LookupDescriptor redis_lookup_descriptor() {
  LookupDescriptor descriptor;
  descriptor.help = "hashes or JSON texts of Redis, one per key";
  for (OptionDescriptor& option : redis_sink_descriptor().options) {
    if (option.name != "expire") descriptor.options.push_back(std::move(option));
  }
  descriptor.check = check_lookup_types;
  descriptor.make = make_redis_lookup;
  return descriptor;
}

}  // namespace millrace
