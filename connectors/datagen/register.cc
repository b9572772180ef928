#include "connectors/datagen/register.h"

#include "connectors/datagen/datagen_source.h"
#include "connectors/datagen/generator.h"
#include "runtime/spi/factories.h"

namespace millrace {
namespace {

void check_datagen(const OptionValues& options, SourceConfig& config, Diagnostics& diagnostics) {
  bool ok = true;
  for (const SourceColumn& column : config.columns) {
    if (column.kind != SourceColumn::Kind::kPhysical) continue;
    const auto generator = ColumnGenerator::make(column.type, column.generator, 0, 0);
    if (generator) continue;
    ok = false;
    diagnostics.error(generator.error().code, column.position,
                      "column `" + column.name + "`: " + generator.error().message, generator.error().help,
                      static_cast<int>(column.name.size()));
  }
  if (!ok) return;
  const Result<DatagenOptions> made = datagen_options(options, config.columns);
  config.bounded = made && made->rows != std::numeric_limits<uint64_t>::max();
}

OptionDescriptor number_option(std::string name, OptionKind kind, std::string help, std::string example) {
  OptionDescriptor option;
  option.name = std::move(name);
  option.kind = kind;
  option.min = 0;
  option.help = std::move(help);
  option.example = std::move(example);
  return option;
}

}  // namespace

void register_datagen(Registry& registry) {
  ConnectorDescriptor source;
  source.name = "datagen";
  source.help =
      "generated rows: behind a column's type stands SEQUENCE(1, 1000), RANDOM(1, 6), SKEWED(1, 1000), CHOICE('a', "
      "'b'), "
      "NOW or LENGTH(8)";
  source.uses_format = false;
  OptionDescriptor seed = number_option("seed", OptionKind::kInteger, "the same seed gives the same rows", "42");
  seed.default_text = "0";
  source.options = {number_option("rows", OptionKind::kInteger, "ends after so many rows", "1000000"),
                    number_option("rows_per_second", OptionKind::kNumber,
                                  "over all subtasks; without it as fast as possible", "1000"),
                    std::move(seed)};
  source.check_source = check_datagen;
  registry.plan.sources["datagen"] = std::move(source);
  registry.factories.sources["datagen"] = [](const SourceConfig& config, const Registry&) -> Result<SourceReaderPtr> {
    MR_ASSIGN(const DatagenOptions options, datagen_options(config.options, config.columns));
    return make_datagen_source(options);
  };
}

}  // namespace millrace
