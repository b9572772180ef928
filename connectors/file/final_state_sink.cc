#include <map>

#include "connectors/file/file_sinks.h"
#include "connectors/file/sort_key.h"
#include "connectors/file/text_output.h"
#include "core/bytes.h"

namespace millrace {
namespace {

class FinalStateWriter final : public SinkWriter {
 public:
  FinalStateWriter(FileSinkOptions options, EncoderPtr encoder, SchemaPtr schema, Changelog changelog,
                   std::vector<uint32_t> key)
      : options_(std::move(options)),
        encoder_(std::move(encoder)),
        upsert_(changelog == Changelog::kUpsert && !key.empty()),
        key_(std::move(key)),
        layout_(final_state_layout(*schema)) {
    for (const Field& field : schema->fields) writers_.emplace_back(*field.type, JsonOutOptions{});
  }

  Status open(SinkContext& context) override {
    subtask_ = context.subtask;
    state_ = {context.sink, "rows", StateKind::kSubtask, layout_};
    if (options_.if_exists == IfExists::kFail && context.restored == nullptr &&
        local_file_system().exists(options_.path))
      return make_error(ErrorCode::kRefusedByState, "the file " + options_.path + " exists",
                        "`if_exists: append` or `replace` accept it");
    if (context.restored == nullptr) return {};
    return context.restored->visit(state_, {0, kDefaultMaxParallelism}, context.subtask, context.parallelism,
                                   [&](uint32_t, std::string_view key, std::string_view value) -> Status {
                                     ByteReader in(value);
                                     Row row;
                                     row.count = in.get<int64_t>();
                                     row.line = std::string(in.get_string());
                                     if (!in.done())
                                       return make_error(ErrorCode::kCorruptState, "a saved row cannot be read");
                                     rows_[std::string(key)] = std::move(row);
                                     return {};
                                   });
  }

  Result<Flow> write(const Batch& batch, Output&) override {
    Status status;
    for_each_row(batch, [&](uint32_t row) {
      if (status) status = apply(batch, row);
    });
    MR_TRY(status);
    return Flow::kNeedInput;
  }

  Result<std::vector<SnapshotPartPtr>> snapshot() override {
    auto part = std::make_unique<RowsSnapshot>(state_);
    for (const auto& [key, row] : rows_) {
      ByteWriter value;
      value.put<int64_t>(row.count);
      value.put_string(row.line);
      part->add(subtask_, key, value.take());
    }
    std::vector<SnapshotPartPtr> parts;
    parts.push_back(std::move(part));
    return parts;
  }

  /// The file appears as a whole, and only now.
  Status close() override {
    std::string text;
    FileSystem& fs = local_file_system();
    MR_TRY(fs.create_directories(parent_path(options_.path)));
    if (options_.if_exists == IfExists::kAppend && fs.exists(options_.path)) {
      MR_ASSIGN(text, fs.read_all(options_.path));
    }
    if (text.empty() && !options_.header.empty()) text = options_.header + "\n";
    for (const auto& [key, row] : rows_) {
      for (int64_t i = 0; i < row.count; ++i) {
        text += row.line;
        text.push_back('\n');
      }
    }
    return write_file_durably(fs, options_.path, text);
  }

 private:
  struct Row {
    int64_t count = 0;  // below zero while a removal came before its row
    std::string line;
  };

  Status apply(const Batch& batch, uint32_t row) {
    const RowKind kind = batch.kind(row);
    const bool adds = kind == RowKind::kInsert || kind == RowKind::kUpdateAfter;
    sort_key_.clear();
    for (const uint32_t column : key_) append_sort_key(sort_key_, *batch.columns[column], row, writers_[column]);
    if (!upsert_) {
      for (size_t i = 0; i < writers_.size(); ++i) append_sort_key(sort_key_, *batch.columns[i], row, writers_[i]);
    }
    Row& slot = rows_[sort_key_];
    slot.count = upsert_ ? (adds ? 1 : 0) : slot.count + (adds ? 1 : -1);
    if (slot.count == 0) {
      rows_.erase(sort_key_);
      return {};
    }
    if (!slot.line.empty() && !upsert_) return {};
    slot.line.clear();
    ends_.clear();
    return encoder_->encode(batch, {&row, 1}, slot.line, ends_);
  }

  FileSinkOptions options_;
  EncoderPtr encoder_;
  bool upsert_;
  std::vector<uint32_t> key_;
  std::vector<JsonValueWriter> writers_;
  std::map<std::string, Row> rows_;  // by sort key
  std::string layout_;
  StateDescriptor state_;
  uint32_t subtask_ = 0;
  std::string sort_key_;
  std::vector<size_t> ends_;
};

}  // namespace

std::string final_state_layout(const Schema& schema) {
  std::string text = "sort key: count, line of";
  for (const Field& field : schema.fields) text += " " + field.name + " " + field.type->to_string();
  return text;
}

SinkWriterPtr make_final_state_writer(FileSinkOptions options, EncoderPtr encoder, SchemaPtr schema,
                                      Changelog changelog, std::vector<uint32_t> key) {
  return std::make_unique<FinalStateWriter>(std::move(options), std::move(encoder), std::move(schema), changelog,
                                            std::move(key));
}

}  // namespace millrace
