#include "connectors/csv/register.h"

#include "connectors/csv/csv_format.h"
#include "runtime/spi/factories.h"

namespace millrace {

void register_csv(Registry& registry) {
  FormatDescriptor format;
  format.name = "csv";
  format.help = "RFC 4180; an empty field is NULL, \"\" the empty text";
  OptionDescriptor delimiter;
  delimiter.name = "delimiter";
  delimiter.kind = OptionKind::kText;
  delimiter.default_text = ",";
  delimiter.help = "one character between fields; \\t is a tabulator";
  delimiter.example = ";";
  OptionDescriptor header;
  header.name = "header";
  header.kind = OptionKind::kBoolean;
  header.default_text = "true";
  header.help = "files start with a line of column names; without it columns are found by their place";
  format.options = {delimiter, header};
  registry.plan.formats["csv"] = std::move(format);

  registry.factories.decoders["csv"] = [](const FormatConfig& config, const std::vector<DecodeColumn>& columns) {
    return make_csv_decoder(CsvOptions::from(config.options), columns);
  };
  registry.factories.encoders["csv"] = [](const FormatConfig& config, const SchemaPtr& schema,
                                          Changelog changelog) -> Result<EncoderPtr> {
    return make_csv_encoder(CsvOptions::from(config.options), schema, changelog != Changelog::kAppend);
  };
}

}  // namespace millrace
