#include "connectors/file/lookup.h"

#include <deque>
#include <unordered_map>

#include "connectors/csv/csv_text.h"
#include "connectors/file/file_list.h"
#include "connectors/file/file_source.h"
#include "runtime/spi/factories.h"

namespace millrace {
namespace {

/// Answers within ask(): everything is in memory.
class FileLookup final : public LookupSource {
 public:
  FileLookup(const LookupConfig& config, DecoderPtr decoder)
      : schema_(config.schema),
        keys_(config.keys),
        reload_ms_(config.options.integer("reload", 0)),
        decoder_(std::move(decoder)) {
    options_.path = plain_path(config.options.text("path"));
    options_.csv = config.format.name == "csv";
    options_.csv_header = options_.csv && CsvOptions::from(config.format.options).header;
  }

  Status open(const LookupContext& context) override {
    context_ = context;
    return load();
  }

  void ask(uint64_t ticket, std::vector<std::string> keys, int64_t /*delay_ms*/) override {
    LookupAnswer answer;
    answer.ticket = ticket;
    if (reload_ms_ > 0 && context_.clock->wall_ms() - loaded_ms_ >= reload_ms_) answer.status = load();
    BatchBuilder rows(schema_);
    for (uint32_t i = 0; answer.status && i < keys.size(); ++i) {
      const auto found = places_.find(keys[i]);
      if (found == places_.end()) continue;
      for (const auto& [batch, row] : found->second) {
        rows.append(batches_[batch], &row, 1);
        answer.key_of_row.push_back(i);
      }
    }
    answer.rows = rows.finish();
    answers_.push_back(std::move(answer));
  }

  [[nodiscard]] bool answered() const override { return !answers_.empty(); }
  bool take(LookupAnswer& answer) override {
    if (answers_.empty()) return false;
    answer = std::move(answers_.front());
    answers_.pop_front();
    return true;
  }

 private:
  struct Place {
    uint32_t batch;
    uint32_t row;
  };

  Status load() {
    loaded_ms_ = context_.clock != nullptr ? context_.clock->wall_ms() : 0;
    batches_.clear();
    places_.clear();
    const SourceReaderPtr reader = make_file_source(options_);
    SourceContext source;
    source.source = context_.step;
    source.clock = context_.clock;
    source.waker = context_.waker;
    MR_TRY(reader->open(source));
    while (true) {
      SourceChunk chunk;
      MR_ASSIGN(const PollResult polled, reader->poll(kBatchRowsMax, chunk));
      if (polled == PollResult::kData) MR_TRY(add(std::get<RecordBatch>(chunk.payload)));
      if (polled == PollResult::kEnd) return {};
    }
  }

  Status add(const RecordBatch& records) {
    DecodeResult decoded;
    MR_TRY(decoder_->decode(records, decoded));
    if (!decoded.bad.empty()) {
      return make_error(ErrorCode::kBadRecord, "the table " + options_.path + ": " + decoded.bad.front().message);
    }
    Batch batch;
    batch.rows = decoded.rows;
    batch.columns = std::move(decoded.columns);
    batch.event_times = std::make_shared<const std::vector<int64_t>>(batch.rows, 0);
    batch.arenas = std::move(decoded.arenas);
    batch.arenas.push_back(records.arena);
    EncodedKeys encoded;
    encode_keys(batch, *schema_, keys_, encoded);
    for (uint32_t row = 0; row < batch.rows; ++row) {
      places_[std::string(encoded.keys[row])].push_back({static_cast<uint32_t>(batches_.size()), row});
    }
    batches_.push_back(std::move(batch));
    return {};
  }

  FileSourceOptions options_;
  const SchemaPtr schema_;
  const std::vector<uint32_t> keys_;
  const int64_t reload_ms_;
  const DecoderPtr decoder_;
  LookupContext context_;
  int64_t loaded_ms_ = 0;
  std::vector<Batch> batches_;
  std::unordered_map<std::string, std::vector<Place>> places_;
  std::deque<LookupAnswer> answers_;
};

Result<LookupSourcePtr> make_file_lookup(const LookupConfig& config, const Registry& registry) {
  const auto decoder = registry.factories.decoders.find(config.format.name);
  if (decoder == registry.factories.decoders.end()) {
    return make_error(ErrorCode::kUnknownConnector, "no decoder `" + config.format.name + "` in this build");
  }
  std::vector<DecodeColumn> columns;
  for (const Field& field : config.schema->fields) columns.push_back({field.name, field.type, {field.name}, "", -1});
  MR_ASSIGN(DecoderPtr made, decoder->second(config.format, columns));
  return std::make_unique<FileLookup>(config, std::move(made));
}

}  // namespace

LookupDescriptor file_lookup_descriptor() {
  LookupDescriptor descriptor;
  descriptor.help = "rows of files, held in memory";
  OptionDescriptor path;
  path.name = "path";
  path.required = true;
  path.help = "a file, a directory or a pattern";
  path.example = "./products.csv";
  OptionDescriptor reload;
  reload.name = "reload";
  reload.kind = OptionKind::kDuration;
  reload.min = 1;
  reload.help = "the files are read anew after so long; without it only at the start";
  reload.example = "5m";
  descriptor.options = {std::move(path), std::move(reload)};
  descriptor.uses_format = true;
  descriptor.make = make_file_lookup;
  return descriptor;
}

}  // namespace millrace
