#include "connectors/json/register.h"

#include "connectors/json/json_decoder.h"
#include "connectors/json/json_encoder.h"
#include "runtime/spi/factories.h"

namespace millrace {

void register_json(Registry& registry) {
  FormatDescriptor format;
  format.name = "json";
  format.help = "one JSON object per record; only the columns that the job uses are parsed";
  OptionDescriptor timestamps;
  timestamps.name = "timestamps";
  timestamps.kind = OptionKind::kChoice;
  timestamps.choices = {"epoch_millis", "iso8601"};
  timestamps.default_text = "epoch_millis";
  timestamps.help = "how timestamps are written; reading is said per column with FROM";
  OptionDescriptor decimals;
  decimals.name = "decimals";
  decimals.kind = OptionKind::kChoice;
  decimals.choices = {"string", "number"};
  decimals.default_text = "string";
  decimals.help = "how DECIMAL values are written";
  format.options = {timestamps, decimals};
  registry.plan.formats["json"] = std::move(format);

  registry.factories.decoders["json"] = [](const FormatConfig&, const std::vector<DecodeColumn>& columns) {
    return make_json_decoder(columns);
  };
  registry.factories.encoders["json"] = [](const FormatConfig& config, const SchemaPtr& schema,
                                           Changelog changelog) -> Result<EncoderPtr> {
    JsonOutOptions options;
    options.iso_timestamps = config.options.text("timestamps") == "iso8601";
    options.decimal_numbers = config.options.text("decimals") == "number";
    return make_json_encoder(schema, options, changelog != Changelog::kAppend);
  };
}

}  // namespace millrace
