#include "connectors/file/register.h"

#include "connectors/csv/csv_text.h"
#include "connectors/file/file_list.h"
#include "connectors/file/file_sinks.h"
#include "connectors/file/file_source.h"
#include "connectors/file/lookup.h"
#include "core/file_system.h"
#include "core/s3/uri.h"
#include "plan/option_reader.h"
#include "runtime/spi/factories.h"

namespace millrace {
namespace {

OptionDescriptor path_option(std::string help, std::string example) {
  OptionDescriptor path;
  path.name = "path";
  path.required = true;
  path.help = std::move(help);
  path.example = std::move(example);
  return path;
}

OptionDescriptor flag_option(std::string name, std::string help) {
  OptionDescriptor flag;
  flag.name = std::move(name);
  flag.kind = OptionKind::kBoolean;
  flag.default_text = "false";
  flag.help = std::move(help);
  return flag;
}

std::vector<OptionDescriptor> roll_fields() {
  OptionDescriptor size;
  size.name = "size";
  size.kind = OptionKind::kBytes;
  size.min = 1;
  size.default_text = "128MB";
  size.help = "a new file when this one has so many bytes";
  OptionDescriptor every;
  every.name = "every";
  every.kind = OptionKind::kDuration;
  every.min = 1;
  every.help = "a new file when this one is so old";
  return {size, every};
}

void check_file_source(const OptionValues& options, SourceConfig& config, Diagnostics& diagnostics) {
  if (is_object_path(options.text("path"))) {
    diagnostics.error(ErrorCode::kNotSupportedYet, options.located("path").position,
                      "files on S3 cannot be read by a source yet", "copy them to a local directory");
  }
  const std::string path = plain_path(options.text("path"));
  config.bounded = !options.boolean("follow");
  if (!has_wildcards(path) && !path.ends_with('/')) config.subtasks_max = 1;
}

/// Objects do not grow: only files that appear as a whole can be written.
void check_s3_sink(const OptionValues& options, const SinkConfig& config, Diagnostics& diagnostics) {
  const Located& path = options.located("path");
  if (const auto parsed = parse_s3_path(path.text); !parsed) {
    diagnostics.error(parsed.error().code, path.position, parsed.error().message, parsed.error().help);
  } else if (!path.text.ends_with('/')) {
    diagnostics.error(ErrorCode::kConnectorOption, path.position, "on S3 a file sink writes a directory of files",
                      "end the path with `/`");
  } else if (config.delivery != Delivery::kExactlyOnce || options.boolean("final")) {
    diagnostics.error(ErrorCode::kConnectorOption, path.position,
                      "files on S3 cannot grow: a file sink writes there only under exactly_once",
                      "add `delivery: exactly_once`: every checkpoint adds files");
  }
}

void check_file_sink(const OptionValues& options, SinkConfig& config, Diagnostics& diagnostics) {
  const bool directory = options.text("path").ends_with('/');
  const bool final_state = options.boolean("final");
  const Position at = options.located("path").position;
  if (!directory || final_state) config.subtasks_max = 1;
  config.cuts_back = !directory || final_state;
  if (is_object_path(options.text("path"))) check_s3_sink(options, config, diagnostics);
  config.states = {final_state  ? opaque_schema("rows", StateKind::kSubtask, final_state_layout(*config.schema))
                   : !directory ? opaque_schema("file", StateKind::kSubtask, kSingleFileLayout)
                                : opaque_schema("files", StateKind::kSubtask, kRollingLayout)};
  if (directory && final_state)
    diagnostics.error(ErrorCode::kConnectorOption, at, "`final: true` writes one file; the path names a directory",
                      "leave the `/` at the end out");
  if (directory && config.delivery == Delivery::kExactlyOnce && options.get("roll").set)
    diagnostics.error(ErrorCode::kConnectorOption, options.located("roll").position,
                      "`roll` has no meaning with exactly_once: every checkpoint begins new files");
  if (options.get("roll").set && !directory)
    diagnostics.error(ErrorCode::kConnectorOption, options.located("roll").position,
                      "`roll` belongs to directories; the path names one file", "a path ending in `/` is a directory");
  if (options.get("roll").set)
    (void)read_options(options.located("roll"), roll_fields(), "the roll of a file sink", diagnostics);
}

Result<SourceReaderPtr> make_source(const SourceConfig& config, const Registry&) {
  FileSourceOptions options;
  options.path = plain_path(config.options.text("path"));
  options.follow = config.options.boolean("follow");
  options.csv = config.format.name == "csv";
  options.csv_header = options.csv && CsvOptions::from(config.format.options).header;
  options.discover_every_ms = std::min<int64_t>(config.discover_every_ms, options.discover_every_ms);
  return make_file_source(std::move(options));
}

struct FileSinkParts {
  FileSinkOptions options;
  EncoderPtr encoder;
};

Result<FileSinkParts> file_sink_parts(const SinkConfig& config, const Registry& registry) {
  const Changelog changelog = config.options.boolean("final") ? Changelog::kAppend : config.changelog;
  const std::string format = config.format.name.empty() ? "json" : config.format.name;
  const auto factory = registry.factories.encoders.find(format);
  if (factory == registry.factories.encoders.end())
    return make_error(ErrorCode::kUnknownConnector, "no format `" + format + "` that writes");
  MR_ASSIGN(EncoderPtr encoder, factory->second(config.format, config.schema, changelog));
  FileSinkOptions options;
  options.path = plain_path(config.options.text("path"));
  const std::string if_exists = config.options.text("if_exists");
  options.if_exists = if_exists == "replace" ? IfExists::kReplace
                      : if_exists == "fail"  ? IfExists::kFail
                                             : IfExists::kAppend;
  options.extension = format == "json" ? "jsonl" : format == "raw" ? "txt" : format;
  if (format == "csv") {
    const CsvOptions csv = CsvOptions::from(config.format.options);
    if (csv.header) options.header = csv_header(*config.schema, csv, changelog != Changelog::kAppend);
  }
  return FileSinkParts{std::move(options), std::move(encoder)};
}

Result<ExactlyOnceTargetPtr> make_target(const SinkConfig& config, const Registry& registry) {
  MR_ASSIGN(FileSinkParts parts, file_sink_parts(config, registry));
  return make_directory_target(std::move(parts.options), std::move(parts.encoder));
}

Result<SinkWriterPtr> make_sink(const SinkConfig& config, const Registry& registry) {
  MR_ASSIGN(auto parts, file_sink_parts(config, registry));
  auto& [options, encoder] = parts;
  if (config.options.boolean("final"))
    return make_final_state_writer(std::move(options), std::move(encoder), config.schema, config.changelog, config.key);
  if (!options.path.ends_with('/')) return make_single_file_writer(std::move(options), std::move(encoder));
  Diagnostics ignored;  // check_file_sink reported them
  const OptionValues roll = read_options(config.options.located("roll"), roll_fields(), "roll", ignored);
  options.roll_bytes = static_cast<uint64_t>(roll.integer("size"));
  options.roll_every_ms = roll.integer("every");
  return make_directory_writer(std::move(options), std::move(encoder));
}

}  // namespace

void register_file(Registry& registry) {
  ConnectorDescriptor source;
  source.name = "file";
  source.help = "lines of files; each file is a split, owned by the hash of its path";
  source.options = {
      path_option("a file, a directory, or a pattern with * ? [..] {a,b}; names that start with . or _ are "
                  "ignored",
                  "./in/*.jsonl"),
      flag_option("follow", "wait for more lines and files instead of ending")};
  source.metadata_columns = {"path", "line", "offset"};
  source.check_source = check_file_source;
  registry.plan.sources["file"] = std::move(source);
  registry.factories.sources["file"] = make_source;

  ConnectorDescriptor sink;
  sink.name = "file";
  sink.help = "lines into one file, or into rolling files of a directory (a path ending in /)";
  sink.deliveries = {Delivery::kAtLeastOnce, Delivery::kExactlyOnce, Delivery::kNone};
  sink.accepts_updates = true;
  OptionDescriptor if_exists;
  if_exists.name = "if_exists";
  if_exists.kind = OptionKind::kChoice;
  if_exists.choices = {"append", "replace", "fail"};
  if_exists.default_text = "append";
  if_exists.help = "what a fresh start does with a file that is there already";
  OptionDescriptor roll;
  roll.name = "roll";
  roll.kind = OptionKind::kTree;
  roll.help = "directories: when to begin a new file";
  roll.example = "{size: 128MB, every: 10m}";
  sink.options = {path_option("one file, or a directory when it ends in /; s3://bucket/prefix/ under exactly_once",
                              "./out/alerts.jsonl"),
                  if_exists, roll,
                  flag_option("final", "bounded jobs: write the rows that are left at the end, in key order")};
  sink.check_sink = check_file_sink;
  registry.plan.sinks["file"] = std::move(sink);
  registry.factories.sinks["file"] = make_sink;
  registry.factories.exactly_once["file"] = make_target;
  registry.factories.lookups["file"] = file_lookup_descriptor();
}

}  // namespace millrace
